package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestAClientByOthersConversesToo runs testdata/mcp/conversation.mjs. The other
// tests of the server use the library it is made with, which would agree with
// itself about a mistake; agents come with a client of their own.
func TestAClientByOthersConversesToo(t *testing.T) {
	t.Parallel()
	node, dir := installNodeClient(t)
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	arg, err := json.Marshal(map[string]any{
		"program": bin(t, "claudemesh"),
		"agents":  []any{alice.nodeAgent("Ada"), bob.nodeAgent("Ben")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runIn(t, dir, 3*patience, node, "conversation.mjs", string(arg)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// nodeAgent is what the script has to know of a user. Its client passes hardly
// anything of the environment on, as those of agents do.
func (u *user) nodeAgent(name string) map[string]any {
	return map[string]any{"name": name, "cwd": u.cwd, "env": map[string]string{
		"CLAUDEMESH_CONFIG_DIR": u.home, "CLAUDEMESH_BROKER_URL": u.broker, "NO_COLOR": "1",
	}}
}

// installNodeClient makes a directory with the script and the client it uses.
// It skips where there is no Node.js, on any machine: Go is all that the module
// asks for. Where there is, an install that fails is no excuse in CI, or the
// test could stay unrun for good without a word.
func installNodeClient(t *testing.T) (node, dir string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("not run: there is no node on the PATH")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("not run: there is no npm on the PATH to install the client with")
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/mcp")); err != nil {
		t.Fatal(err)
	}
	out, err := runIn(t, dir, 2*patience, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("npm install: %v\n%s", err, out)
	case err != nil:
		t.Skipf("not run: npm install: %v\n%s", err, out)
	}
	return node, dir
}

// runIn runs a program to its end, or to the end of its time, and returns all
// that it printed. What the program has started may hold its output open for
// longer than it lives; that is not waited for.
func runIn(t *testing.T, dir string, within time.Duration, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}
