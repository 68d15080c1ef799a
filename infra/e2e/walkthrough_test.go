package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestTheWalkthroughOfTheReadmeIsTrueToTheLetter types what README.md shows
// into two terminals and compares what they print. In the text, `A$ ` and
// `B$ ` are prompts, `A> ` and `B> ` is what appears in a terminal whose
// command is still running, ^C is Ctrl-C, LINK is the link printed before, and
// … stands for anything.
func TestTheWalkthroughOfTheReadmeIsTrueToTheLetter(t *testing.T) {
	t.Parallel()
	walk(t, startEdge(t, redistest.Start(t)))
}

// TestTheWalkthroughIsTheSameWhereFunctionsAreServedElsewhere runs invites and
// administration as programs of their own, to which the edge forwards.
func TestTheWalkthroughIsTheSameWhereFunctionsAreServedElsewhere(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	invite, admin := startFunction(t, "invite", redis), startFunction(t, "admin", redis)
	walk(t, startEdge(t, redis, "EDGE_FUNCTIONS="+invite.httpURL()+","+admin.httpURL()))
}

func walk(t *testing.T, edge *edgeProcess) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Dir(bin(t, "claudemesh")), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	w := &walkthrough{tb: t, terminals: map[string]*terminal{
		"A": newTerminal(t, filepath.Join(dir), edge.wsURL()),
		"B": newTerminal(t, filepath.Join(dir), edge.wsURL()),
	}}
	steps := readmeBlock(t, "walkthrough")
	if len(steps) < 10 {
		t.Fatalf("the walkthrough has only %d lines", len(steps))
	}
	for _, line := range steps {
		w.step(line)
	}
	for _, term := range w.terminals {
		term.interrupt()
	}
}

// readmeBlock returns the lines of the fenced block that follows the comment
// <!-- NAME --> in README.md.
func readmeBlock(tb testing.TB, name string) []string {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(repoRoot(), "README.md"))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "<!-- "+name+" -->\n```")
	if !ok {
		tb.Fatalf("README.md has no block %q", name)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	block, _, ok := strings.Cut(rest, "\n```")
	if !ok {
		tb.Fatalf("README.md: block %q does not end", name)
	}
	return strings.Split(block, "\n")
}

type walkthrough struct {
	tb        testing.TB
	terminals map[string]*terminal
	current   *terminal // whose output unmarked lines are
	link      string
}

func (w *walkthrough) step(line string) {
	w.tb.Helper()
	name, rest, marked := strings.Cut(line, " ")
	term := w.terminals[strings.TrimRight(name, "$>")]
	switch {
	case line == "":
	case marked && term != nil && strings.HasSuffix(name, "$"):
		w.current = term
		w.enter(term, rest)
	case marked && term != nil && strings.HasSuffix(name, ">"):
		term.expect(rest)
	default:
		got := w.current.expect(line)
		if strings.HasPrefix(got, "ic://join/") {
			w.link = got
		}
	}
}

func (w *walkthrough) enter(term *terminal, command string) {
	w.tb.Helper()
	if command == "^C" {
		term.interrupt()
		return
	}
	if assignment, ok := strings.CutPrefix(command, "export "); ok {
		term.env = append(term.env, os.Expand(assignment, func(v string) string {
			return map[string]string{"PWD": term.dir}[v]
		}))
		return
	}
	term.start(strings.ReplaceAll(command, "LINK", "'"+w.link+"'"))
}

// A terminal runs one command at a time.
type terminal struct {
	tb    testing.TB
	dir   string
	env   []string
	cmd   *exec.Cmd
	lines chan string
	done  chan struct{}
	seen  lockedBuffer
}

func newTerminal(tb testing.TB, dir, broker string) *terminal {
	tb.Helper()
	env := append(os.Environ(), "HOME="+tb.TempDir(), "CLAUDEMESH_BROKER_URL="+broker, "NO_COLOR=1", "CLAUDEMESH_CONFIG_DIR=")
	done := make(chan struct{})
	close(done)
	return &terminal{tb: tb, dir: dir, env: env, done: done}
}

// start enters a command. A command that is still running must end first,
// because a person would wait for the prompt.
func (t *terminal) start(command string) {
	t.tb.Helper()
	t.waitForPrompt(command)
	t.cmd = exec.Command("bash", "-c", "exec "+command)
	t.cmd.Dir, t.cmd.Env = t.dir, t.env
	r, w := io.Pipe()
	t.cmd.Stdout, t.cmd.Stderr = w, w
	if err := t.cmd.Start(); err != nil {
		t.tb.Fatal(err)
	}
	t.lines, t.done = make(chan string, 1024), make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { t.read(r) })
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		_ = w.Close()
		reading.Wait()
		close(done)
	}(t.cmd, t.done)
}

func (t *terminal) read(r io.Reader) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		t.seen.WriteLine(scanner.Text())
		t.lines <- scanner.Text()
	}
	close(t.lines)
}

func (t *terminal) waitForPrompt(next string) {
	t.tb.Helper()
	select {
	case <-t.done:
	case <-time.After(patience):
		t.tb.Fatalf("%q cannot be typed: %v is still running\n%s", next, t.cmd.Args, &t.seen)
	}
	if t.cmd != nil && t.cmd.ProcessState.ExitCode() > 0 {
		t.tb.Fatalf("%v failed:\n%s", t.cmd.Args, &t.seen)
	}
}

// expect awaits a line of output that fits the pattern and returns it.
func (t *terminal) expect(pattern string) string {
	t.tb.Helper()
	fits := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(pattern, " ")), "…", ".*") + "$")
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-t.lines:
			if !ok {
				t.tb.Fatalf("the command ended without printing %q; it printed\n%s", pattern, &t.seen)
			}
			if fits.MatchString(strings.TrimRight(line, " ")) {
				return line
			}
		case <-deadline:
			t.tb.Fatalf("nothing printed fits %q; it printed\n%s", pattern, &t.seen)
		}
	}
}

func (t *terminal) interrupt() {
	if t.cmd == nil {
		return
	}
	_ = t.cmd.Process.Signal(syscall.SIGINT)
	t.waitForPrompt("^C")
}

var _ fmt.Stringer = (*lockedBuffer)(nil)
