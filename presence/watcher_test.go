package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Leases in these tests are short, yet long enough that a stalled test machine
// does not count as a Redis out of reach.
var short = Options{TTL: 600 * time.Millisecond, RenewEvery: 200 * time.Millisecond}

// patience is how long a test waits for what must happen; only a failure waits
// so long.
const patience = 30 * time.Second

// witness collects what watchers report.
type witness struct {
	mu    sync.Mutex
	left  []Left
	late  []time.Duration
	holds []HoldReason
}

func (w *witness) options(edge string) WatcherOptions {
	return WatcherOptions{
		Edge: edge,
		OnLeft: func(_ context.Context, l Left) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.left = append(w.left, l)
			return nil
		},
		Lateness: func(d time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.late = append(w.late, d)
		},
		OnHold: func(h Hold) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.holds = append(w.holds, h.Reason)
		},
	}
}

// cleaned counts the attachments that were cleaned up after. One that takes
// long is cleaned up after by others, too, so the calls are not counted.
func (w *witness) cleaned() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := map[string]bool{}
	for _, l := range w.left {
		of[l.ID+" "+l.Generation] = true
	}
	return len(of)
}

// first is who was cleaned up after first.
func (w *witness) first() Left {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left[0]
}

// watch runs a watcher until the test ends or stop is called.
func (b *bench) watch(s *Store, o WatcherOptions) (w *Watcher, stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	w = NewWatcher(s, o)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(stop)
	return w, stop
}

// trusting waits until a watcher's hold is over.
func (b *bench) trusting(ws ...*Watcher) {
	b.Helper()
	for _, w := range ws {
		eventually(b, patience, func() error {
			if w.Holding() {
				return errors.New("still holding")
			}
			return nil
		})
	}
}

func (b *bench) departures() (peers []string, at []time.Time) {
	b.Helper()
	for _, e := range b.journal() {
		if e.Event == "peer_left" {
			peers, at = append(peers, e.Peer), append(at, e.At)
		}
	}
	return peers, at
}

// awaitDepartures waits until n peers have left.
func (b *bench) awaitDepartures(n int) []string {
	b.Helper()
	var peers []string
	eventually(b, patience, func() error {
		if peers, _ = b.departures(); len(peers) < n {
			return fmt.Errorf("%d departures, want %d", len(peers), n)
		}
		return nil
	})
	return peers
}

// wantNobodyEarly compares departures with the earliest time that each peer may
// leave, to the millisecond.
func (b *bench) wantNobodyEarly(notBefore map[string]time.Time) {
	b.Helper()
	ids, at := b.departures()
	for i, id := range ids {
		if early := notBefore[id].Truncate(time.Millisecond).Sub(at[i]); early > 0 {
			b.Errorf("%s left %v early", id, early)
		}
	}
}

func (b *bench) redisNow() time.Time {
	b.Helper()
	now, err := b.rdb.Raw().Time(b.Context()).Result()
	b.must(err)
	return now
}

func TestL2_ManyWatchersAnnounceEachDepartureOnceAndNeverEarly(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]string{"with events": "", "without events": `notify-keyspace-events ""`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, short, conf)
			var seen witness
			for _, edge := range []string{"edgeA", "edgeB", "edgeC"} {
				b.watch(b.newStore(short), seen.options(edge))
			}
			const peers = 60
			notBefore := map[string]time.Time{}
			for i := range peers {
				came := b.redisNow()
				h := b.attach(b.session("p" + strconv.Itoa(i))).Held
				notBefore[h.ID] = came.Add(short.TTL + short.RenewEvery) // it dies silently
				if i%2 == 0 {
					notBefore[h.ID] = b.redisNow().Add(short.TTL)
					b.detach(h)
				}
			}
			left := b.awaitDepartures(peers)
			b.wantNobodyEarly(notBefore)
			slices.Sort(left)
			if n := len(slices.Compact(slices.Clone(left))); n != peers || len(left) != peers {
				t.Fatalf("%d goodbyes of %d peers", len(left), n)
			}
			eventually(t, patience, func() error {
				if n := seen.cleaned(); n != peers {
					return fmt.Errorf("%d clean-ups, want %d", n, peers)
				}
				n, err := b.store.Unfinished(t.Context(), b.rdb.Partition(b.mesh))
				if err != nil || n != 0 {
					return fmt.Errorf("%d clean-ups not ticked off, %w", n, err)
				}
				return nil
			})
		})
	}
}

