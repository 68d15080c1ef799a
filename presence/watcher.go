package presence

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// WatcherOptions configures a [Watcher]. Only Edge is required.
type WatcherOptions struct {
	// Edge names this process among those that share the work.
	Edge string

	// OnLeft cleans up what a peer owned, up to the generation that left. It
	// is repeated, perhaps by another process, until it returns nil. Several
	// calls run at once.
	OnLeft func(ctx context.Context, l Left) error

	// OnHold is called when Redis may have let leases run out through no fault
	// of their holders: renew at once what it covers. The watcher settles
	// nothing there for one lease and renewal interval from then on.
	OnHold func(Hold)

	// Lateness is called with the time from the end of each lease to its
	// settling by this process.
	Lateness func(time.Duration)

	// Log receives what an operator should know; nil discards it.
	Log *slog.Logger
}

// Hold says that what expired on one Redis node is not believed.
type Hold struct {
	Reason HoldReason

	covers func(mesh string) bool
}

// Covers reports whether a mesh is kept by the node, as far as is known.
func (h Hold) Covers(mesh string) bool { return h.covers == nil || h.covers(mesh) }

// HoldReason tells why a watcher does not trust that leases ran out rightly.
type HoldReason string

// The reasons for a hold.
const (
	HoldGap     HoldReason = "gap"     // Redis was out of reach
	HoldRestart HoldReason = "restart" // another Redis process answers
	HoldClock   HoldReason = "clock"   // Redis's clock jumped
)

// Watcher announces who has left. Any number of them, in any number of
// processes, share the partitions among themselves.
type Watcher struct {
	store    *Store
	opt      WatcherOptions
	pace     pace
	stations stations

	fleet   atomic.Pointer[fleet] // written by beat
	changed chan struct{}         // tells sweep of a new fleet; never closed
	owed    chan Left             // clean-ups to do; never closed
}

// pace is how fast a watcher works. Every interval shrinks with short leases,
// or a lease would be over before anybody looked.
type pace struct {
	beat    time.Duration // between heartbeats, which also probe the contact
	gap     time.Duration // a longer silence makes an edge count as dead, and Redis as out of reach
	silence time.Duration // a node that has been silent for longer is not asked for other things
	jump    time.Duration // a larger step of Redis's clock is a jump
	settle  time.Duration // between touching a lease and settling it without waiting for the event
	stepIn  time.Duration // by which each edge waits for the one before it
	idle    time.Duration // the longest time without looking at a partition
}

func newPace(ttl time.Duration) pace {
	return pace{
		beat:    min(time.Second, ttl/10),
		gap:     min(5*time.Second, ttl/2),
		silence: min(2500*time.Millisecond, ttl/2),
		jump:    min(time.Second, ttl/5),
		settle:  min(100*time.Millisecond, ttl/10),
		stepIn:  min(200*time.Millisecond, ttl/5),
		idle:    ttl / 2, // new deadlines are never nearer than a whole TTL
	}
}

// NewWatcher returns a watcher of all meshes of store.
func NewWatcher(store *Store, o WatcherOptions) *Watcher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{
		store: store, opt: o, pace: newPace(store.opt.TTL),
		changed: make(chan struct{}, 1), owed: make(chan Left, 1024),
	}
	w.fleet.Store(newFleet(o.Edge, []string{o.Edge}, store.rdb.Partitions()))
	return w
}

// Run watches until ctx is done. Then it leaves the fleet, so that others need
// not wait for it, and returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	if !isWord(w.opt.Edge) {
		return errors.New("presence: watcher: Edge is not a name")
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.beat(ctx) })
	wg.Go(func() { w.attend(ctx) })
	wg.Go(func() { newSweeper(w).run(ctx) })
	for range cleaners {
		wg.Go(func() { w.clean(ctx) })
	}
	wg.Wait()
	return nil
}

// Holding reports whether the watcher settles nothing for now in some
// partition, because it has not been in touch with its Redis node for long
// enough.
func (w *Watcher) Holding() bool {
	now, all := time.Now(), w.stations.all()
	for _, st := range all {
		if !st.contact.trusted(now) {
			return true
		}
	}
	return len(all) == 0
}

// counts reports whether this watcher settles anything at all.
func (w *Watcher) counts() bool {
	now := time.Now()
	return slices.ContainsFunc(w.stations.all(), func(st *station) bool { return st.contact.trusted(now) })
}

// Rank is how many edges come before this one in a partition: the first does
// the work, the others step in.
func (w *Watcher) Rank(partition int) int { return w.fleet.Load().ranks[partition] }

// beat keeps this edge in the fleet.
func (w *Watcher) beat(ctx context.Context) {
	tick := time.NewTicker(w.pace.beat)
	defer tick.Stop()
	defer w.retire(context.WithoutCancel(ctx))
	for {
		if err := w.meetOthers(ctx); err != nil && ctx.Err() == nil {
			w.opt.Log.DebugContext(ctx, "heartbeat", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Watcher) meetOthers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.pace.gap)
	defer cancel()
	answer, err := w.beatOnce(ctx, w.counts())
	if err != nil {
		return err
	}
	w.meet(answer[1:])
	return nil
}

// beatOnce enters this edge into the fleet or takes it out. One that holds does
// not count: partitions whose first edges hold would be settled late.
func (w *Watcher) beatOnce(ctx context.Context, counts bool) ([]string, error) {
	word := "in"
	if !counts {
		word = "out"
	}
	answer, err := w.store.rdb.Run(ctx, w.store.scripts.beat, []string{edgesKey},
		w.opt.Edge, millis(w.pace.gap), word).StringSlice()
	if err == nil && len(answer) == 0 {
		err = unexpected("beat", answer)
	}
	return answer, err
}

// meet takes note of which edges share the work; this one counts for itself.
func (w *Watcher) meet(edges []string) {
	if !slices.Contains(edges, w.opt.Edge) {
		edges = append(edges, w.opt.Edge)
	}
	slices.Sort(edges)
	if slices.Equal(edges, w.fleet.Load().edges) {
		return
	}
	w.fleet.Store(newFleet(w.opt.Edge, edges, w.store.rdb.Partitions()))
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *Watcher) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.pace.beat)
	defer cancel()
	if _, err := w.beatOnce(ctx, false); err != nil {
		w.opt.Log.DebugContext(ctx, "leave the fleet", "err", err)
	}
}

// batch collects the peers of first and of the events that wait behind it.
func (w *Watcher) batch(first *goredis.Message, more <-chan *goredis.Message) []Peer {
	var peers []Peer
	for e := first; ; {
		if p, ok := w.concerned(e.Payload); ok {
			peers = append(peers, p)
		}
		if len(peers) == MaxPerScript {
			return peers
		}
		select {
		case next, ok := <-more:
			if !ok {
				return peers
			}
			e = next
		default:
			return peers
		}
	}
}

func (w *Watcher) concerned(key string) (Peer, bool) {
	_, p, ok := parseLeaseKey(key)
	return p, ok && w.fleet.Load().ranks[w.store.rdb.Partition(p.Mesh)] == 0
}
