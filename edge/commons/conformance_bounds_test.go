package commons

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table of bounds into PROTOCOL.md")

// bounds are all shelves, in words.
var bounds = []struct {
	what string
	shelf
}{
	{"values of the state", stateShelf},
	{"memories", memoryShelf},
	{"contexts", contextShelf},
	{"tasks, of which the oldest that are done make room", taskShelf},
	{"streams", streamShelf},
	{"peers that hear streams", subscriptionShelf},
	{"peers that hear one stream", subscribersShelf("")},
	{"scheduled messages", scheduleShelf},
	{"topics", topicShelf},
	{"names of topics", topicNameShelf},
	{"members of a topic, with their copies of its key", (&topic{}).parts()},
	{"mentions of a member, of which the newest are kept", notificationShelf("")},
	{"API keys", apiKeyShelf},
	{"skills", skillShelf},
	{"MCP servers", serverShelf},
	{"calls, and requests for files, that wait for an answer", callShelf},
	{"those of one peer", openCallsShelf("")},
	{"vault entries of a member", vaultShelf("")},
	{"watches", watchShelf},
	{"those of one peer", watchesShelf("")},
	{"webhooks", webhookShelf},
	{"secrets of webhooks", webhookSecretShelf},
	{"clocks", clockShelf},
	{"peers that own any of this", ownsShelf},
}

// The table stands between these lines in PROTOCOL.md.
const (
	boundsBegin = "<!-- bounds: begin (go test ./edge/commons -run TableOfBounds -update) -->\n"
	boundsEnd   = "<!-- bounds: end -->\n"
	protocol    = "../wire/PROTOCOL.md"
)

func boundsTable() string {
	var b strings.Builder
	b.WriteString("| Of a mesh | Entries | Bytes |\n|---|---|---|\n")
	for _, s := range bounds {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", s.what, s.fields, amount(s.bytes))
	}
	fmt.Fprintf(&b, "| all of this together | – | %s |\n", amount(meshBytes))
	return b.String()
}

func amount(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

func TestTheTableOfBoundsIsWhatTheShelvesHold(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(protocol)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, opened := bytes.Cut(page, []byte(boundsBegin))
	table, tail, closed := bytes.Cut(rest, []byte(boundsEnd))
	if !opened || !closed {
		t.Fatal("PROTOCOL.md has no place for the table")
	}
	if *update {
		page = slices.Concat(head, []byte(boundsBegin+boundsTable()+boundsEnd), tail)
		if err := os.WriteFile(protocol, page, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(boundsTable(), string(table)); diff != "" {
		t.Errorf("the table is stale, run with -update (-want, +got):\n%s", diff)
	}
}

// TestNoShelfIsMissingFromTheTableOfBounds finds one in the source.
func TestNoShelfIsMissingFromTheTableOfBounds(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found += strings.Count(string(text), "shelf{name:")
	}
	if found != len(bounds) {
		t.Errorf("the source has %d shelves, the table %d", found, len(bounds))
	}
}
