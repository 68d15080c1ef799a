package presence

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// station is what a watcher has at one Redis node: an ear for its expired
// events, and a judgement of how far its expiries are to be believed. When one
// master of a cluster fails over, only its partitions are on hold.
type station struct {
	node    redis.Node
	contact *contact
	gone    chan struct{} // closed when the node owns no keys any more
}

// stations are those at all nodes that own keys.
type stations struct {
	mu     sync.Mutex
	byAddr map[string]*station
}

func (s *stations) all() []*station {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*station, 0, len(s.byAddr))
	for _, st := range s.byAddr {
		out = append(out, st)
	}
	return out
}

// standing says how a partition stands.
type standing int

const (
	away    standing = iota // its node does not answer, or is not known
	held                    // its node answers, but expiries are not to be believed
	trusted                 // all is well
)

// trustIn judges the nodes once and returns how each partition stands.
func (w *Watcher) trustIn(ctx context.Context) func(partition int) standing {
	now := time.Now()
	byAddr := map[string]standing{}
	for _, st := range w.stations.all() {
		switch {
		case st.contact.trusted(now) && st.contact.fresh(now, w.pace.silence):
			byAddr[st.node.Addr] = trusted
		case st.contact.fresh(now, w.pace.silence):
			byAddr[st.node.Addr] = held
		}
	}
	return func(partition int) standing {
		home, err := w.store.rdb.Home(ctx, redis.PartitionTag(partition))
		if err != nil {
			return away
		}
		return byAddr[home.Addr]
	}
}

// warrant is what a settling in a partition is held to. It reports false where
// nothing is to be settled now.
func (w *Watcher) warrant(ctx context.Context, partition int) (warrant, bool) {
	home, err := w.store.rdb.Home(ctx, redis.PartitionTag(partition))
	if err != nil {
		return warrant{}, false
	}
	w.stations.mu.Lock()
	st := w.stations.byAddr[home.Addr]
	w.stations.mu.Unlock()
	now := time.Now()
	if st == nil || !st.contact.trusted(now) || !st.contact.fresh(now, w.pace.silence) {
		return warrant{}, false
	}
	return st.contact.warrantAt(now, w.pace.silence), true
}

// attend keeps a station at every node that owns keys, until ctx is done.
func (w *Watcher) attend(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	tick := time.NewTicker(w.pace.beat)
	defer tick.Stop()
	for first := true; ; {
		for _, st := range w.man(ctx) {
			running.Go(func() { w.sound(ctx, st) })
			if !first {
				w.hold(ctx, st, HoldRestart) // a fail-over, or a slot's first on a new node
			}
		}
		first = first && len(w.stations.all()) == 0
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// man compares the stations with the nodes, ends those that are not needed and
// returns those that are new.
func (w *Watcher) man(ctx context.Context) (fresh []*station) {
	ask, cancel := context.WithTimeout(ctx, w.pace.gap)
	defer cancel()
	nodes, err := w.store.rdb.Masters(ask)
	if err != nil {
		if ctx.Err() == nil {
			w.opt.Log.WarnContext(ctx, "find redis nodes", "err", err)
		}
		return nil
	}
	w.stations.mu.Lock()
	defer w.stations.mu.Unlock()
	before := w.stations.byAddr
	w.stations.byAddr = make(map[string]*station, len(nodes))
	for _, n := range nodes {
		st := before[n.Addr]
		if st == nil || st.node.Raw != n.Raw {
			st = &station{node: n, contact: w.newContact(), gone: make(chan struct{})}
			fresh = append(fresh, st)
		} else {
			delete(before, n.Addr)
		}
		w.stations.byAddr[n.Addr] = st
	}
	for _, st := range before {
		close(st.gone)
	}
	return fresh
}

func (w *Watcher) newContact() *contact {
	return &contact{gap: w.pace.gap, jump: w.pace.jump, wait: w.store.lifetime()}
}

// hold says that what expired at a node is not believed for now.
func (w *Watcher) hold(ctx context.Context, st *station, reason HoldReason) {
	w.opt.Log.WarnContext(ctx, "departures on hold", "node", st.node.Addr, "reason", reason, "for", st.contact.wait)
	if w.opt.OnHold == nil {
		return
	}
	w.opt.OnHold(Hold{Reason: reason, covers: func(mesh string) bool {
		home, err := w.store.rdb.Home(ctx, w.store.rdb.Tag(mesh))
		return err != nil || home.Addr == st.node.Addr
	}})
}

// sound listens to a node and keeps the contact to it under watch.
func (w *Watcher) sound(ctx context.Context, st *station) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { w.listen(ctx, st.node) })
	defer func() { cancel(); wg.Wait() }()
	tick := time.NewTicker(w.pace.beat)
	defer tick.Stop()
	for lost := false; ; {
		err := w.probe(ctx, st)
		if err != nil && !lost && ctx.Err() == nil {
			w.opt.Log.WarnContext(ctx, "redis does not answer", "node", st.node.Addr, "err", err)
		}
		lost = err != nil
		select {
		case <-ctx.Done():
			return
		case <-st.gone:
			return
		case <-tick.C:
		}
	}
}

func (w *Watcher) probe(ctx context.Context, st *station) error {
	ctx, cancel := context.WithTimeout(ctx, w.pace.gap)
	defer cancel()
	id, err := runID(ctx, st.node)
	if err != nil {
		return err
	}
	p := probe{runID: id, sent: time.Now()}
	if p.redis, err = st.node.Raw.Time(ctx).Result(); err != nil {
		return failed("read time", err)
	}
	p.answered = time.Now()
	if reason := st.contact.heard(p); reason != "" {
		w.hold(ctx, st, reason)
	}
	return nil
}

// runID tells which Redis process answers. A server that does not say is never
// taken for another.
func runID(ctx context.Context, n redis.Node) (string, error) {
	info, err := n.Raw.Info(ctx, "server").Result()
	var refused goredis.Error
	if errors.As(err, &refused) {
		return "", nil
	}
	_, rest, _ := strings.Cut(info, "run_id:")
	id, _, _ := strings.Cut(rest, "\r\n")
	return id, err
}

// listen settles what a node says has expired. Each event goes out once, to
// whoever listens just then, so it is a hint: the sweeper finds what is missed
// here. Only the first edge of a partition acts, lest every edge added to the
// fleet repeat the work of the others.
func (w *Watcher) listen(ctx context.Context, n redis.Node) {
	sub := n.Raw.Subscribe(ctx, "__keyevent@"+strconv.Itoa(w.store.rdb.DB())+"__:expired")
	defer sub.Close()
	events := sub.Channel(goredis.WithChannelSize(1024))
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			w.settle(ctx, w.batch(e, events))
		}
	}
}
