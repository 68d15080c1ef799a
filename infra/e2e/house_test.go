package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/claudemesh/claudemesh"

// A pkg is one package of this module as the go command sees it.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	GoFiles    []string
	Imports    []string
	Deps       []string // of the program or package, not of its tests
}

// room is the package's path below the module: "edge/wire".
func (p pkg) room() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func (p pkg) isMain() bool { return p.Name == "main" }

// packages lists this module's packages. Packages that do not compile are
// listed too: whatever else is wrong, the rules still hold.
var packages = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-json", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []pkg
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
})

// root is the module's directory, seen from this one.
var root = filepath.Join("..", "..")

func house(t *testing.T) []pkg {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("go list found no package")
	}
	return all
}

// within reports whether room is covered by pattern: "queue" is that package,
// "edge/..." is edge and everything below it.
func within(pattern, room string) bool {
	dir, tree := strings.CutSuffix(pattern, "/...")
	return room == dir || tree && strings.HasPrefix(room, dir+"/")
}

func withinAny(patterns []string, room string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(p, room) })
}

// directions says what each room may import of ours. The first rule that
// covers a package applies.
var directions = []struct {
	room string
	may  []string
	why  string
}{
	{
		"edge/wire", nil,
		"the protocol is its own home: a peer in any program can be built on it without the rest",
	},
	{
		"edge/edgetest",
		[]string{"edge/...", "presence/...", "queue/...", "functions/...", "infra/..."},
		"a whole edge for tests is a broker too, so it knows no client",
	},
	{
		"edge/...",
		[]string{"edge/...", "presence/...", "queue/...", "functions/...", "infra/redis"},
		"the edge puts the rooms together; a broker that knows the client could learn to open a box",
	},
	{
		"presence/...",
		[]string{"presence/...", "infra/redis"},
		"who is here must not depend on what waits, nor on sockets and frames; a script that needs the other room's keys is given their names",
	},
	{
		"queue/...",
		[]string{"queue/...", "infra/redis"},
		"what waits must not depend on who is here, nor on sockets and frames, so that the streams can be replaced in one room",
	},
	{
		"functions/registry",
		[]string{"edge/wire", "infra/redis"},
		"who may come in is known to functions and edges alike, so it depends on neither",
	},
	{
		"functions/rooms",
		[]string{"functions/...", "edge/wire", "infra/redis", "presence", "queue"},
		"it shows presence and queue to admin, which asks for interfaces of its own; the stores only, no edge",
	},
	{
		"functions/...",
		[]string{"functions/...", "edge/wire", "infra/redis"},
		"a function runs alone on Lambda; an edge beside it would be dead weight at every cold start",
	},
	{
		"cli/...",
		[]string{"cli/...", "edge/wire", "edge/wire/recall"},
		"a client speaks the wire and nothing else, or it would work only with brokers of its own build",
	},
	{
		"infra/redis", nil,
		"every room stands on it, so it stands on none",
	},
	{
		"infra/provision", nil,
		"it runs before anything else can",
	},
	{
		"infra/redistest",
		[]string{"infra/redis", "infra/provision"},
		"every room's tests stand on it, so it stands on none",
	},
	{
		"infra/cmd/...",
		[]string{"infra/..."},
		"the programs around the broker start it as a process, so that stopping it is stopping a process",
	},
	{
		"infra/...",
		[]string{"edge/...", "presence/...", "queue/...", "functions/...", "cli/...", "infra/..."},
		"what runs and measures the whole may see the whole",
	},
}

func TestImportsPointInTheAgreedDirections(t *testing.T) {
	t.Parallel()
	for _, p := range house(t) {
		for _, rule := range directions {
			if !within(rule.room, p.room()) {
				continue
			}
			for _, imported := range p.Imports {
				room, ours := strings.CutPrefix(imported, module+"/")
				if ours && !withinAny(rule.may, room) {
					t.Errorf("%s imports %s\nwhy not: %s", p.room(), room, rule.why)
				}
			}
			break
		}
	}
}

func TestEveryPackageBelongsToARoom(t *testing.T) {
	t.Parallel()
	for _, p := range house(t) {
		covered := false
		for _, rule := range directions {
			covered = covered || within(rule.room, p.room())
		}
		if !covered {
			t.Errorf("%s is in no room\nwhy not: what no rule covers may import anything; give it a rule with its reason", p.ImportPath)
		}
	}
}

