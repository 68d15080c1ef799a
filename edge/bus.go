package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// probeEvery is how often the subscription is asked whether it hears
	// itself. A subscription can go deaf without an error; two probes unheard
	// end it, soon enough that a ban reaches a deaf edge within 5 s.
	probeEvery = time.Second

	// redialAfter is the longest wait between two attempts to subscribe.
	redialAfter = time.Second

	// channelsPerCommand bounds one SUBSCRIBE, so that a full edge does not
	// block Redis when it comes back.
	channelsPerCommand = 200

	// fleetBell is where edges hear what concerns all of them.
	fleetBell = "bell:fleet"
)

var errDeaf = errors.New("edge: subscription hears nothing")

// A bus is this edge's one subscription. What it hears are hints: whatever
// must not be lost is in Redis first, and every silence ends with the meshes
// being read from there.
type bus struct {
	// Fixed.
	redis *redis.Client
	edge  string
	log   *slog.Logger
	probe time.Duration
	deaf  interface{ Inc() } // counts resubscriptions

	// Called by the one goroutine that receives; must not block.
	hear     func(channel, message string)
	regained func(channel string) // heard again: something may have been missed

	heard atomic.Int64 // nanoseconds: when anything was last heard

	// order is held while a command is sent, so that Redis sees joins and
	// leaves of a channel in our order.
	order sync.Mutex

	mu     sync.Mutex
	sub    *goredis.PubSub
	topics map[string]*topic
}

// A topic is one channel that somebody listens to.
type topic struct {
	users int
	ready chan struct{} // closed once Redis has confirmed; replaced when the subscription is lost
	done  bool          // ready is closed
	lost  bool          // it was heard before
}

func newBus(c *redis.Client, edge string, log *slog.Logger) *bus {
	b := &bus{redis: c, edge: edge, log: log, probe: probeEvery, topics: map[string]*topic{}}
	for _, channel := range []string{b.own(), fleetBell} {
		b.topics[channel] = &topic{users: 1, ready: make(chan struct{})}
	}
	return b
}

// own is the channel on which this edge hears itself.
func (b *bus) own() string { return "bell:edge:" + b.edge }

// Run listens until ctx is done.
func (b *bus) Run(ctx context.Context) error {
	for first := true; ctx.Err() == nil; first = false {
		if !first {
			b.deaf.Inc()
			wait(ctx, rand.N(redialAfter))
		}
		if err := b.listen(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "subscription lost", "err", err)
		}
	}
	return nil
}

// wait returns after d, or when ctx is done.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// listen is the life of one subscription. It ends with an error.
func (b *bus) listen(ctx context.Context) error {
	sub, err := b.open(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.receive(ctx, sub) })
	g.Go(func() error { return b.watch(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		return b.lose(sub)
	})
	return g.Wait()
}

// open subscribes to everything anew.
func (b *bus) open(ctx context.Context) (*goredis.PubSub, error) {
	sub := b.redis.Raw().Subscribe(ctx)
	b.mu.Lock()
	b.sub = sub
	channels := make([]string, 0, len(b.topics))
	for channel := range b.topics {
		channels = append(channels, channel)
	}
	b.mu.Unlock()
	b.heard.Store(time.Now().UnixNano())
	for len(channels) > 0 {
		n := min(len(channels), channelsPerCommand)
		if err := sub.Subscribe(ctx, channels[:n]...); err != nil {
			return nil, errors.Join(fmt.Errorf("edge: subscribe: %w", err), b.lose(sub))
		}
		channels = channels[n:]
	}
	return sub, nil
}

// lose forgets a subscription: nobody is ready any more.
func (b *bus) lose(sub *goredis.PubSub) error {
	b.mu.Lock()
	if b.sub == sub {
		b.sub = nil
	}
	for _, t := range b.topics {
		if t.done {
			t.ready, t.done, t.lost = make(chan struct{}), false, true
		}
	}
	b.mu.Unlock()
	return sub.Close()
}

func (b *bus) receive(ctx context.Context, sub *goredis.PubSub) error {
	for {
		msg, err := sub.Receive(ctx)
		if err != nil {
			return fmt.Errorf("edge: listen: %w", err)
		}
		b.heard.Store(time.Now().UnixNano())
		switch m := msg.(type) {
		case *goredis.Subscription:
			b.confirm(m)
		case *goredis.Message:
			if m.Channel != b.own() {
				b.hear(m.Channel, m.Payload)
			}
		}
	}
}

// confirm marks a topic as heard from now on.
func (b *bus) confirm(m *goredis.Subscription) {
	if m.Kind != "subscribe" {
		return
	}
	b.mu.Lock()
	t := b.topics[m.Channel]
	again := false
	if t != nil && !t.done {
		again, t.done, t.lost = t.lost, true, false
		close(t.ready)
	}
	b.mu.Unlock()
	if again {
		b.regained(m.Channel)
	}
}

// watch talks to itself, and ends when it hears nothing.
func (b *bus) watch(ctx context.Context) error {
	tick := time.NewTicker(b.probe)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if silent := time.Since(time.Unix(0, b.heard.Load())); silent > 2*b.probe {
			return errDeaf
		}
		if err := b.say(ctx, b.own(), "probe"); err != nil {
			b.log.DebugContext(ctx, "probe", "err", err)
		}
	}
}

// say publishes a message.
func (b *bus) say(ctx context.Context, channel, message string) error {
	return b.redis.Do(ctx, "PUBLISH", channel, message).Err()
}

// join starts to listen to channels and returns when they are heard.
func (b *bus) join(ctx context.Context, channels ...string) error {
	if err := b.use(ctx, channels); err != nil {
		return errors.Join(err, b.leave(ctx, channels...))
	}
	for _, channel := range channels {
		b.mu.Lock()
		ready := b.topics[channel].ready
		b.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			err := fmt.Errorf("edge: subscribe: %w", ctx.Err())
			return errors.Join(err, b.leave(context.WithoutCancel(ctx), channels...))
		}
	}
	return nil
}

// use counts a user of each channel and subscribes to those that are new.
func (b *bus) use(ctx context.Context, channels []string) error {
	b.order.Lock()
	defer b.order.Unlock()
	var fresh []string
	b.mu.Lock()
	for _, channel := range channels {
		t := b.topics[channel]
		if t == nil {
			t = &topic{ready: make(chan struct{})}
			b.topics[channel] = t
			fresh = append(fresh, channel)
		}
		t.users++
	}
	sub := b.sub
	b.mu.Unlock()
	if sub == nil || len(fresh) == 0 {
		return nil // open will subscribe to it
	}
	if err := sub.Subscribe(ctx, fresh...); err != nil {
		return fmt.Errorf("edge: subscribe: %w", err)
	}
	return nil
}

// leave ends one use of each channel.
func (b *bus) leave(ctx context.Context, channels ...string) error {
	b.order.Lock()
	defer b.order.Unlock()
	var idle []string
	b.mu.Lock()
	for _, channel := range channels {
		if t := b.topics[channel]; t != nil {
			if t.users--; t.users == 0 {
				delete(b.topics, channel)
				idle = append(idle, channel)
			}
		}
	}
	sub := b.sub
	b.mu.Unlock()
	if sub == nil || len(idle) == 0 {
		return nil
	}
	if err := sub.Unsubscribe(ctx, idle...); err != nil {
		return fmt.Errorf("edge: unsubscribe: %w", err)
	}
	return nil
}
