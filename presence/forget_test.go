package presence

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// known is p as others were told of it.
func known(a Attached) Known {
	return Known{Peer: a.Peer, Member: a.Stored.Member, Key: a.Stored.Key, Name: "N-" + a.ID}
}

func TestL2_WhomRedisForgotIsAnnouncedOnceByAnyNumberOfWatchers(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	var seen witness
	watchers := make([]*Watcher, 3)
	for i := range watchers {
		watchers[i], _ = b.watch(b.newStore(short), seen.options(fmt.Sprint("edge", i)))
	}
	b.trusting(watchers...)
	gone, here := b.attach(b.session("gone")), b.attach(b.session("here"))
	b.flushAll()
	back := b.session("here")
	back.Known = testEpoch
	b.attach(back)
	heard := b.head()
	var all sync.WaitGroup
	for _, w := range watchers {
		all.Go(func() {
			// A watcher whose contact a crowded machine has just broken waits.
			eventually(t, patience, func() error {
				return w.Forget(t.Context(), b.mesh, heard, []Known{known(gone), known(here)})
			})
		})
	}
	all.Wait()
	b.wantEvents("peer_left gone")
	if left := b.journal()[0]; left.Body != `{"name":"N-gone","pubkey":"key-gone"}` || left.Member != alice || left.Flags != "s" {
		t.Errorf("got %+v", left)
	}
	eventually(t, patience, func() error {
		if n := seen.cleaned(); n != 1 {
			return fmt.Errorf("%d clean-ups", n)
		}
		return nil
	})
	l := seen.first()
	if l.ID != "gone" || l.Member != alice || l.Key != "key-gone" || l.Generation <= gone.Generation {
		t.Errorf("cleaned up %+v", l)
	}
	if again := b.attach(b.session("gone")); again.Outcome != Joined || again.Generation <= l.Generation {
		t.Errorf("back as %+v", again)
	}
}

func TestL1_NobodyIsForgottenDuringAHold(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	gone := b.attach(b.session("gone"))
	b.flushAll()
	w := NewWatcher(b.store, WatcherOptions{Edge: "edgeA"}) // has never been in contact
	if err := w.Forget(t.Context(), b.mesh, b.head(), []Known{known(gone)}); !errors.Is(err, ErrHold) {
		t.Errorf("got %v", err)
	}
	now := b.redisNow().UnixMilli()
	call := b.store.forgetting(known(gone), b.head(), warrant{latest: now - 1})
	if answer, err := b.rdb.Run(t.Context(), call.Script, call.Keys, call.Args...).StringSlice(); err != nil || len(answer) != 0 {
		t.Errorf("later than meant: %q, %v", answer, err)
	}
	b.wantEvents()
}

// head is the place of somebody who has heard everything.
func (b *bench) head() Cursor {
	b.Helper()
	got, err := b.rdb.Raw().HMGet(b.Context(), b.store.opt.JournalKeys(b.mesh)[1], "epoch", "jseq", "jid").Result()
	b.must(err)
	var c Cursor
	c.Epoch, _ = got[0].(string)
	seq, _ := got[1].(string)
	c.Seq, _ = parseCount(seq)
	c.ID, _ = got[2].(string)
	return c
}

// TestL2_WhoHasLeftIsNotForgottenToo has an edge compare what it was told with
// the roster while the leaving of somebody is on its way to it: cut off, or just
// as the departures of an outage are settled.
func TestL2_WhoHasLeftIsNotForgottenToo(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	w, _ := b.watch(b.store, WatcherOptions{Edge: "edgeA"})
	b.trusting(w)
	gone, lost := b.attach(b.session("gone")), b.attach(b.session("lost"))
	heard := b.head()
	b.must(b.store.Leave(t.Context(), gone.Held))
	b.must(b.rdb.Raw().Del(t.Context(), b.store.LeaseKey(lost.Peer)).Err())
	b.must(b.rdb.Raw().HDel(t.Context(), rosterKey(b.rdb.Tag(b.mesh), b.mesh), "lost").Err())
	for range 2 {
		eventually(t, patience, func() error {
			return w.Forget(t.Context(), b.mesh, heard, []Known{known(gone), known(lost)})
		})
	}
	b.wantEvents("peer_joined gone", "peer_joined lost", "peer_left gone", "peer_left lost")
}