// brokers are the rooms whose code runs in a process that carries boxes.
var brokers = []string{"edge/...", "presence/...", "queue/...", "functions/..."}

// openers is what opens a box. TLS links copies of some of these, which the go
// command lists under vendor/: nobody else can import those.
var openers = []string{
	"golang.org/x/crypto/nacl/...",
	"golang.org/x/crypto/chacha20poly1305",
	"golang.org/x/crypto/salsa20/...",
	module + "/cli/...",
}

// TestS1_NoBrokerLinksCodeThatOpensABox looks at everything a broker process
// links, however indirectly, so a helper package is no way around.
func TestS1_NoBrokerLinksCodeThatOpensABox(t *testing.T) {
	t.Parallel()
	for _, p := range house(t) {
		if !withinAny(brokers, p.room()) {
			continue
		}
		for _, linked := range p.Deps {
			if withinAny(openers, linked) || linked == hpke && slices.Contains(p.Imports, hpke) {
				t.Errorf("%s links %s\nwhy not: the broker carries sealed boxes; that it cannot open one must be plain from what it is made of", p.room(), linked)
			}
		}
	}
}

// hpke opens boxes too, but TLS itself links it, so that only importing it says
// anything.
const hpke = "crypto/hpke"

// TestS1_ThePeerLinksWhatTheBrokerMustNot keeps the test above from passing
// because sealing has moved to a package that it does not know.
func TestS1_ThePeerLinksWhatTheBrokerMustNot(t *testing.T) {
	t.Parallel()
	for _, p := range house(t) {
		if p.room() == "cli/internal/seal" && !slices.ContainsFunc(p.Imports, func(i string) bool { return withinAny(openers, i) }) {
			t.Errorf("%s imports none of %q: what does it seal with?", p.room(), openers)
		}
	}
}

// Tests may link it, to see that a script also runs where `make run` falls back
// to it; but not instead of a real Redis.
func TestTheImitationOfRedisIsLinkedByDevAlone(t *testing.T) {
	t.Parallel()
	for _, p := range house(t) {
		for _, linked := range p.Deps {
			if within("github.com/alicebob/miniredis/...", linked) && p.room() != "infra/cmd/dev" {
				t.Errorf("%s links %s\nwhy not: it keeps nothing and has no keyspace events; only a development broker may do with it, and says so", p.room(), linked)
			}
		}
	}
}

func TestProgramsLinkNoTestCode(t *testing.T) {
	t.Parallel()
	testCode := []string{
		"testing", "net/http/httptest", "pgregory.net/rapid/...", "go.uber.org/goleak/...",
		"github.com/google/go-cmp/...", "github.com/rogpeppe/go-internal/...",
		module + "/infra/redistest", module + "/edge/edgetest",
	}
	// These are tests in the shape of programs: they run fleets to break them.
	trials := []string{"infra/cmd/chaos", "infra/cmd/fleet"}
	for _, p := range house(t) {
		if !p.isMain() || slices.Contains(trials, p.room()) {
			continue
		}
		for _, linked := range p.Deps {
			if withinAny(testCode, linked) {
				t.Errorf("%s links %s\nwhy not: test helpers panic, register flags and skip checks; none of that belongs in production", p.room(), linked)
			}
		}
	}
}

func TestProgramsLiveInCmdBehindAShortMain(t *testing.T) {
	t.Parallel()
	const longest = 60
	for _, p := range house(t) {
		if parent := filepath.Base(filepath.Dir(p.Dir)); p.isMain() != (parent == "cmd") {
			t.Errorf("%s: package %s\nwhy not: programs, and only they, are ROOM/cmd/NAME, so that ls finds them", p.room(), p.Name)
		}
		if !p.isMain() {
			continue
		}
		if !slices.Contains(p.GoFiles, "main.go") {
			t.Errorf("%s has no main.go", p.room())
			continue
		}
		if n := bytes.Count(read(t, filepath.Join(p.Dir, "main.go")), []byte("\n")); n > longest {
			t.Errorf("%s/main.go has %d lines, at most %d are agreed\nwhy: a main cannot be tested without a process, so it only puts together", p.room(), n, longest)
		}
	}
}