// TestL2_DeparturesAreOnTimeInACrowdedDatabase guards the reason for the due
// index: among many keys with a TTL, Redis alone takes half a minute.
func TestL2_DeparturesAreOnTimeInACrowdedDatabase(t *testing.T) {
	t.Parallel()
	o := Options{TTL: 1500 * time.Millisecond, RenewEvery: 500 * time.Millisecond}
	b := newBench(t, o)
	pipe := b.rdb.Raw().Pipeline()
	for i := range 10_000 {
		pipe.Set(t.Context(), "crowd:"+strconv.Itoa(i), "x", time.Duration(i%60)*time.Second+time.Second)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	var seen witness
	w, _ := b.watch(b.store, seen.options("edgeA"))
	b.trusting(w)
	const peers = 300
	notBefore := make(map[string]time.Time)
	for i := range peers {
		h := b.attach(b.session("p" + strconv.Itoa(i))).Held
		notBefore[h.ID] = b.redisNow().Add(o.TTL)
		b.detach(h)
	}
	b.awaitDepartures(peers)
	b.wantNobodyEarly(notBefore)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	slices.Sort(seen.late)
	worst := seen.late[len(seen.late)-1]
	t.Logf("lateness of %d: p50 %v, max %v; holds %v", len(seen.late), seen.late[len(seen.late)/2], worst, seen.holds)
	if worst > 10*time.Second {
		t.Errorf("a departure was %v late", worst)
	}
}

func TestL1_RenewedPeersNeverLeaveHoweverOldTheirIndexEntryIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	w, _ := b.watch(b.store, WatcherOptions{Edge: "edgeA"})
	b.trusting(w)
	kept, lost := b.attach(b.session("p1")), b.attach(b.session("p2"))
	deadline := b.rdb.Raw().ZScore(t.Context(), dueKey(b.rdb.Tag(b.mesh)), dueMember(kept.Peer)).Val()
	eventually(t, patience, func() error {
		if got := b.renewFrom(kept.Held, kept.Start.String(), nil); got != Renewed && got != Restored {
			t.Fatalf("renewal: %q", got)
		}
		again := b.rdb.Raw().ZScore(t.Context(), dueKey(b.rdb.Tag(b.mesh)), dueMember(kept.Peer)).Val()
		if ids, _ := b.departures(); len(ids) == 0 || again == deadline {
			return errors.New("p2 is still here, or p1 was not indexed anew")
		}
		return nil
	})
	b.wantEvents("peer_joined p1", "peer_joined p2", "peer_left p2")
	_ = lost
}

func TestL2_ACleanUpIsRepeatedByAnotherEdgeUntilItIsDone(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	h := b.attach(b.session("p1"))
	b.expire(h.Peer)
	if !b.settle(h.Peer) { // and the announcer crashes before it cleans up
		t.Fatal("nothing to settle")
	}
	tries := make(chan Left, 100)
	var calls atomic.Int32
	b.watch(b.newStore(short), WatcherOptions{Edge: "edgeB", OnLeft: func(_ context.Context, l Left) error {
		tries <- l
		if calls.Add(1) <= 2 {
			return errors.New("not yet")
		}
		return nil
	}})
	for range 3 {
		if l := <-tries; l.Peer != h.Peer || l.Generation != h.Generation || l.Member != alice || l.Key != h.Stored.Key {
			t.Fatalf("got %+v", l)
		}
	}
	eventually(t, patience, func() error {
		if n, err := b.store.Unfinished(t.Context(), b.rdb.Partition(b.mesh)); err != nil || n != 0 {
			return fmt.Errorf("%d unfinished, %w", n, err)
		}
		return nil
	})
	b.wantEvents("peer_joined p1", "peer_left p1")
}

