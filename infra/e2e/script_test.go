package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPatience bounds all scripts together.
const scriptPatience = 5 * time.Minute

// scripts are what the command line promises, each told as a person would try
// it. They share one edge, and meet nowhere: each makes meshes of its own.
const scripts = "testdata/script"

// operatorToken is what whoever runs this edge has.
const operatorToken = "of-whoever-runs-this-edge"

// TestEveryVerbDoesWhatItSays runs the scripts. What they can say is in
// testdata/script/README.md.
func TestEveryVerbDoesWhatItSays(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t), "EDGE_OPERATOR_TOKEN="+operatorToken)
	testscript.Run(t, testscript.Params{
		Dir:                filepath.FromSlash(scripts),
		Setup:              func(env *testscript.Env) error { return newStage(env, edge) },
		Cmds:               scriptCommands,
		RequireUniqueNames: true,
		Deadline:           scriptDeadline(t),
	})
}

func scriptDeadline(t *testing.T) time.Time {
	ends := time.Now().Add(scriptPatience)
	if d, ok := t.Deadline(); ok && d.Before(ends) {
		return d
	}
	return ends
}

// A stage is where one script plays: its people, its way to the broker and the
// programs that run in the background.
type stage struct {
	env  *testscript.Env
	gate *gate
	jobs map[string]*job
}

type stageKey struct{}

// forwarded are variables that reach the programs of a script. Those without a
// value are there to be set by it.
var forwarded = []string{
	"CLAUDEMESH_CONFIG_DIR", "CLAUDEMESH_MESH", "CLAUDEMESH_SESSION", "CLAUDEMESH_NAME", "CLAUDEMESH_ROLE", "CLAUDEMESH_GROUPS",
	"CLAUDEMESH_OPERATOR_TOKEN", "CLAUDE_PROJECT_DIR", "CLAUDE_CONFIG_DIR", "SHELL", "USER", "LINK",
}

func newStage(env *testscript.Env, edge *edgeProcess) error {
	t := env.T().(testing.TB)
	g, err := openGate(edge.Addr)
	if err != nil {
		return err
	}
	s := &stage{env: env, gate: g, jobs: make(map[string]*job)}
	env.Defer(func() {
		s.endAll(t)
		g.close()
	})
	env.Values[stageKey{}] = s
	for _, name := range forwarded {
		env.Setenv(name, "")
	}
	programs := filepath.Dir(bin(t, "claudemesh"))
	env.Setenv("PATH", programs+string(filepath.ListSeparator)+env.Getenv("PATH"))
	env.Setenv("PROGRAMS", programs)
	env.Setenv("OPERATOR_TOKEN", operatorToken)
	env.Setenv("NO_COLOR", "1")
	env.Setenv("BROKER", "ws://"+g.addr()+"/ws")
	env.Setenv("BROKER_HTTP", "http://"+g.addr())
	env.Setenv("CLAUDEMESH_BROKER_URL", "ws://"+g.addr()+"/ws")
	return s.settle("somebody", env.Setenv)
}

// settle makes a person the one who types: with a home, which is where the
// commands run, and a configuration of their own.
func (s *stage) settle(name string, setenv func(k, v string)) error {
	home := filepath.Join(s.env.WorkDir, name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	setenv("HOME", home)
	setenv("USER", name)
	setenv("CLAUDEMESH_CONFIG_DIR", filepath.Join(home, ".claudemesh"))
	return nil
}

func onStage(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// environ is the environment as the script has it now.
func (s *stage) environ(ts *testscript.TestScript) []string {
	var env []string
	for _, v := range s.env.Vars {
		name, _, _ := strings.Cut(v, "=")
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// TestEveryCommandHasAScript walks the commands that the program offers and
// looks for a script that claims each, by a line such as
//
//	# covers: groups, groups join
func TestEveryCommandHasAScript(t *testing.T) {
	t.Parallel()
	claimed := scriptClaims(t)
	there := map[string]bool{"hook": true} // which only programs run, so that it is offered to nobody
	offeredCommands(t, newUser(t, ""), nil, there)
	if len(there) < 25 {
		t.Fatalf("found only %d commands; the walk sees nothing", len(there))
	}
	for command := range there {
		if claimed[command] == "" {
			t.Errorf("no script covers %q\nwhy not: what no script tries may break unseen; try its output, --json, refusals and exit codes in %s", command, scripts)
		}
	}
	for command, file := range claimed {
		if !there[command] {
			t.Errorf("%s covers %q, which is no command", file, command)
		}
	}
}

// scriptClaims returns which script covers which command. One that never runs
// what it claims covers nothing.
func scriptClaims(t *testing.T) map[string]string {
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(scripts), "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	claims := make(map[string]string)
	for _, file := range files {
		text := string(read(t, file))
		for line := range strings.Lines(text) {
			list, ok := strings.CutPrefix(strings.TrimSpace(line), "# covers:")
			if !ok {
				continue
			}
			for command := range strings.SplitSeq(list, ",") {
				command = strings.TrimSpace(command)
				if !strings.Contains(text, "claudemesh "+command) {
					t.Errorf("%s claims to cover %q and never runs it", file, command)
				}
				claims[command] = file
			}
		}
	}
	return claims
}

// offeredCommands collects what completion offers below a command: lines of a
// word and what it is for.
func offeredCommands(t *testing.T, u *user, path []string, found map[string]bool) {
	t.Helper()
	for line := range strings.Lines(u.run(append(append([]string{"__complete"}, path...), "")...)) {
		word, about, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || about == "" || len(path) > 0 && path[0] == "help" {
			continue
		}
		below := append(append([]string{}, path...), word)
		command := strings.Join(below, " ")
		if found[command] {
			t.Fatalf("%q is found twice", command)
		}
		found[command] = true
		offeredCommands(t, u, below, found)
	}
}