func TestL2_WhoHasNotHeardTheJournalForgetsNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	w, _ := b.watch(b.store, WatcherOptions{Edge: "edgeA"})
	b.trusting(w)
	gone := b.attach(b.session("gone"))
	first := b.head()
	b.must(b.rdb.Raw().HDel(t.Context(), rosterKey(b.rdb.Tag(b.mesh), b.mesh), "gone").Err())
	b.must(b.rdb.Raw().Del(t.Context(), b.store.LeaseKey(gone.Peer)).Err())
	want := []string{"peer_joined gone"}
	for i := range maxAhead + 1 {
		id := fmt.Sprint("p", i)
		b.attach(b.session(id))
		want = append(want, "peer_joined "+id)
	}
	for name, heard := range map[string]Cursor{
		"too far behind":    first,
		"another journal":   {Epoch: "other", Seq: first.Seq, ID: first.ID},
		"another entry":     {Epoch: first.Epoch, Seq: first.Seq, ID: "other"},
		"ahead of all":      {Epoch: first.Epoch, Seq: 1 << 40, ID: "later"},
		"no journal at all": {},
	} {
		eventually(t, patience, func() error {
			err := w.Forget(t.Context(), b.mesh, heard, []Known{known(gone)})
			if errors.Is(err, ErrHold) {
				return err
			}
			if !errors.Is(err, ErrBehind) {
				t.Errorf("%s: got %v", name, err)
			}
			return nil
		})
	}
	b.wantEvents(want...)
}

// TestL2_ManyWhomRedisForgotAreAnnouncedInTurn: each announcement takes the head
// away from the place of the caller, who has to hear them first.
func TestL2_ManyWhomRedisForgotAreAnnouncedInTurn(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	var seen witness
	w, _ := b.watch(b.store, seen.options("edgeA"))
	b.trusting(w)
	var gone []Known
	for i := range 2*maxAhead + 1 {
		gone = append(gone, known(b.attach(b.session(fmt.Sprint("p", i)))))
	}
	b.flushAll()
	b.attach(b.session("here")) // so that there is a journal
	forget := func() (err error) {
		heard := b.head()
		eventually(t, patience, func() error {
			if err = w.Forget(t.Context(), b.mesh, heard, gone); errors.Is(err, ErrHold) {
				return err
			}
			return nil
		})
		return err
	}
	for n := 1; n <= 2; n++ {
		if err := forget(); !errors.Is(err, ErrBehind) || strings.Count(err.Error(), ErrBehind.Error()) != 1 {
			t.Fatalf("turn %d: got %v", n, err)
		}
		gone = gone[maxAhead:] // as the roster and the journal say by now
	}
	if err := forget(); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, func() error {
		if n := seen.cleaned(); n != 2*maxAhead+1 {
			return fmt.Errorf("%d have left", n)
		}
		return nil
	})
}

func TestL1_TheReturnOfWhomRedisForgotIsNotAnnounced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		known  string
		lost   bool
		events []string
	}{
		"it was lost":                           {testEpoch, true, nil},
		"it was lost, and nobody knew it":       {"", true, []string{"peer_joined p1"}},
		"it left, and that was not yet heard":   {testEpoch, false, []string{"peer_joined p1", "peer_left p1", "peer_joined p1"}},
		"it left, and others have been told so": {"", false, []string{"peer_joined p1", "peer_left p1", "peer_joined p1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			first := b.attach(b.session("p1"))
			if c.lost {
				b.flushAll()
			} else {
				b.must(b.store.Leave(t.Context(), first.Held))
			}
			again := b.session("p1")
			again.Known, again.Epoch = c.known, "epoch2"
			got := b.attach(again)
			b.wantEvents(c.events...)
			if silent := c.lost && c.known != ""; got.Outcome != Joined || got.Resync != silent {
				t.Errorf("got %s, resync %v", got.Outcome, got.Resync)
			}
			if p, ok := b.get(got.Peer); !ok || !p.Announced {
				t.Error("its leaving would not be announced")
			}
		})
	}
}

func TestTheIDOfAnEventCanBeTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	got := b.attach(b.session("p1"))
	b.must(b.store.Leave(t.Context(), got.Held))
	for _, e := range b.journal() {
		if want := EventID(got.Peer, got.Generation, e.Event); e.ID != want {
			t.Errorf("%s has id %s, want %s", e.Event, e.ID, want)
		}
	}
}

func TestAHoldSaysWhichMeshesItCovers(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	holds := make(chan Hold, 100)
	w, _ := b.watch(b.store, WatcherOptions{Edge: "edgeA", OnHold: func(h Hold) { holds <- h }})
	b.trusting(w)
	b.server.Kill()
	b.server.Restart()
	for h := range holds {
		if !h.Covers(b.mesh) {
			t.Errorf("%s does not cover the only node's mesh", h.Reason)
		}
		if h.Reason == HoldRestart {
			return
		}
	}
}
