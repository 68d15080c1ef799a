package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// dig returns what is found in decoded JSON by names and positions.
func dig(tb testing.TB, v any, path ...any) any {
	tb.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				tb.Fatalf("nothing at %v in %v", path, v)
			}
			v = list[step]
		}
	}
	return v
}

func TestBothSidesOfASafetyNumberAreEqualWhateverTheSession(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	alone := dig(t, bob.json("verify"), "peers", 0, "safetyNumber")
	alice.listen("--name", "a session")
	bob.listen("--name", "another")
	mine, yours := alice.json("verify", "another"), bob.json("verify", "alice")
	if n := dig(t, mine, "peers", 0, "safetyNumber"); n == nil || n != dig(t, yours, "peers", 0, "safetyNumber") || n != alone {
		t.Errorf("alice sees %v, bob %v, and alone %v", n, dig(t, yours, "peers", 0, "safetyNumber"), alone)
	}
	if dig(t, mine, "peers", 0, "verified") != false {
		t.Error("compared before anybody has")
	}
	alice.run("verify", "bob", "--ok")
	if dig(t, alice.json("verify"), "peers", 0, "verified") != true {
		t.Error("not noted")
	}
	if o := alice.try("verify", "alice"); o.code != 2 {
		t.Errorf("with oneself: exit %d %s", o.code, o.stderr)
	}
	if o := alice.try("verify", "carol"); o.code != 4 {
		t.Errorf("with nobody: exit %d %s", o.code, o.stderr)
	}
}

func TestASessionEntersAndLeavesGroupsWhileItRuns(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	bob.listen("--group", "backend:lead")
	if got := alice.run("groups"); got != "@backend\t1\t\tbob (lead)\n" {
		t.Errorf("alice sees %q", got)
	}
	bob.run("groups", "join", "ops")
	if got := bob.run("groups"); !strings.Contains(got, "@ops\t1\tyes\tbob\n") {
		t.Errorf("bob sees %q", got)
	}
	bob.run("groups", "leave", "@backend")
	groups, _ := alice.json("groups")["groups"].([]any)
	if len(groups) != 1 || dig(t, groups, 0, "name") != "ops" {
		t.Errorf("alice sees %v", groups)
	}
}

func TestLeavingEndsARunningSessionWithAGoodbye(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	watching, listening := alice.listen(), bob.listen()
	watching.await("peer_joined")
	if o := bob.try("rename", "demo", "other"); o.code != 1 || !strings.Contains(o.stderr, "is running") {
		t.Errorf("renamed under a session: exit %d %s", o.code, o.stderr)
	}
	bob.run("leave", "demo", "--yes")
	watching.await("peer_left")
	<-listening.done
	if o := bob.try("peers"); o.code != 3 {
		t.Errorf("still a member: exit %d %s", o.code, o.stderr)
	}
	if left, err := filepath.Glob(filepath.Join(bob.home, "sessions", "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTheDoctorFindsAHealthyMeshHealthy(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	alice.listen()
	report := alice.json("doctor")
	verdicts := map[string]string{}
	for _, f := range report["findings"].([]any) {
		verdicts[fmt.Sprint(dig(t, f, "check"))] = fmt.Sprint(dig(t, f, "verdict"))
	}
	if report["healthy"] != true {
		t.Errorf("%v", report)
	}
	for _, check := range []string{"directory", "configuration", "keys", "broker", "TLS", "clock", "membership", "round trip", "group key", "listener"} {
		if verdicts[check] != "ok" {
			t.Errorf("%s is %q", check, verdicts[check])
		}
	}
	edge.kill()
	if o := bob.try("doctor"); o.code != 1 || !strings.Contains(o.stdout, "failed\tdemo\tbroker\t") {
		t.Errorf("with the broker away: exit %d\n%s", o.code, o.stdout)
	}
}

// TestALaunchedClaudeIsOnTheMeshAndItsHooksTellItsStatus launches a program in
// Claude Code's place, which starts the MCP server and runs hooks as that does.
func TestALaunchedClaudeIsOnTheMeshAndItsHooksTellItsStatus(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t, startEdge(t, redistest.Start(t)).wsURL())
	home := t.TempDir()
	claude := filepath.Join(home, "claude")
	script := `#!/bin/bash
mkfifo "$HOME/agent"
claudemesh mcp <"$HOME/agent" >/dev/null &
exec 3>"$HOME/agent"
trap 'exec 3>&-; wait; exit 9' TERM
echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}' >&3
echo '{"jsonrpc":"2.0","method":"notifications/initialized"}' >&3
while true; do
  [ -e "$HOME/stop" ] && status=idle || status=working
  bash -c "exec claudemesh hook $status"
  sleep 0.5 & wait $!
done
`
	if err := os.WriteFile(claude, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	path := home + ":" + filepath.Dir(bin(t, "claudemesh")) + ":" + os.Getenv("PATH")
	launch := bob.command("launch", "--name", "the api", "--group", "backend")
	launch.Env = append(launch.Env, "HOME="+home, "PATH="+path)
	ended := startCommand(t, launch)
	seen := func(status string) func() error {
		return func() error {
			o := alice.try("peers")
			if fields := strings.Split(o.stdout, "\t"); len(fields) < 4 || fields[0] != "the api" || fields[1] != status || fields[3] != "@backend" {
				return fmt.Errorf("alice sees %q, want status %s", o.stdout, status)
			}
			return nil
		}
	}
	eventually(t, seen("working"))
	if err := os.WriteFile(filepath.Join(home, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, seen("idle"))
	_ = launch.Process.Signal(syscall.SIGTERM)
	<-ended
	if code := launch.ProcessState.ExitCode(); code != 9 {
		t.Errorf("launch exits with %d, want the code of what it started", code)
	}
}

// startCommand starts a command that ends with the test, if not before.
func startCommand(t *testing.T, cmd *exec.Cmd) (ended <-chan struct{}) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	return done
}
