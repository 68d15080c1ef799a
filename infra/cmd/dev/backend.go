package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/infra/provision"
	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// redisReadyWithin bounds Redis's start; it loads its file first.
	redisReadyWithin = 2 * time.Minute

	// redisPatience is how long Redis may take to write its file and end.
	redisPatience = 30 * time.Second

	// longestSocket is what every system accepts as the path of a unix socket.
	longestSocket = 100
)

// A backend is the Redis behind the edge, real or imitated.
type backend struct {
	url     string
	durable bool            // the next run finds the data
	ended   <-chan struct{} // closed when it ended by itself; nil if it cannot
	exit    func() error    // how
	stop    func() error
}

// startBackend starts a real Redis if one can be had, and its imitation
// otherwise.
func (o *options) startBackend(ctx context.Context) (*backend, error) {
	if o.embedded {
		return o.startEmbedded("-embedded was given")
	}
	server, err := provision.Ensure(ctx, o.stderr)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && os.Getenv(provision.Override) != "":
		return nil, err // asked for this one, so no other will do
	case err != nil:
		return o.startEmbedded(err.Error())
	}
	return o.startRedis(ctx, server)
}

func (o *options) startRedis(ctx context.Context, server string) (*backend, error) {
	alone, err := o.awaitOrphan(ctx)
	if err != nil {
		return nil, err
	}
	defer alone.Close() // the child has its own descriptor
	socket, tidy, err := o.socket()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(o.data, "redis.log"))
	if err != nil {
		return nil, errors.Join(err, tidy())
	}
	defer log.Close() // here as well

	cmd := exec.Command(server, "-")
	cmd.Stdin = strings.NewReader(redis.Conf + fmt.Sprintf(
		"\nport 0\nunixsocket %s\nunixsocketperm 700\ndir %s\n", quote(socket), quote(o.data)))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{alone}
	// An orphaned Redis still writes its file.
	process, err := start("redis", cmd, syscall.SIGTERM)
	if err != nil {
		return nil, errors.Join(err, tidy())
	}
	b := &backend{
		url: (&url.URL{Scheme: "unix", Path: socket}).String(), durable: true, ended: process.ended,
		exit: func() error { return fmt.Errorf("%w\n%s", process.exit(), tail(log.Name())) },
		stop: func() error {
			// Even in a hurry: killing it could lose the last second.
			return errors.Join(process.stop(context.WithoutCancel(ctx), redisPatience), tidy())
		},
	}
	if err := b.answers(ctx); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return b, nil
}

// awaitOrphan returns a file whose lock Redis holds by inheriting it, for as
// long as it lives. A run that is killed leaves its own lock at once, but its
// Redis still writes its file, and removes the socket when it ends: a second
// one beside it would ruin the one and lose the other.
func (o *options) awaitOrphan(ctx context.Context) (*os.File, error) {
	alone, err := os.OpenFile(filepath.Join(o.data, "redis.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	late := time.After(redisPatience)
	for told := false; ; {
		switch held, err := lock(alone); {
		case err != nil:
			return nil, errors.Join(fmt.Errorf("lock the data directory: %w", err), alone.Close())
		case held:
			return alone, nil
		case !told:
			told = true
			fmt.Fprintln(o.stderr, "dev: the Redis of a run that was killed still writes its file; waiting for it")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), alone.Close())
		case <-late:
			return nil, errors.Join(fmt.Errorf(
				"the Redis of an earlier run still uses %s\nhint: end that redis-server, or choose another directory: %s", o.data, elsewhere),
				alone.Close())
		}
	}
}

// socket chooses the path of Redis's socket: below the data directory, or in a
// temporary one where that path is too long for the system.
func (o *options) socket() (path string, tidy func() error, err error) {
	path = filepath.Join(o.data, "redis.sock")
	if len(path) <= longestSocket {
		return path, func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "claudemesh-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, "redis.sock"), func() error { return os.RemoveAll(dir) }, nil
}

// answers returns nil when the server does.
func (b *backend) answers(ctx context.Context) error {
	opt, err := goredis.ParseURL(b.url)
	if err != nil {
		return err
	}
	opt.MaxRetries, opt.DisableIdentity = -1, true
	rdb := goredis.NewClient(opt)
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(ctx, redisReadyWithin)
	defer cancel()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for rdb.Ping(ctx).Err() != nil {
		select {
		case <-ticker.C:
		case <-b.ended:
			return fmt.Errorf("redis does not start: %w", b.exit())
		case <-ctx.Done():
			return fmt.Errorf("redis does not answer: %w", ctx.Err())
		}
	}
	return nil
}

// startEmbedded starts the imitation. It has a password because, unlike the
// socket, its port is open to everybody on this machine.
func (o *options) startEmbedded(why string) (*backend, error) {
	password := rand.Text()
	m := miniredis.NewMiniRedis()
	m.RequireAuth(password)
	m.ClockTTL(true) // its keys do not expire by themselves otherwise
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	fmt.Fprintf(o.stderr, "\n%s\n\n  NOTHING SURVIVES A RESTART: meshes, members and waiting messages are kept\n"+
		"  in memory only, by an imitation of Redis inside this process.\n\n  %s\n%[1]s\n\n",
		strings.Repeat("!", 78), strings.ReplaceAll(why, "\n", "\n  "))
	return &backend{
		url:  "redis://:" + password + "@" + m.Addr(),
		stop: func() error { m.Close(); return nil },
	}, nil
}

// quote writes s as one argument of redis.conf.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// tail returns the last lines of Redis's log, which say why it ended.
func tail(path string) string {
	const most = 8
	out, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return "redis: " + strings.Join(lines[max(0, len(lines)-most):], "\nredis: ")
}
