package e2e

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
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

// patience bounds every wait of this package. It is long because machines are
// shared; nothing waits for it to pass.
const patience = 60 * time.Second

// binaries builds the two programs once for all tests of the package.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "claudemesh-bin")
	if err != nil {
		return "", err
	}
	built.Store(&dir)
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./edge/cmd/edge", "./cli/cmd/claudemesh", "./infra/cmd/dev",
		"./functions/cmd/invite", "./functions/cmd/admin")
	cmd.Dir = repoRoot()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return dir, nil
})

func repoRoot() string {
	dir, _ := os.Getwd()
	return filepath.Dir(filepath.Dir(dir))
}

func bin(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := binaries()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// edgeProcess is a running edge of a test.
type edgeProcess struct {
	Addr string // host:port
	cmd  *exec.Cmd
	done chan struct{}
	log  *lockedBuffer
}

var listening = regexp.MustCompile(`(?:edge|function) listens".*"addr":"([^"]+)"`)

// startEdge starts bin/edge on a free port of the loopback address. env holds
// further NAME=value settings.
func startEdge(tb testing.TB, redis *redistest.Server, env ...string) *edgeProcess {
	tb.Helper()
	return startServer(tb, "edge", append([]string{
		"EDGE_ADDR=127.0.0.1:0", "EDGE_REDIS_URL=" + redis.URL(), "EDGE_DRAIN_WITHIN=1s",
	}, env...))
}

// startFunction starts bin/invite or bin/admin on a free port.
func startFunction(tb testing.TB, name string, redis *redistest.Server) *edgeProcess {
	tb.Helper()
	return startServer(tb, name, []string{"FUNCTIONS_ADDR=127.0.0.1:0", "FUNCTIONS_REDIS_URL=" + redis.URL(), "FUNCTIONS_PROXIES=1"})
}

func startServer(tb testing.TB, name string, env []string) *edgeProcess {
	tb.Helper()
	e := &edgeProcess{cmd: exec.Command(bin(tb, name)), done: make(chan struct{}), log: &lockedBuffer{}}
	e.cmd.Env = append(os.Environ(), env...)
	r, w := io.Pipe()
	e.cmd.Stdout, e.cmd.Stderr = w, w
	addr := make(chan string, 1)
	go e.read(r, addr)
	if err := e.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		_ = e.cmd.Wait()
		_ = w.Close()
		close(e.done)
	}()
	tb.Cleanup(func() { e.stop(tb) })
	select {
	case e.Addr = <-addr:
	case <-e.done:
		tb.Fatalf("edge ended at once:\n%s", e.log)
	case <-time.After(patience):
		tb.Fatalf("edge does not listen:\n%s", e.log)
	}
	return e
}

func (e *edgeProcess) read(r io.Reader, addr chan<- string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		e.log.WriteLine(lines.Text())
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			select {
			case addr <- m[1]:
			default:
			}
		}
	}
}

func (e *edgeProcess) stop(tb testing.TB) {
	tb.Helper()
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.done:
	case <-time.After(patience):
		_ = e.cmd.Process.Kill()
		tb.Errorf("edge did not stop:\n%s", e.log)
	}
}

// kill ends the edge as a power cut would.
func (e *edgeProcess) kill() {
	_ = e.cmd.Process.Kill()
	<-e.done
}

func (e *edgeProcess) wsURL() string   { return "ws://" + e.Addr + "/ws" }
func (e *edgeProcess) httpURL() string { return "http://" + e.Addr }

// lockedBuffer collects lines from several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) WriteLine(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.WriteString(s + "\n")
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually returns when check does not fail any more.
func eventually(tb testing.TB, check func() error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("still: %v", err)
		}
	}
}

var httpClient = &http.Client{Timeout: patience}
