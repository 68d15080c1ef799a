package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A user is one person's command line: a configuration directory of its own
// and a working directory, which decides the session.
type user struct {
	tb     testing.TB
	home   string
	cwd    string
	broker string
}

func newUser(tb testing.TB, broker string) *user {
	tb.Helper()
	u := &user{tb: tb, home: filepath.Join(tb.TempDir(), "config"), cwd: tb.TempDir(), broker: broker}
	return u
}

func (u *user) command(args ...string) *exec.Cmd {
	cmd := exec.Command(bin(u.tb, "claudemesh"), args...)
	cmd.Dir = u.cwd
	cmd.Env = append(os.Environ(), "CLAUDEMESH_CONFIG_DIR="+u.home, "CLAUDEMESH_BROKER_URL="+u.broker, "NO_COLOR=1")
	return cmd
}

type outcome struct {
	stdout, stderr string
	code           int
}

// try runs one command to its end.
func (u *user) try(args ...string) outcome {
	u.tb.Helper()
	cmd := u.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		u.tb.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// run is try for a command that must succeed; it returns standard output.
func (u *user) run(args ...string) string {
	u.tb.Helper()
	o := u.try(args...)
	if o.code != 0 {
		u.tb.Fatalf("claudemesh %s: exit %d\n%s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// json is run with --json, decoded.
func (u *user) json(args ...string) map[string]any {
	u.tb.Helper()
	out := u.run(append(args, "--json")...)
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		u.tb.Fatalf("claudemesh %s --json: %q: %v", strings.Join(args, " "), out, err)
	}
	return v
}

// inbox runs `inbox --json` and returns its lines.
func (u *user) inbox() []map[string]any {
	u.tb.Helper()
	return decodeLines(u.tb, u.run("inbox", "--json"))
}

func decodeLines(tb testing.TB, text string) (out []map[string]any) {
	tb.Helper()
	for line := range strings.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			tb.Fatalf("line %q: %v", line, err)
		}
		out = append(out, v)
	}
	return out
}

// A listener is a running `claudemesh listen --json`.
type listener struct {
	tb     testing.TB
	cmd    *exec.Cmd
	events chan map[string]any
	done   chan struct{}
	stderr bytes.Buffer // complete when done
}

// listen starts `listen --json` and waits until it is present.
func (u *user) listen(args ...string) *listener {
	u.tb.Helper()
	l := &listener{tb: u.tb, cmd: u.command(append([]string{"listen", "--json"}, args...)...), events: make(chan map[string]any, 4096), done: make(chan struct{})}
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		u.tb.Fatal(err)
	}
	l.cmd.Stderr = &l.stderr
	if err := l.cmd.Start(); err != nil {
		u.tb.Fatal(err)
	}
	go l.read(stdout)
	u.tb.Cleanup(l.stop)
	l.await("ready")
	return l
}

func (l *listener) read(stdout io.Reader) {
	defer close(l.done)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v map[string]any
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			l.tb.Errorf("listen printed %q: %v", lines.Text(), err)
			continue
		}
		l.events <- v
	}
	_ = l.cmd.Wait()
}

// await returns the next line with the given event and drops those before.
func (l *listener) await(event string) map[string]any {
	l.tb.Helper()
	return l.until(event, func(v map[string]any) bool { return v["event"] == event })
}

func (l *listener) text(text string) map[string]any {
	l.tb.Helper()
	return l.until("message "+text, func(v map[string]any) bool { return v["event"] == "message" && v["text"] == text })
}

// texts awaits messages in any order.
func (l *listener) texts(want ...string) {
	l.tb.Helper()
	missing := map[any]bool{}
	for _, text := range want {
		missing[text] = true
	}
	for len(missing) > 0 {
		v := l.until("messages "+fmt.Sprint(missing), func(v map[string]any) bool {
			return v["event"] == "message" && missing[v["text"]]
		})
		delete(missing, v["text"])
	}
}

func (l *listener) until(what string, match func(map[string]any) bool) map[string]any {
	l.tb.Helper()
	deadline := time.After(patience)
	for {
		select {
		case v := <-l.events:
			if match(v) {
				return v
			}
		case <-l.done:
			l.tb.Fatalf("listen ended while waiting for %s:\n%s", what, l.stderr.String())
		case <-deadline:
			l.tb.Fatalf("listen did not print %s", what)
		}
	}
}

// drained returns what was printed and not yet awaited.
func (l *listener) drained() (out []map[string]any) {
	for {
		select {
		case v := <-l.events:
			out = append(out, v)
		default:
			return out
		}
	}
}

// stop ends the listener as Ctrl-C does.
func (l *listener) stop() { l.end(os.Interrupt) }

// kill ends the listener without a goodbye.
func (l *listener) kill() { l.end(syscall.SIGKILL) }

func (l *listener) end(sig os.Signal) {
	_ = l.cmd.Process.Signal(sig)
	select {
	case <-l.done:
	case <-time.After(patience):
		_ = l.cmd.Process.Kill()
		l.tb.Error("listen did not end")
	}
}

// pair makes a mesh with an owner and one invited member, who reach the broker
// at the given address.
func pair(tb testing.TB, broker string) (alice, bob *user) {
	tb.Helper()
	alice, bob = newUser(tb, broker), newUser(tb, broker)
	alice.run("create", "demo", "--display-name", "alice")
	link, _ := alice.json("invite")["link"].(string)
	bob.run("join", link, "--name", "bob")
	return alice, bob
}

// meshEntries reads the entries of a user's configuration file.
func meshEntries(tb testing.TB, u *user) []map[string]any {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(u.home, "config.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var config struct {
		Meshes []map[string]any `json:"meshes"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		tb.Fatal(err)
	}
	return config.Meshes
}

// useBroker makes a joined user reach the broker at another address, here
// through a tap: the invite named the edge itself.
func useBroker(tb testing.TB, u *user, url string) {
	tb.Helper()
	path := filepath.Join(u.home, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		tb.Fatal(err)
	}
	for _, entry := range config["meshes"].([]any) {
		entry.(map[string]any)["brokerUrl"] = url
	}
	if raw, err = json.Marshal(config); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		tb.Fatal(err)
	}
}
