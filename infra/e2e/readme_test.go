package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge"
)

// usageRow is one variable as `edge -help` prints it: name, default, meaning.
var usageRow = regexp.MustCompile(`^(EDGE_\w+)\s+(\S*)\s{2,}(\S.*)$`)

// TestTheConfigurationTableOfTheReadmeIsThatOfTheCode keeps the two lists of
// settings that a person may read the same.
func TestTheConfigurationTableOfTheReadmeIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	var usage bytes.Buffer
	if err := edge.Usage(&usage); err != nil {
		t.Fatal(err)
	}
	want := []string{"| Variable | Default | Meaning |", "|---|---|---|"}
	for line := range strings.Lines(usage.String()) {
		if m := usageRow.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			value := ""
			if m[2] != "" {
				value = "`" + m[2] + "`"
			}
			want = append(want, "| `"+m[1]+"` | "+value+" | "+m[3]+" |")
		}
	}
	if len(want) < 12 {
		t.Fatalf("only %d lines of usage were understood:\n%s", len(want), &usage)
	}
	_, rest, ok := strings.Cut(readme(t), "<!-- configuration -->\n")
	if !ok {
		t.Fatal("README.md has no configuration table")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	if diff := cmp.Diff(strings.Join(want, "\n"), table); diff != "" {
		t.Errorf("README.md differs from edge -help (-code, +README):\n%s\nwhole table:\n%s", diff, strings.Join(want, "\n"))
	}
}

func readme(tb testing.TB) string {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(repoRoot(), "README.md"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)#]+)\)`)
	promiseRow   = regexp.MustCompile(`(?m)^\| (L\d|Q\d|S\d) \|(.*)$`)
)

// TestWhatTheReadmeLinksToIsThere follows every relative link.
func TestWhatTheReadmeLinksToIsThere(t *testing.T) {
	t.Parallel()
	links := markdownLink.FindAllStringSubmatch(readme(t), -1)
	if len(links) < 10 {
		t.Fatalf("only %d links found", len(links))
	}
	for _, m := range links {
		if strings.Contains(m[1], "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join(repoRoot(), m[1])); err != nil {
			t.Errorf("README.md links to %s, which is not there", m[1])
		}
	}
}

// TestEachPromiseOfTheReadmeHasATestThatCarriesItsNumber looks for a test
// function named after the promise in the files that the row links to.
func TestEachPromiseOfTheReadmeHasATestThatCarriesItsNumber(t *testing.T) {
	t.Parallel()
	rows := promiseRow.FindAllStringSubmatch(readme(t), -1)
	if len(rows) != 11 {
		t.Fatalf("README.md lists %d promises, want 11", len(rows))
	}
	for _, row := range rows {
		files := markdownLink.FindAllStringSubmatch(row[2], -1)
		if len(files) == 0 {
			t.Errorf("%s links to no test", row[1])
		}
		for _, f := range files {
			out, err := exec.Command("grep", "-c", "^func Test"+row[1]+"_", filepath.Join(repoRoot(), f[1])).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %s has no test of that number: %s", row[1], f[1], bytes.TrimSpace(out))
			}
		}
	}
}
