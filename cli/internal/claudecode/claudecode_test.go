package claudecode

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var testServer = Server{Type: "stdio", Command: "/opt/claudemesh", Args: []string{"mcp"}, Env: map[string]string{}}

// newHome returns a home with those files, and where it is.
func newHome(t *testing.T, files map[string]string) (Home, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return NewHome(dir, func(string) string { return "" }), dir
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wants is a check of what a change was.
func wants(t *testing.T, action string) func(Change, error) {
	t.Helper()
	return func(c Change, err error) {
		t.Helper()
		if err != nil || c.Action != action {
			t.Errorf("action %q, %v; want %q", c.Action, err, action)
		}
	}
}

// A file as a person, and other programs, have written it.
const lived = `{
	"numStartups": 12345678901234567890,
	"mcpServers": { "other": {"command": "x", "args": ["}", "\"]"]} },
	"projects": {
		"/work/shop": { "allowedTools": [], "mcpServers": {} }
	},  "odd"  :  [1,2 , 3]
}`

func TestEveryScopeGoesInAndOutAgainWithoutATrace(t *testing.T) {
	t.Parallel()
	for _, scope := range []Scope{ScopeUser, ScopeProject, ScopeLocal} {
		h, dir := newHome(t, map[string]string{".claude.json": lived})
		project := t.TempDir()
		wants(t, Added)(h.Register(scope, project, testServer, false))
		wants(t, Kept)(h.Register(scope, project, testServer, false))
		scopes, server, err := h.Registered(project)
		if err != nil || !cmp.Equal(scopes, []Scope{scope}) || !cmp.Equal(server, testServer) {
			t.Errorf("%s: registered in %v as %v, %v", scope, scopes, server, err)
		}
		wants(t, Removed)(h.Unregister(scope, project, false))
		if got := text(t, filepath.Join(dir, ".claude.json")); got != lived {
			t.Errorf("%s leaves %s", scope, got)
		}
		if left, err := os.ReadDir(project); len(left) > 0 || err != nil {
			t.Errorf("%s leaves %v in what others share: %v", scope, left, err)
		}
	}
}

func TestAnOlderRegistrationIsReplacedInItsPlace(t *testing.T) {
	t.Parallel()
	h, dir := newHome(t, map[string]string{".claude.json": `{"mcpServers":{"claudemesh":{"command":"old"},"z":1}}`})
	wants(t, Updated)(h.Register(ScopeUser, "/", testServer, false))
	var all struct {
		McpServers map[string]json.RawMessage `json:"mcpServers"`
	}
	if err := json.Unmarshal([]byte(text(t, filepath.Join(dir, ".claude.json"))), &all); err != nil || len(all.McpServers) != 2 {
		t.Errorf("servers %v, %v", all.McpServers, err)
	}
	if got := text(t, filepath.Join(dir, ".claude.json"+BackupSuffix)); got != `{"mcpServers":{"claudemesh":{"command":"old"},"z":1}}` {
		t.Errorf("kept %s", got)
	}
}

func TestADryRunTouchesNothing(t *testing.T) {
	t.Parallel()
	h, dir := newHome(t, map[string]string{".claude.json": lived})
	wants(t, Added)(h.Register(ScopeUser, "/", testServer, true))
	if changes, err := h.AddHooks("/opt/claudemesh", true); err != nil || len(changes) != len(hookEvents) {
		t.Errorf("%v, %v", changes, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || text(t, filepath.Join(dir, ".claude.json")) != lived {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestAFileOfAnotherShapeIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{`{"mcpServers":`, `[]`, `// a comment` + "\n{}", `{"mcpServers":[]}`, `{"mcpServers":null}`} {
		h, dir := newHome(t, map[string]string{".claude.json": bad})
		if _, err := h.Register(ScopeUser, "/", testServer, false); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", bad, err)
		}
		if got := text(t, filepath.Join(dir, ".claude.json")); got != bad {
			t.Errorf("%s became %s", bad, got)
		}
	}
	for _, bad := range []string{`{"hooks":[]}`, `{"hooks":{"Stop":{}}}`} {
		h, _ := newHome(t, map[string]string{".claude/settings.json": bad})
		if _, err := h.AddHooks("/opt/claudemesh", false); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

const settings = `{
  "model": "opus",
  "hooks": {
    "Stop": [
      {
        "hooks": [
          { "type": "command", "command": "notify-send 'claudemesh hook idle' done" }
        ]
      }
    ]
  }
}
`

func TestHooksGoInAndOutAgainWithoutATrace(t *testing.T) {
	t.Parallel()
	h, dir := newHome(t, map[string]string{".claude/settings.json": settings})
	path := filepath.Join(dir, ".claude", "settings.json")
	for _, want := range []string{Added, Kept} {
		changes, err := h.AddHooks("/opt/it's here/claudemesh", false)
		if err != nil || len(changes) != 3 {
			t.Fatalf("%v, %v", changes, err)
		}
		for _, c := range changes {
			if c.Action != want {
				t.Errorf("%s: %s, want %s", c.What, c.Action, want)
			}
		}
	}
	changes, err := h.AddHooks("/new/claudemesh", false)
	if err != nil || changes[0].Action != Updated {
		t.Errorf("moved: %v, %v", changes, err)
	}
	if changes, err := h.RemoveHooks(false); err != nil || len(changes) != 3 {
		t.Errorf("%v, %v", changes, err)
	}
	if got := text(t, path); got != settings {
		t.Errorf("leaves %s", got)
	}
}

func TestALinkedFileStaysALink(t *testing.T) {
	t.Parallel()
	h, dir := newHome(t, map[string]string{"dotfiles/claude.json": lived})
	link := filepath.Join(dir, ".claude.json")
	if err := os.Symlink(filepath.Join(dir, "dotfiles", "claude.json"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Register(ScopeUser, "/", testServer, false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if got := text(t, link); got == lived {
		t.Error("nothing was registered")
	}
}

// TestAnEditIsWhatAProgramWouldDoToTheValues edits random documents and
// compares with maps. The rest of the text must not change.
func TestAnEditIsWhatAProgramWouldDoToTheValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := map[string]any{}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", `b"\`, "mcpServers", "ü{", ""}), 0, 5, rapid.ID).Draw(t, "keys") {
			value[key] = rapid.SampledFrom([]any{1.5, "]}\\\"", nil, []any{true, "x"}, map[string]any{}, map[string]any{"k": "v"}}).Draw(t, "value")
		}
		before, err := json.MarshalIndent(value, "", rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		after, err := set(before, map[string]any{"n": 1.0}, "new", "deep")
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(after, &got); err != nil {
			t.Fatalf("%s: %v", after, err)
		}
		value["new"] = map[string]any{"deep": map[string]any{"n": 1.0}}
		if diff := cmp.Diff(value, got); diff != "" {
			t.Fatal(diff)
		}
		entry, ok, err := find(after, "new", "deep")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if restored := prune(remove(after, entry), "new"); len(value) > 1 && string(restored) != string(before) {
			t.Fatalf("%s became %s", before, restored)
		}
	})
}

func TestHooksOfAProgramByAnyNameGoInOnceAndOutAgain(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"claudemesh", "/opt/bin/cmesh", "/opt/claudemesh-linux-amd64", "/Ana's tools/cm"} {
		h, dir := newHome(t, map[string]string{".claude/settings.json": livedSettings})
		for _, want := range []string{Added, Kept} {
			changes, err := h.AddHooks(program, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				wants(t, want)(c, nil)
			}
		}
		if changes, err := h.AddHooks("/elsewhere/claudemesh", false); err != nil || changes[0].Action != Updated {
			t.Errorf("%s moves: %v, %v", program, changes, err)
		}
		if changes, err := h.AddHooks(program, false); err != nil || changes[0].Action != Updated {
			t.Errorf("%s moves back: %v, %v", program, changes, err)
		}
		if _, err := h.RemoveHooks(false); err != nil {
			t.Fatal(err)
		}
		if got := text(t, filepath.Join(dir, ".claude", "settings.json")); got != livedSettings {
			t.Errorf("%s leaves %s", program, got)
		}
	}
}

// Settings with hooks of others, one of which resembles ours.
const livedSettings = `{
	"hooks": {
		"Stop": [
			{"hooks": [{"type": "command", "command": "say done"}]}
		],
		"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "audit; exec x hook working"}]}]
	}
}`
