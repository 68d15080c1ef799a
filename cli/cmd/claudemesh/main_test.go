package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"claudemesh": main})
}

// TestScripts runs each script of testdata/script with an identity directory of
// its own. Those here need no broker.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CLAUDEMESH_CONFIG_DIR", e.WorkDir+"/identity")
			e.Setenv("CLAUDEMESH_BROKER_URL", "ws://127.0.0.1:1/ws") // nobody listens there
			e.Setenv("USER", "ana")
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("SHELL", "/bin/bash")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command line in a shell's manner and checks its exit code:
//
//	exits 2 claudemesh send
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exits with %s, want %s", got, args[0])
	}
}

func TestMainStaysSmall(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "\n"); n > 60 {
		t.Errorf("main.go has %d lines; what it does belongs to internal/command", n)
	}
}
