package e2e

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A job is a program that a script runs in the background.
type job struct {
	cmd            *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *transcript
	ended          chan struct{}
}

// A transcript is what a job has printed. Whoever waits for a line takes those
// before it away, so that the next one he waits for is a later one.
type transcript struct {
	mu      sync.Mutex
	text    string
	read    int           // of text, up to the line last waited for
	changed chan struct{} // closed, and another one made, with each change
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{})} }

// Write implements io.Writer.
func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text += string(b)
	close(t.changed)
	t.changed = make(chan struct{})
	return len(b), nil
}

func (t *transcript) all() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text
}

// next returns the next whole line that matches, and what tells of changes.
func (t *transcript) next(pattern *regexp.Regexp) (line string, found bool, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.read
	for line := range strings.Lines(t.text[t.read:]) {
		at += len(line)
		if strings.HasSuffix(line, "\n") && pattern.MatchString(strings.TrimSuffix(line, "\n")) {
			t.read = at
			return line, true, nil
		}
	}
	return "", false, t.changed
}

// scriptStart starts a program under a name: start NAME PROGRAM ARGUMENT...
func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) >= 2, "start NAME PROGRAM [ARGUMENT...]")
	s := onStage(ts)
	program := args[1]
	if program == "claudemesh" {
		program = bin(s.env.T().(testing.TB), program)
	}
	j := &job{cmd: exec.Command(program, args[2:]...), stdout: newTranscript(), stderr: newTranscript(), ended: make(chan struct{})}
	j.cmd.Dir, j.cmd.Env = ts.MkAbs("."), s.environ(ts)
	j.cmd.Stdout, j.cmd.Stderr = j.stdout, j.stderr
	var err error
	j.stdin, err = j.cmd.StdinPipe()
	ts.Check(err)
	ts.Check(j.cmd.Start())
	s.jobs[args[0]] = j
	go func() {
		_ = j.cmd.Wait()
		close(j.ended)
	}()
}

// scriptListen is claudemesh listen --json in the background, once it is there.
func scriptListen(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) >= 1, "listen NAME [ARGUMENT...]")
	scriptStart(ts, false, append([]string{args[0], "claudemesh", "listen", "--json"}, args[1:]...))
	scriptAwait(ts, false, []string{args[0], `"event":"ready"`})
}

// scriptAwait waits for a line of a job, which then is what was printed last.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	errs := len(args) == 3 && args[0] == "-err"
	if errs {
		args = args[1:]
	}
	want(ts, !neg && len(args) == 2, "await [-err] NAME PATTERN")
	j := theJob(ts, args[0])
	from, pattern := j.stdout, regexp.MustCompile(args[1])
	if errs {
		from = j.stderr
	}
	deadline := time.After(patience)
	for over := false; ; {
		line, found, changed := from.next(pattern)
		if found {
			_, err := io.WriteString(ts.Stdout(), line)
			ts.Check(err)
			return
		}
		if over {
			ts.Fatalf("%s ended without %q:\n%s%s", args[0], args[1], j.stdout.all(), j.stderr.all())
		}
		select {
		case <-changed:
		case <-j.ended:
			over = true // its last words are there now
		case <-deadline:
			ts.Fatalf("%s did not print %q:\n%s%s", args[0], args[1], j.stdout.all(), j.stderr.all())
		}
	}
}

// scriptSay writes a line to a job's stdin.
func scriptSay(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "say NAME LINE")
	_, err := io.WriteString(theJob(ts, args[0]).stdin, args[1]+"\n")
	ts.Check(err)
}

// scriptUnseen fails if a job has printed something until now.
func scriptUnseen(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "unseen NAME PATTERN")
	if m := regexp.MustCompile(args[1]).FindString(theJob(ts, args[0]).stdout.all()); m != "" {
		ts.Fatalf("%s has printed %q", args[0], m)
	}
}

// scriptSignal tells a job to end: INT as Ctrl-C does, TERM, KILL, or EOF on
// its stdin.
func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "signal NAME INT|TERM|KILL|EOF")
	j := theJob(ts, args[0])
	if args[1] == "EOF" {
		ts.Check(j.stdin.Close())
		return
	}
	sig, ok := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}[args[1]]
	want(ts, ok, "signal NAME INT|TERM|KILL|EOF")
	ts.Check(j.cmd.Process.Signal(sig))
}

// scriptEnded waits for a job's end, with that exit code. What it printed is
// what was printed last.
func scriptEnded(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "ended NAME CODE")
	code, err := strconv.Atoi(args[1])
	ts.Check(err)
	j := theJob(ts, args[0])
	select {
	case <-j.ended:
	case <-time.After(patience):
		ts.Fatalf("%s does not end:\n%s%s", args[0], j.stdout.all(), j.stderr.all())
	}
	_, err = io.WriteString(ts.Stdout(), j.stdout.all())
	ts.Check(err)
	_, err = io.WriteString(ts.Stderr(), j.stderr.all())
	ts.Check(err)
	if got := j.cmd.ProcessState.ExitCode(); got != code {
		ts.Fatalf("%s ended with %d, want %d", args[0], got, code)
	}
}

func theJob(ts *testscript.TestScript, name string) *job {
	j := onStage(ts).jobs[name]
	if j == nil {
		ts.Fatalf("nothing called %s was started", name)
	}
	return j
}

func (s *stage) endAll(tb testing.TB) {
	for name, j := range s.jobs {
		_ = j.cmd.Process.Signal(os.Interrupt)
		select {
		case <-j.ended:
		case <-time.After(patience):
			_ = j.cmd.Process.Kill()
			<-j.ended
			tb.Errorf("%s did not end", name)
		}
	}
}

type gateMode int

const (
	gateOpen gateMode = iota
	gateShut
	gateSilent
)

// A gate is the way of one script to the edge that all share. It can be shut
// without anybody else losing theirs.
type gate struct {
	ln     net.Listener
	target string
	called chan struct{} // somebody came while it was silent
	wg     sync.WaitGroup

	mu    sync.Mutex
	mode  gateMode
	conns map[net.Conn]bool
}

func openGate(target string) (*gate, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{ln: ln, target: target, called: make(chan struct{}, 1), conns: make(map[net.Conn]bool)}
	g.wg.Go(g.accept)
	return g, nil
}

func (g *gate) addr() string { return g.ln.Addr().String() }

func (g *gate) accept() {
	for {
		conn, err := g.ln.Accept()
		if err != nil {
			return
		}
		g.take(conn)
	}
}

func (g *gate) take(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.mode {
	case gateShut:
		_ = conn.Close()
	case gateSilent:
		g.conns[conn] = true
		select {
		case g.called <- struct{}{}:
		default:
		}
	default:
		edge, err := net.Dial("tcp", g.target)
		if err != nil {
			_ = conn.Close()
			return
		}
		g.conns[conn], g.conns[edge] = true, true
		g.wg.Go(func() { g.forward(conn, edge) })
		g.wg.Go(func() { g.forward(edge, conn) })
	}
}

func (g *gate) forward(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, to)
	delete(g.conns, from)
	_ = errors.Join(to.Close(), from.Close())
}

// set changes the mode. What was connected is cut.
func (g *gate) set(mode gateMode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode = mode
	for c := range g.conns {
		_ = c.Close()
	}
	clear(g.conns)
}

func (g *gate) close() {
	_ = g.ln.Close()
	g.set(gateShut)
	g.wg.Wait()
}
