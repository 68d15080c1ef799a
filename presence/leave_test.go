package presence

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func (b *bench) deadline(p Peer) time.Duration {
	b.Helper()
	score, err := b.rdb.Raw().ZScore(b.Context(), dueKey(b.rdb.Tag(p.Mesh)), dueMember(p)).Result()
	b.must(err)
	now, err := b.rdb.Raw().Time(b.Context()).Result()
	b.must(err)
	return time.Duration(int64(score)-now.UnixMilli()) * time.Millisecond
}

func TestL2_ADetachedPeerHasExactlyOneTTLAndIsIndexed(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.detach(h)
	for what, left := range map[string]time.Duration{"lease": b.leaseLasts(h.Peer), "index": b.deadline(h.Peer)} {
		if left > 90*time.Second || left < 80*time.Second {
			t.Errorf("%s: %v left, want 90 s", what, left)
		}
	}
	if got := b.renew(h, nil); got != Superseded {
		t.Errorf("a renewal that was under way lengthened the grace: %q", got)
	}
	b.must(b.rdb.Raw().PExpire(t.Context(), b.store.LeaseKey(h.Peer), time.Minute).Err())
	b.detach(h)
	if left := b.leaseLasts(h.Peer); left > time.Minute {
		t.Errorf("a second detach lengthened the grace to %v", left)
	}
}

func TestL2_ADetachAfterTheLeaseRanOutStillGivesOneTTL(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.expire(h.Peer) // the edge stalled
	b.detach(h)
	if left := b.leaseLasts(h.Peer); left < 80*time.Second {
		t.Fatalf("%v left", left)
	}
	b.wantEvents("peer_joined p1")
}

func TestADetachAfterThePeerLeftIsLost(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.expire(h.Peer)
	b.settle(h.Peer)
	b.wantLost("detach", b.store.Detach(t.Context(), h, ""))
	if b.lease(h.Peer) != "" {
		t.Fatal("the lease is back")
	}
}

func TestL2_SettlingTellsOthersOnceAndOnlyWhenTheLeaseIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.session("p1")
	a.Record = []byte(`{"displayName":"Zoë \"Z\"","big":12345678901234567890,"groups":[]}`)
	h := b.attach(a)
	if b.settle(h.Peer) {
		t.Fatal("settled a living peer")
	}
	b.detach(h.Held)
	if b.settle(h.Peer) {
		t.Fatal("settled a peer in its grace")
	}
	b.expire(h.Peer)
	left, ok, err := b.store.Settle(t.Context(), h.Peer)
	if err != nil || !ok || left.Generation != h.Generation || string(left.Record) != string(a.Record) ||
		!left.Announced || left.Seq != 2 || left.Member != alice || left.Key != a.Key {
		t.Fatalf("got %+v, %v, %v", left, ok, err)
	}
	if b.settle(h.Peer) {
		t.Fatal("settled twice")
	}
	b.wantEvents("peer_joined p1", "peer_left p1")
	var body struct{ Name, Pubkey string }
	b.must(json.Unmarshal([]byte(b.journal()[1].Body), &body))
	if body.Name != `Zoë "Z"` || body.Pubkey != a.Key {
		t.Fatalf("body %+v", body)
	}
}

func TestAHiddenPeerLeavesWithoutAWord(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.session("p1")
	a.Announce = false
	h := b.attach(a)
	b.expire(h.Peer)
	if left, ok, err := b.store.Settle(t.Context(), h.Peer); err != nil || !ok || left.Announced || left.Seq != 0 {
		t.Fatalf("got %+v, %v, %v", left, ok, err)
	}
	b.wantEvents()
}

func TestL2_AGoodbyeIsToldAtOnceAndOnlyOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	for range 3 {
		b.must(b.store.Leave(t.Context(), h))
	}
	b.wantEvents("peer_joined p1", "peer_left p1")
	if b.lease(h.Peer) != "" || b.settle(h.Peer) {
		t.Fatal("something is left")
	}
	if _, err := b.rdb.Raw().ZScore(t.Context(), dueKey(b.rdb.Tag(b.mesh)), dueMember(h.Peer)).Result(); !errors.Is(err, goredis.Nil) {
		t.Fatalf("the index still has it: %v", err)
	}
}

func TestAGoodbyeInTheGraceEndsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.detach(h)
	b.must(b.store.Leave(t.Context(), h))
	b.wantEvents("peer_joined p1", "peer_left p1")
}

func TestDeparturesCarryTheAudienceOfTheJoin(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.session("p1")
	a.Everyone = true
	b.must(b.store.Leave(t.Context(), b.attach(a).Held))
	for _, e := range b.journal() {
		if e.Flags != "-" {
			t.Errorf("%s has flags %q", e.Event, e.Flags)
		}
	}
}

func TestStateOfHelloConnectionsIsKeptForEnrolledMembersOnly(t *testing.T) {
	t.Parallel()
	end := map[string]func(b *bench, h Held){
		"detach": func(b *bench, h Held) { b.detach(h) },
		"leave":  func(b *bench, h Held) { b.must(b.store.Leave(b.Context(), h)) },
		"settle": func(b *bench, h Held) { b.expire(h.Peer); b.settle(h.Peer) },
	}
	for verb, f := range end {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			b.enrol("cccccccc")
			hello, gone, session := b.session("p1"), b.session("p2"), b.session("p3")
			hello.Hello, gone.Hello = true, true
			gone.Member, session.Member = "cccccccc", bob
			for _, a := range []Attachment{hello, gone, session} {
				h := b.attach(a).Held
				if a.Member == "cccccccc" {
					b.must(b.rdb.Raw().HDel(t.Context(), b.store.opt.MembersKey(b.mesh), a.Member).Err())
				}
				f(b, h)
			}
			saved, ok, err := b.store.Saved(t.Context(), b.mesh, alice)
			if err != nil || !ok || string(saved.Record) != string(hello.Record) || time.Since(saved.LastSeen) > time.Minute {
				t.Fatalf("got %+v, %v, %v", saved, ok, err)
			}
			for _, other := range []string{bob, "cccccccc"} {
				if _, ok, err := b.store.Saved(t.Context(), b.mesh, other); ok || err != nil {
					t.Errorf("%s: %v, %v", other, ok, err)
				}
			}
		})
	}
}

func TestEveryDepartureNotesItsCleanUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.must(b.store.Leave(t.Context(), h))
	partition := b.rdb.Partition(b.mesh)
	if n, err := b.store.Unfinished(t.Context(), partition); err != nil || n != 1 {
		t.Fatalf("%d unfinished, %v", n, err)
	}
	left := <-b.store.departed
	if left.Generation != h.Generation || left.Member != alice {
		t.Fatalf("told the watcher of %+v", left)
	}
	b.must(b.store.tickOff(t.Context(), left))
	if n, err := b.store.Unfinished(t.Context(), partition); err != nil || n != 0 {
		t.Fatalf("%d unfinished, %v", n, err)
	}
}

func TestRosterIsInTheOrderOfComing(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	for i := range 20 {
		b.attach(b.session("p" + strconv.Itoa(99-i)))
	}
	roster, err := b.store.Roster(t.Context(), b.mesh)
	b.must(err)
	for i := 1; i < len(roster); i++ {
		if roster[i].ConnectedAt.Before(roster[i-1].ConnectedAt) {
			t.Fatalf("%d came before %d", i, i-1)
		}
	}
	if len(roster) != 20 {
		t.Fatalf("%d peers", len(roster))
	}
}

func TestAPassingHelloSavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	passing := b.session("p")
	passing.Hello, passing.Transient = true, true
	b.must(b.store.Leave(t.Context(), b.attach(passing).Held))
	if saved, ok, err := b.store.Saved(t.Context(), b.mesh, alice); ok || err != nil {
		t.Errorf("saved %+v, %v", saved, err)
	}
}
