package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// probeEvery is how often a subscription is asked whether it hears itself.
	// A subscription can go deaf without an error; two probes unheard end it,
	// soon enough that a ban reaches a deaf edge within 5 s.
	probeEvery = time.Second

	// redialAfter is the longest wait between two attempts to subscribe.
	redialAfter = time.Second

	// channelsPerCommand bounds one SUBSCRIBE, so that a full edge does not
	// block Redis when it comes back.
	channelsPerCommand = 200

	// refreshWithin is about how long it takes to learn who owns a slot now.
	refreshWithin = 20 * time.Millisecond

	// fleetBell is where edges hear what concerns all of them.
	fleetBell = "bell:fleet"
)

var (
	errDeaf = errors.New("edge: subscription hears nothing")
	errIdle = errors.New("edge: subscription is not needed")
)

// A bus is this edge's subscriptions, one for each Redis node that owns
// something it listens to. What it hears are hints: whatever must not be lost
// is in Redis first, and every silence ends with the meshes being read from
// there.
type bus struct {
	// Fixed.
	redis *redis.Client
	edge  string
	log   *slog.Logger
	probe time.Duration
	deaf  interface{ Inc() } // counts resubscriptions

	// Called by the goroutines that receive, one for each node; must not block.
	hear     func(channel, message string)
	regained func(channel string) // heard again: something may have been missed

	moved chan struct{} // topics wait for a node; never closed
	doubt atomic.Bool   // topics may be with the wrong one

	mu     sync.Mutex
	lines  map[string]*line // by the node's address
	topics map[string]*topic
	astray map[string]*topic // those without a line
}

// A topic is one channel that somebody listens to, or has just ceased to.
type topic struct {
	users int
	line  *line         // whose node owns it, nil while that is not known
	sent  bool          // it was subscribed to on that line
	ready chan struct{} // closed once Redis has confirmed; replaced when the subscription is lost
	done  bool          // ready is closed
	lost  bool          // it was heard before
}

// silenced takes note that a topic may not be heard.
func (t *topic) silenced() {
	if t.done {
		t.ready, t.done, t.lost = make(chan struct{}), false, true
	}
}

func newBus(c *redis.Client, edge string, log *slog.Logger) *bus {
	b := &bus{
		redis: c, edge: edge, log: log, probe: probeEvery,
		moved: make(chan struct{}, 1), lines: map[string]*line{}, topics: map[string]*topic{}, astray: map[string]*topic{},
	}
	b.use([]string{b.own(), fleetBell})
	return b
}

// own is the channel on which this edge hears itself.
func (b *bus) own() string { return "bell:edge:" + b.edge }

