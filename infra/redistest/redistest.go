package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/infra/provision"
	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// Partitions is the number of partitions in tests: few, so that sweeping
	// them all is quick, and more than one, so that tags matter.
	Partitions = 8

	startWithin = 20 * time.Second
	stopWithin  = 20 * time.Second

	// installWithin bounds the download of a server where none is installed.
	installWithin = 5 * time.Minute
)

// Server is a running redis-server of one test.
type Server struct {
	*process
	tb    testing.TB
	dir   string
	extra string
}

// Start starts a server with the production configuration and, behind it, the
// given lines of redis.conf. It stops when the test ends.
func Start(tb testing.TB, conf ...string) *Server {
	tb.Helper()
	// Socket paths are limited to some 100 bytes, which t.TempDir may exceed.
	dir, err := os.MkdirTemp("", "rt")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, dir: dir, extra: strings.Join(conf, "\n")}
	s.launch()
	tb.Cleanup(func() {
		s.Stop()
		_ = os.RemoveAll(dir)
	})
	return s
}

// URL is the server's address.
func (s *Server) URL() string { return "unix://" + s.socket() }

func (s *Server) socket() string { return filepath.Join(s.dir, "s") }

// Dir is the server's data directory.
func (s *Server) Dir() string { return s.dir }

// Client connects to the server; the connection ends with the test.
func (s *Server) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	return Connect(tb, s.URL())
}

// Connect connects to a server or cluster of a test; the connection ends with
// the test.
func Connect(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startWithin)
	defer cancel()
	c, err := redis.Open(ctx, redis.Options{URL: url, Partitions: Partitions})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *Server) launch() {
	s.tb.Helper()
	s.process = begin(s.tb, redis.Conf+fmt.Sprintf(
		"\nport 0\nunixsocket %s\ndir %s\nloglevel warning\n%s\n", s.socket(), s.dir, s.extra))
	s.await()
}

// await returns when the server answers.
func (s *Server) await() {
	s.tb.Helper()
	rdb := goredis.NewClient(&goredis.Options{Network: "unix", Addr: s.socket(), MaxRetries: -1, DisableIdentity: true})
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.tb.Context()), startWithin)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for rdb.Ping(ctx).Err() != nil {
		select {
		case <-tick.C:
		case <-s.done:
			s.tb.Fatalf("redistest: server ended at once:\n%s", s.output.String())
		case <-ctx.Done():
			s.tb.Fatal("redistest: server does not answer")
		}
	}
}

// Stop ends the server as an operator would, with its data saved. Stopping a
// stopped server does nothing.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server at once.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Restart starts a stopped or killed server again, on the same data and the
// same socket.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	if err := os.Remove(s.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.tb.Fatal(err)
	}
	s.launch()
}

// Pause freezes the process, as a host that stalls does: connections stay open
// and nothing answers.
func (s *Server) Pause() { s.signal(s.tb, syscall.SIGSTOP) }

// Resume ends a [Server.Pause].
func (s *Server) Resume() { s.signal(s.tb, syscall.SIGCONT) }

// found is where the server is, so that the tests of a package look once.
var found struct {
	mu   sync.Mutex
	path string
}

// serverPath finds a server, or installs one.
func serverPath(tb testing.TB) string {
	tb.Helper()
	found.mu.Lock()
	defer found.mu.Unlock()
	if found.path != "" {
		return found.path
	}
	// The next test profits from what this one began.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), installWithin)
	defer cancel()
	path, err := provision.Ensure(ctx, os.Stderr)
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	found.path = path
	return path
}
