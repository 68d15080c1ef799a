package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Override is the environment variable that names the server to use.
const Override = "CLAUDEMESH_REDIS_SERVER"

const (
	// within bounds a whole installation, an index update on a slow line
	// included.
	within = 6 * time.Minute

	// lockPoll is how often a process looks whether another has finished
	// installing.
	lockPoll = 200 * time.Millisecond
)

// ErrNone says that there is no usable server and that none could be
// installed. Its text tells what was tried and what a person can do.
var ErrNone = errors.New("provision: no redis-server or valkey-server")

// Find returns the path of a usable server, or an error that wraps [ErrNone].
// It changes nothing.
func Find(ctx context.Context) (string, error) {
	return thisMachine(io.Discard).find(ctx)
}

// Ensure returns the path of a usable server, after installing one if need be.
// It tells say what it does, a line for each step, and nothing when a server is
// there already.
func Ensure(ctx context.Context, say io.Writer) (string, error) {
	return thisMachine(say).ensure(ctx)
}

// A machine is what provisioning may look at and change.
type machine struct {
	override string   // the server to use whatever else there is
	dirs     []string // where programs are looked for, in order
	cache    string   // our own directory; "" if the user has none
	root     bool
	say      io.Writer
}

func thisMachine(say io.Writer) *machine {
	m := &machine{
		override: os.Getenv(Override),
		dirs:     append(filepath.SplitList(os.Getenv("PATH")), usualDirs...),
		root:     os.Geteuid() == 0,
		say:      say,
	}
	if dir, err := os.UserCacheDir(); err == nil {
		m.cache = filepath.Join(dir, "claudemesh")
	}
	return m
}

func (m *machine) ensure(ctx context.Context) (string, error) {
	path, err := m.find(ctx)
	if err == nil || m.override != "" {
		return path, err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()

	unlock, err := m.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, err := m.find(ctx); err == nil {
		return path, nil // another process was faster
	}
	return m.install(ctx)
}

// install tries each way in turn and returns what the first success left.
func (m *machine) install(ctx context.Context) (string, error) {
	tried := []error{ErrNone}
	for _, w := range m.ways() {
		m.tell("no redis-server here; %s", w.what)
		err := w.run(ctx)
		if err == nil {
			var path string
			if path, err = m.find(ctx); err == nil {
				m.tell("using %s", path)
				return path, nil
			}
		}
		tried = append(tried, fmt.Errorf("%s: %w", w.what, err))
	}
	tried = append(tried, fmt.Errorf("hint: install Redis %d or newer by hand, or name a server in %s", minMajor, Override))
	return "", errors.Join(tried...)
}

// lock waits for whoever is installing now. Without a cache directory there is
// nowhere to agree on, and package managers have locks of their own.
func (m *machine) lock(ctx context.Context) (unlock func(), err error) {
	if m.cache == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(m.cache, 0o755); err != nil {
		return nil, fmt.Errorf("provision: cache: %w", err)
	}
	l := flock.New(filepath.Join(m.cache, "provision.lock"))
	if _, err := l.TryLockContext(ctx, lockPoll); err != nil {
		return nil, fmt.Errorf("provision: wait for another installation: %w", err)
	}
	return func() { _ = l.Close() }, nil
}

func (m *machine) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(m.say, "provision: "+format+"\n", args...)
}