// Run listens until ctx is done.
func (b *bus) Run(ctx context.Context) error {
	var lines sync.WaitGroup
	defer lines.Wait()
	tick := time.NewTicker(b.probe)
	defer tick.Stop()
	for {
		b.mu.Lock()
		fresh := b.placeLocked(ctx, b.astray)
		b.mu.Unlock()
		for _, l := range fresh {
			lines.Go(func() { b.keep(ctx, l) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.moved:
			if b.doubt.Swap(false) {
				b.strand(ctx)
			}
		case <-tick.C:
			b.strand(ctx)
		}
	}
}

// strand takes topics from lines whose nodes do not own them any more: slots
// may have moved without a word.
func (b *bus) strand(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	homes := homes{bus: b, byTag: map[string]*redis.Node{}}
	for channel, t := range b.topics {
		if t.line == nil {
			continue
		}
		if home := homes.of(ctx, channel); home != nil && home.Addr != t.line.addr {
			b.moveLocked(channel, t, nil)
		}
	}
}

// placeLocked gives topics to the nodes that own them, and returns the lines
// that are new.
func (b *bus) placeLocked(ctx context.Context, topics map[string]*topic) (fresh []*line) {
	homes := homes{bus: b, byTag: map[string]*redis.Node{}}
	for channel, t := range topics {
		home := homes.of(ctx, channel)
		if home == nil {
			continue // at the next tick
		}
		l := b.lines[home.Addr]
		if l == nil {
			l = newLine(b, *home)
			b.lines[home.Addr] = l
			fresh = append(fresh, l)
		}
		l.node = *home
		b.moveLocked(channel, t, l)
	}
	return fresh
}

// homes remembers, for the time of one look, which node owns which tag.
type homes struct {
	bus   *bus
	byTag map[string]*redis.Node
}

// of is the node on which channel is heard, or nil if that is not known.
func (h homes) of(ctx context.Context, channel string) *redis.Node {
	route := h.bus.routeOf(channel)
	tag := redis.TagOf(route)
	if home, known := h.byTag[tag]; known {
		return home
	}
	var found *redis.Node
	if home, err := h.bus.redis.Home(ctx, route); err == nil {
		found = &home
	}
	h.byTag[tag] = found
	return found
}

// routeOf is the name that decides which node a channel is heard on. Those that
// reach a whole cluster can be heard on any, so they share one.
func (b *bus) routeOf(channel string) string {
	if b.redis.Sharded(channel) {
		return channel
	}
	return b.own()
}

// moveLocked takes a topic from its line, if it has one, to another. Nil
// leaves it astray.
func (b *bus) moveLocked(channel string, t *topic, to *line) {
	b.detachLocked(channel, t)
	t.line, t.sent = to, false
	t.silenced()
	if to == nil {
		b.astray[channel] = t
		return
	}
	delete(b.astray, channel)
	to.topics[channel] = t
	to.wake()
}

// detachLocked has a topic's line listen to it no longer.
func (b *bus) detachLocked(channel string, t *topic) {
	l := t.line
	if l == nil {
		return
	}
	delete(l.topics, channel)
	if t.sent {
		l.drop = append(l.drop, channel)
		l.wake()
	}
}

// keep holds a line until ctx is done or its node owns nothing that is listened
// to.
func (b *bus) keep(ctx context.Context, l *line) {
	for ctx.Err() == nil && !b.closeIdle(l) {
		err := l.listen(ctx)
		if ctx.Err() != nil || b.closeIdle(l) {
			return
		}
		b.log.WarnContext(ctx, "subscription lost", "node", l.addr, "err", err)
		b.deaf.Inc()
		b.pokeLater(ctx) // perhaps another node has taken over
		wait(ctx, spread(redialAfter))
	}
}

// closeIdle forgets a line without topics.
func (b *bus) closeIdle(l *line) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(l.topics) > 0 {
		return false
	}
	delete(b.lines, l.addr)
	return true
}

// pokeLater has topics placed when the map of slots has been read again.
func (b *bus) pokeLater(ctx context.Context) {
	b.redis.Refresh(ctx)
	b.doubt.Store(true)
	time.AfterFunc(refreshWithin, b.poke)
}

// poke has topics placed soon.
func (b *bus) poke() {
	select {
	case b.moved <- struct{}{}:
	default: // it will happen anyway
	}
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

// say publishes a message.
func (b *bus) say(ctx context.Context, channel, message string) error {
	if err := b.redis.Publish(ctx, channel, message); err != nil {
		return fmt.Errorf("edge: publish: %w", err)
	}
	return nil
}

// join starts to listen to channels and returns when they are heard.
func (b *bus) join(ctx context.Context, channels ...string) error {
	b.use(channels)
	for _, channel := range channels {
		b.mu.Lock()
		ready := b.topics[channel].ready
		b.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			b.leave(channels...)
			return fmt.Errorf("edge: subscribe: %w", ctx.Err())
		}
	}
	return nil
}

// use counts a user of each channel and has those that are new subscribed to.
func (b *bus) use(channels []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, channel := range channels {
		t := b.topics[channel]
		if t == nil {
			t = &topic{ready: make(chan struct{})}
			b.topics[channel], b.astray[channel] = t, t
		}
		t.users++
	}
	b.poke()
}

// leave ends one use of each channel.
func (b *bus) leave(channels ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, channel := range channels {
		t := b.topics[channel]
		if t == nil {
			continue
		}
		if t.users--; t.users > 0 {
			continue
		}
		delete(b.topics, channel)
		delete(b.astray, channel)
		b.detachLocked(channel, t)
	}
}
