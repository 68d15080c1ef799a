package edge

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// A line is the subscription connection to one Redis node. It is connected anew
// whenever it breaks, and has then missed something of each of its topics.
type line struct {
	bus    *bus
	addr   string        // of the node
	wanted chan struct{} // topics or drop have changed; never closed

	heard atomic.Int64 // nanoseconds: when anything was last heard

	// Guarded by bus.mu. What was sent and not yet answered is counted, because
	// a channel can be left and joined again before Redis has confirmed either.
	node    redis.Node
	topics  map[string]*topic
	drop    []string       // to be unsubscribed from
	asked   map[string]int // subscriptions on their way
	leaving map[string]int // the same for their ends
	mark    string         // the channel on which this line hears itself
	markOf  string         // a topic of the same slot
}

func newLine(b *bus, node redis.Node) *line {
	return &line{bus: b, addr: node.Addr, node: node, wanted: make(chan struct{}, 1), topics: map[string]*topic{}}
}

func (l *line) wake() {
	select {
	case l.wanted <- struct{}{}:
	default: // it will look anyway
	}
}

// listen is the life of one connection. It ends with an error.
func (l *line) listen(ctx context.Context) error {
	l.bus.mu.Lock()
	node := l.node
	l.drop, l.asked, l.leaving, l.mark = nil, map[string]int{}, map[string]int{}, ""
	l.silencedLocked() // the last words of the connection before may have said otherwise
	l.bus.mu.Unlock()
	l.heard.Store(time.Now().UnixNano())
	l.wake()
	sub := node.Raw.Subscribe(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.send(ctx, sub) })
	g.Go(func() error { return l.receive(ctx, sub) })
	g.Go(func() error { return l.watch(ctx, node) })
	g.Go(func() error {
		<-ctx.Done()
		l.lose()
		return sub.Close()
	})
	return g.Wait()
}

// lose says of all topics that they are not heard.
func (l *line) lose() {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	l.silencedLocked()
}

func (l *line) silencedLocked() {
	for _, t := range l.topics {
		t.sent = false
		t.silenced()
	}
}

// send subscribes and unsubscribes as topics come and go.
func (l *line) send(ctx context.Context, sub *goredis.PubSub) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wanted:
		}
		drop, want := l.changes()
		for _, c := range commands(l.bus.redis, drop) {
			if err := c.unsubscribe(ctx, sub); err != nil {
				return fmt.Errorf("edge: unsubscribe: %w", err)
			}
		}
		for _, c := range commands(l.bus.redis, want) {
			if err := c.subscribe(ctx, sub); err != nil {
				return fmt.Errorf("edge: subscribe: %w", err)
			}
		}
	}
}

// changes takes what is to be sent.
func (l *line) changes() (drop, want []string) {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	drop, l.drop = l.drop, nil
	for channel, t := range l.topics {
		if !t.sent {
			t.sent = true
			want = append(want, channel)
		}
	}
	if mark := l.markLocked(); mark != l.mark {
		if l.mark != "" && l.mark != l.bus.own() {
			drop = append(drop, l.mark)
		}
		if mark != "" && mark != l.bus.own() {
			want = append(want, mark)
		}
		l.mark = mark
	}
	for _, channel := range drop {
		l.leaving[channel]++
	}
	for _, channel := range want {
		l.asked[channel]++
	}
	return drop, want
}

// markLocked names a channel that this node serves as long as it serves some
// topic of the line.
func (l *line) markLocked() string {
	if _, ok := l.topics[l.bus.own()]; ok {
		return l.bus.own()
	}
	if _, ok := l.topics[l.markOf]; ok && l.mark != "" {
		return l.mark
	}
	for channel := range l.topics {
		l.markOf = channel
		return "probe:" + redis.TagOf(channel) + ":" + l.bus.edge
	}
	return ""
}

func (l *line) receive(ctx context.Context, sub *goredis.PubSub) error {
	for {
		msg, err := sub.Receive(ctx)
		if slot, ok := redis.MovedSlot(err); ok {
			l.refused(ctx, slot)
			continue
		}
		if err != nil {
			return fmt.Errorf("edge: listen: %w", err)
		}
		l.heard.Store(time.Now().UnixNano())
		switch m := msg.(type) {
		case *goredis.Subscription:
			l.confirm(ctx, m)
		case *goredis.Message:
			if m.Channel != l.bus.own() && m.Payload != probeWord {
				l.bus.hear(m.Channel, m.Payload)
			}
		}
	}
}