// TestL2_OthersStepInForASweeperThatStandsStill has edges in the fleet that
// never act: those that were killed and still count as alive.
func TestL2_OthersStepInForASweeperThatStandsStill(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	future := b.redisNow().Add(time.Hour).UnixMilli()
	for _, dead := range []string{"dead1", "dead2"} {
		b.must(b.rdb.Raw().Do(t.Context(), "ZADD", edgesKey, future, dead).Err())
	}
	w, _ := b.watch(b.store, WatcherOptions{Edge: "edgeA"})
	b.trusting(w)
	var meshes []string
	for i := 0; len(meshes) < 8; i++ {
		mesh := "Mesh" + strconv.Itoa(i)
		p := b.rdb.Partition(mesh)
		if !slices.ContainsFunc(meshes, func(m string) bool { return b.rdb.Partition(m) == p }) {
			meshes = append(meshes, mesh)
		}
	}
	ranks := map[int]bool{}
	for _, mesh := range meshes { // one in each partition, whoever comes first there
		b.mesh = mesh
		ranks[w.fleet.Load().ranks[b.rdb.Partition(mesh)]] = true
		b.enrol(alice)
		b.attach(b.session("p1"))
	}
	for _, mesh := range meshes {
		b.mesh = mesh
		b.awaitDepartures(1)
	}
	if len(ranks) < 2 {
		t.Errorf("edgeA had ranks %v: nothing was tested", ranks)
	}
}

func TestL1_AnOutageOfRedisExpelsNobody(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]func(b *bench, long <-chan time.Time){
		"paused":    func(b *bench, long <-chan time.Time) { b.server.Pause(); <-long; b.server.Resume() },
		"restarted": func(b *bench, long <-chan time.Time) { b.server.Kill(); <-long; b.server.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, short)
			// With a slow disk Redis holds back what it would write, and a kill loses it.
			b.must(b.rdb.Raw().ConfigSet(t.Context(), "appendfsync", "always").Err())
			var seen witness
			o := seen.options("edgeA")
			held := make(chan HoldReason, 100)
			o.OnHold = func(h Hold) { held <- h.Reason }
			w, _ := b.watch(b.store, o)
			b.trusting(w)
			a := b.attach(b.session("p1"))
			out(b, time.After(2*(short.TTL+short.RenewEvery)))
			<-held // the fleet renews at once
			eventually(t, patience, func() error {
				got, err := b.store.Renew(t.Context(), []Renewal{{Held: a.Held, Cursor: a.Start.String(), Snapshot: snapshotOf(a)}})
				if err == nil && got[0] != Restored && got[0] != Renewed {
					t.Fatalf("renewal: %q", got[0])
				}
				return err
			})
			b.wantEvents("peer_joined p1")
			b.awaitDepartures(1) // and now that nobody renews it, it leaves
		})
	}
}

func TestAGoodbyeIsCleanedUpAtOnceByTheSameProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{}) // with long leases no sweep could do it in time
	cleaned := make(chan Left, 1)
	b.watch(b.store, WatcherOptions{Edge: "edgeA", OnLeft: func(_ context.Context, l Left) error {
		cleaned <- l
		return nil
	}})
	h := b.attach(b.session("p1")).Held
	b.must(b.store.Leave(t.Context(), h))
	if l := <-cleaned; l.Generation != h.Generation || !l.Announced {
		t.Fatalf("got %+v", l)
	}
}

func TestAWatcherCountsInTheFleetFromTheEndOfItsHoldUntilItStops(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	fleetIs := func(want ...string) {
		t.Helper()
		eventually(t, patience, func() error {
			got := b.rdb.Raw().ZRange(t.Context(), edgesKey, 0, -1).Val()
			if !slices.Equal(got, want) {
				return fmt.Errorf("fleet %q, want %q", got, want)
			}
			return nil
		})
	}
	_, stop := b.watch(b.store, WatcherOptions{Edge: "edgeA"})
	fleetIs("edgeA")
	stop()
	fleetIs()
}

func TestAWatcherNeedsAName(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	if err := NewWatcher(b.store, WatcherOptions{Edge: "a/b"}).Run(t.Context()); err == nil {
		t.Fatal("it ran")
	}
}
