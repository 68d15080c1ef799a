package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// ErrUnsupported says that a backend cannot do what a scenario asks for.
var ErrUnsupported = errors.New("chaos: this Redis cannot do that")

// A Backend is the Redis behind a fleet. Its methods are called by one
// goroutine at a time.
type Backend interface {
	// Kind says what it is, for people.
	Kind() string
	// URL is how an edge without a link reaches it.
	URL() string
	// Address is what a link connects to; no network means that links are not
	// possible, because Redis sends its clients elsewhere by itself.
	Address() (network, target string)
	// Client is the run's own connection.
	Client() *redis.Client

	// Pause freezes Redis, or one master, until Resume.
	Pause()
	Resume()
	// Kill ends it at once, Stop politely, until Restart.
	Kill()
	Stop()
	Restart()
	// FailsOver tells whether there are replicas that can take over.
	FailsOver() bool
	// FailOver has a replica take over from a master, and returns when it has.
	FailOver(ctx context.Context) error
	// CutSubscriptions ends all subscriptions.
	CutSubscriptions(ctx context.Context) error
	// Flush forgets everything.
	Flush(ctx context.Context) error

	Close() error
}

// forgetful is for how long before its death a master may have acknowledged
// what is not in its file yet: a second by its settings, and a moment more
// while it waits for a slow disk.
const forgetful = 3 * time.Second

// single is one Redis server.
type single struct {
	*redistest.Server
	client *redis.Client
	scope  *scope
}

// StartSingle starts one Redis server with the given number of partitions; 0
// means the usual one.
func StartSingle(ctx context.Context, partitions int) (b Backend, err error) {
	s := newScope(ctx)
	defer s.recover(&err)
	server := redistest.Start(s)
	c, err := redis.Open(ctx, redis.Options{URL: server.URL(), Partitions: partitions})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("chaos: %w", err), s.close())
	}
	return &single{Server: server, client: c, scope: s}, nil
}

func (b *single) Kind() string          { return "a single Redis" }
func (b *single) Client() *redis.Client { return b.client }

func (b *single) Address() (network, target string) { return "unix", b.URL()[len("unix://"):] }

func (b *single) FailsOver() bool { return false }

func (b *single) FailOver(context.Context) error { return ErrUnsupported }

func (b *single) CutSubscriptions(ctx context.Context) error {
	return b.client.Raw().Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err()
}

func (b *single) Flush(ctx context.Context) error { return b.client.Raw().FlushAll(ctx).Err() }

func (b *single) Close() error {
	return errors.Join(b.client.Close(), b.scope.close())
}