// refused sends topics astray that this node would not have.
func (l *line) refused(ctx context.Context, slot int) {
	l.bus.mu.Lock()
	for channel := range l.asked {
		if redis.Slot(channel) != slot {
			continue
		}
		delete(l.asked, channel)
		if t := l.topics[channel]; t != nil {
			t.sent = false
			l.bus.moveLocked(channel, t, nil)
		}
	}
	l.bus.mu.Unlock()
	l.bus.pokeLater(ctx)
}

// confirm takes note of what Redis says about a channel.
func (l *line) confirm(ctx context.Context, m *goredis.Subscription) {
	switch m.Kind {
	case "subscribe", "ssubscribe":
		if l.confirmed(m.Channel) {
			l.bus.regained(m.Channel)
		}
	case "unsubscribe", "sunsubscribe":
		l.ended(ctx, m.Channel)
	}
}

// confirmed reports whether a channel is heard again after a silence.
func (l *line) confirmed(channel string) (again bool) {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	if l.asked[channel]--; l.asked[channel] > 0 {
		return false
	}
	delete(l.asked, channel)
	t := l.topics[channel]
	if t == nil || t.done {
		return false
	}
	again, t.done, t.lost = t.lost, true, false
	close(t.ready)
	return again
}

// ended tells the end that was asked for from one that Redis ordains because
// the channel's slot went to another node.
func (l *line) ended(ctx context.Context, channel string) {
	l.bus.mu.Lock()
	asked := l.leaving[channel] > 0
	if l.leaving[channel]--; l.leaving[channel] <= 0 {
		delete(l.leaving, channel)
	}
	if !asked {
		if t := l.topics[channel]; t != nil {
			t.sent = false
			l.bus.moveLocked(channel, t, nil)
		}
		if channel == l.mark {
			l.mark = ""
			l.wake()
		}
	}
	l.bus.mu.Unlock()
	if !asked {
		l.bus.pokeLater(ctx)
	}
}

// probeWord is what a line says to itself.
const probeWord = "probe"

// watch talks to itself, and ends when it hears nothing or has no topic left.
func (l *line) watch(ctx context.Context, node redis.Node) error {
	tick := time.NewTicker(l.bus.probe)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		l.bus.mu.Lock()
		mark, idle := l.mark, len(l.topics) == 0
		l.bus.mu.Unlock()
		if idle {
			return errIdle
		}
		if silent := time.Since(time.Unix(0, l.heard.Load())); silent > 2*l.bus.probe {
			return errDeaf
		}
		l.ask(ctx, node, mark)
	}
}

// ask sends a probe to the very node, as another may be right to refuse it.
func (l *line) ask(ctx context.Context, node redis.Node, mark string) {
	ctx, cancel := context.WithTimeout(ctx, l.bus.probe)
	defer cancel()
	err := node.Raw.Do(ctx, l.bus.redis.PublishVerb(mark), mark, probeWord).Err()
	if err != nil {
		l.bus.redis.Refresh(ctx)
		l.bus.log.DebugContext(ctx, "probe", "node", l.addr, "err", err)
	}
}

// subscription is one command's worth of channels: those of a slot together,
// or those of none.
type subscription struct {
	sharded  bool
	channels []string
}

func commands(c *redis.Client, channels []string) []subscription {
	byTag := map[string][]string{}
	for _, channel := range channels {
		tag := ""
		if c.Sharded(channel) {
			tag = redis.TagOf(channel)
		}
		byTag[tag] = append(byTag[tag], channel)
	}
	var out []subscription
	for tag, some := range byTag {
		for len(some) > 0 {
			n := min(len(some), channelsPerCommand)
			out = append(out, subscription{sharded: tag != "", channels: some[:n]})
			some = some[n:]
		}
	}
	return out
}

func (s subscription) subscribe(ctx context.Context, sub *goredis.PubSub) error {
	if s.sharded {
		return sub.SSubscribe(ctx, s.channels...)
	}
	return sub.Subscribe(ctx, s.channels...)
}

func (s subscription) unsubscribe(ctx context.Context, sub *goredis.PubSub) error {
	if s.sharded {
		return sub.SUnsubscribe(ctx, s.channels...)
	}
	return sub.Unsubscribe(ctx, s.channels...)
}
