package commons

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/time/rate"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// A member's changes to what the mesh shares are bounded like its messages,
// but more generously.
const (
	changesPerMinute = 600
	changesBurst     = 200
)

// Options are the rooms that the commons stand on.
type Options struct {
	Redis    *redis.Client
	Presence *presence.Store
	Queue    *queue.Queue
	Registry *registry.Store

	// PublicURL is where the edge is reached from outside, for addresses that
	// are handed out.
	PublicURL string

	// Rank is how many edges come before this one in a partition. They are
	// given a moment to do what is due. Nil means none.
	Rank func(partition int) int

	// Tell publishes a message to all edges, which hand it to [Commons.Heard].
	// Nil means that this is the only one.
	Tell func(ctx context.Context, message string) error

	// Listen gives the journal of a mesh from now on, in order. The channel is
	// closed when the listener is too slow; stop must be called in any case.
	Listen func(ctx context.Context, mesh string) (entries <-chan queue.JournalEntry, stop func(), err error)

	// Watch configures what URL watches may reach.
	Watch WatchOptions

	// Log receives what an operator should know; nil discards it.
	Log *slog.Logger
}

// Commons serves all families. It is safe for concurrent use.
type Commons struct {
	redis    *redis.Client
	presence *presence.Store
	queue    *queue.Queue
	registry *registry.Store
	opt      Options
	log      *slog.Logger

	audiences *audiences // streams of server-sent events
	budgets   *budgets   // of what is read

	table table
	jobs  map[string]job // by the name of their shelf
	wake  chan wakeup

	fetcher *fetcher // looks at what is watched

	// What families do when a peer has left that owned something, when any
	// peer has left, and when one could not be told.
	left   []func(context.Context, presence.Left) error
	gone   []func(context.Context, presence.Left) error
	missed []func(ctx context.Context, mesh, ref string) error
}

// Caller is a peer that asks, as its edge knows it.
type Caller struct {
	Peer       presence.Peer
	Generation string
	Lease      queue.Lease
	Key        string          // shown to others: session key if there is one, else member key
	Hello      bool            // it said hello, not session_hello
	OneShot    bool            // it came for one command, and its leaving means nothing
	Member     registry.Member // as it was at hello: for its role, see isAdmin
	Name       string          // as shown to others
	Groups     []wire.Group

	// Reply sends a frame to the caller, for requests with several answers.
	Reply func(wire.Message)
}

// New builds the commons.
func New(o Options) *Commons {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rank == nil {
		o.Rank = func(int) int { return 0 }
	}
	if o.Tell == nil {
		o.Tell = func(context.Context, string) error { return nil }
	}
	s := &Commons{
		redis: o.Redis, presence: o.Presence, queue: o.Queue, registry: o.Registry, opt: o, log: o.Log,
		audiences: newAudiences(), budgets: &budgets{of: map[string]*rate.Limiter{}}, table: table{}, jobs: map[string]job{}, wake: make(chan wakeup, 256),
		fetcher: newFetcher(o.Watch),
	}
	s.register()
	return s
}

// Serves reports whether a frame of a peer is answered here, and not by a
// refusal because it is for later.
func (s *Commons) Serves(t wire.Type) bool { return s.table[t] != nil }

// Handle answers a request. It reports false for a frame of no family here. An
// error is [queue.ErrLost] or a failure of Redis; a refusal is a reply. A reply
// may be nil: some requests are not answered.
func (s *Commons) Handle(ctx context.Context, who *Caller, m wire.Message) (reply wire.Message, handled bool, err error) {
	if later, ok := m.(*wire.Later); ok {
		return later.Answer(), true, nil
	}
	h, ok := s.table[m.FrameType()]
	if !ok {
		return nil, false, nil
	}
	ctx, spend, err := s.metered(ctx, who, m.FrameType())
	if err == nil {
		reply, err = h(ctx, who, m)
		spend()
	}
	request, asks := m.(wire.Request) // what answers another peer asks for nothing
	var refused *Refusal
	switch {
	case errors.Is(err, errLater):
		return nil, true, nil
	case errors.As(err, &refused) && asks:
		return wire.Refuse(request, refused.Code, refused.Message), true, nil
	case errors.As(err, &refused):
		return &wire.ErrorFrame{Code: refused.Code, Message: refused.Message}, true, nil
	case err == nil && reply == nil && asks && request.RequestID() != "":
		reply = &wire.OK{ReqID: request.RequestID()}
	}
	return reply, true, err
}

// Arrived is called when a peer has said hello that was not here before.
func (s *Commons) Arrived(ctx context.Context, who *Caller) error { return s.restoreServers(ctx, who) }

// Left cleans up what a peer owned, up to the generation that left. It can be
// repeated.
func (s *Commons) Left(ctx context.Context, l presence.Left) error {
	var errs []error
	for _, f := range s.gone {
		errs = append(errs, f(ctx, l))
	}
	return errors.Join(append(errs, s.disown(ctx, l))...)
}

// Missed is called when a frame that was told with a reference found its peer
// away.
func (s *Commons) Missed(ctx context.Context, mesh, ref string) error {
	var errs []error
	for _, f := range s.missed {
		errs = append(errs, f(ctx, mesh, ref))
	}
	return errors.Join(errs...)
}

// A table says who answers which frame.
type table map[wire.Type]func(context.Context, *Caller, wire.Message) (wire.Message, error)

// on registers the handler of one frame.
func on[T any, M interface {
	*T
	wire.Message
}](t table, f func(context.Context, *Caller, M) (wire.Message, error)) {
	t[M(new(T)).FrameType()] = func(ctx context.Context, who *Caller, m wire.Message) (wire.Message, error) {
		return f(ctx, who, m.(M))
	}
}
