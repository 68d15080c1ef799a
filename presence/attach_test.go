package presence

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAPeerThatWasAwayJoinsAndReadsOnFromItsOwnJoin(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	got := b.attach(b.session("p1"))
	entry := b.journal()[0]
	if got.Outcome != Joined || got.Resync || got.Start != (Cursor{testEpoch, entry.Seq, entry.ID}) {
		t.Fatalf("got %+v, want joined at %+v", got, entry)
	}
	if entry.Event != "peer_joined" || entry.Member != alice || entry.Flags != "s" || entry.Body != `{"name":"N-p1"}` {
		t.Fatalf("journal has %+v", entry)
	}
	if lasts := b.leaseLasts(got.Peer); b.lease(got.Peer) != got.Value() || lasts > 120*time.Second || lasts < 110*time.Second {
		t.Fatalf("lease %q lasts %v", b.lease(got.Peer), lasts)
	}
}

func TestAJoinWithoutAnEventReadsOnFromTheHead(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	quiet := b.session("p0")
	quiet.Announce = false
	if got := b.attach(quiet); got.Start != (Cursor{testEpoch, 0, ""}) {
		t.Fatalf("in an empty journal: start %v", got.Start)
	}
	head := b.attach(b.session("p1")).Start
	quiet.ID = "p2"
	if got := b.attach(quiet); got.Start != head || got.Stored.Announced {
		t.Fatalf("got start %v, announced %v; want %v", got.Start, got.Stored.Announced, head)
	}
	b.wantEvents("peer_joined p1")
}

func TestL1_APeerBackWithinItsGraceIsResumedSilentlyOnAnyEdge(t *testing.T) {
	t.Parallel()
	for _, edge := range []string{"edgeA", "edgeB"} {
		t.Run(edge, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			first := b.attach(b.session("p1"))
			b.detach(first.Held)
			again := b.session("p1")
			again.Edge, again.Record = edge, []byte(`{"other":1}`)
			got := b.attach(again)
			if got.Outcome != Resumed || got.Displaced != (Held{}) || got.Resync || got.Start != first.Start {
				t.Fatalf("got %+v, want resumed at %v", got, first.Start)
			}
			if string(got.Stored.Record) != string(first.Stored.Record) || got.Generation <= first.Generation {
				t.Fatalf("stored %s with generation %s after %s", got.Stored.Record, got.Generation, first.Generation)
			}
			b.wantEvents("peer_joined p1")
		})
	}
}

func TestL1_APeerWhoseEdgeDiedIsTakenOverSilently(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	first := b.attach(b.session("p1")) // no detach: the edge was killed
	again := b.session("p1")
	again.Edge, again.Conn = "edgeB", "conn2"
	if got := b.attach(again); got.Outcome != TookOver || got.Displaced != first.Held {
		t.Fatalf("got %+v, want it to displace %+v", got, first.Held)
	}
	b.wantEvents("peer_joined p1")
}

func TestL1_ALeaseThatRanOutUnnoticedIsResumedSilently(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	first := b.attach(b.session("p1"))
	b.detach(first.Held)
	b.expire(first.Peer)
	if got := b.attach(b.session("p1")); got.Outcome != Resumed {
		t.Fatalf("got %v, want resumed: nobody was told that it left", got.Outcome)
	}
	if b.settle(first.Peer) {
		t.Fatal("a peer that is back was settled")
	}
	b.wantEvents("peer_joined p1")
}

func TestAReturnAfterTheGoodbyeJoinsAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	first := b.attach(b.session("p1"))
	b.expire(first.Peer)
	b.settle(first.Peer)
	got := b.attach(b.session("p1"))
	if got.Outcome != Joined || got.Generation <= first.Generation {
		t.Fatalf("got %+v", got)
	}
	b.wantEvents("peer_joined p1", "peer_left p1", "peer_joined p1")
}

func TestL3_NothingOfAnOlderAttachmentTakesEffect(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	ctx, older := t.Context(), b.attach(b.session("p1")).Held
	next := b.session("p1")
	next.Conn = "conn2"
	newer := b.attach(next)
	before := b.dump(older.Peer)

	b.wantLost("detach", b.store.Detach(ctx, older, ""))
	b.wantLost("leave", b.store.Leave(ctx, older))
	_, err := b.store.Update(ctx, older, []byte(`{}`), UpdateEvent{Event: "peer_hidden", Data: []byte(`{}`)})
	b.wantLost("update", err)
	_, err = b.store.SetStatus(ctx, older.Peer, &older, StatusDND, SourceManual)
	b.wantLost("set status", err)
	if got := b.renew(older, nil); got != Superseded {
		t.Errorf("renew: got %q, want superseded", got)
	}
	if after := b.dump(older.Peer); after != before {
		t.Fatalf("before %s\nafter  %s", before, after)
	}
	if got := b.renew(newer.Held, nil); got != Renewed {
		t.Fatalf("the newer attachment: %q", got)
	}
}

func TestL3_TheOlderHolderIsToldByBell(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	sub := b.rdb.Raw().Subscribe(t.Context(), b.rdb.MeshBell(b.mesh))
	defer sub.Close()
	_, err := sub.Receive(t.Context())
	b.must(err)
	b.attach(b.session("p1"))
	newer := b.attach(b.session("p1"))
	for _, want := range []string{"journal\x1f1", "taken\x1fp1\x1f" + newer.Generation} {
		msg, err := sub.ReceiveMessage(t.Context())
		b.must(err)
		if !strings.HasPrefix(msg.Payload, want) {
			t.Fatalf("heard %q, want %q", msg.Payload, want)
		}
	}
}

func TestL3_GenerationsGrowEvenWhenRedisWentBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	setBack := []func(){
		func() {},
		func() { b.flushAll() },
		func() { b.expire(b.peer("p1")) },
		func() { b.must(b.rdb.Raw().Set(t.Context(), b.store.LeaseKey(b.peer("p1")), "5/edgeA/conn0", 0).Err()) },
		// A record from the future: Redis's clock was set back.
		func() {
			p := b.attach(b.session("p1")).Stored
			p.Generation = "4000000000000000"
			b.must(b.rdb.Raw().HSet(t.Context(), rosterKey(b.rdb.Tag(b.mesh), b.mesh), "p1", formatRecord(p)).Err())
		},
		func() { b.expire(b.peer("p1")) },
	}
	last := ""
	for i, f := range setBack {
		f()
		gen := b.attach(b.session("p1")).Generation
		if len(gen) != 16 || gen <= last {
			t.Fatalf("step %d: generation %s after %s", i, gen, last)
		}
		last = gen
	}
}

func TestS2_ABannedOrUnknownMemberIsRefusedAlsoOnResume(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	b.attach(b.session("p1"))
	b.ban(alice)
	if _, err := b.store.Attach(t.Context(), b.session("p1")); !errors.Is(err, ErrBanned) {
		t.Errorf("banned member: %v", err)
	}
	stranger := b.session("p2")
	stranger.Member = "cccccccc"
	if _, err := b.store.Attach(t.Context(), stranger); !errors.Is(err, ErrNotMember) {
		t.Errorf("unknown member: %v", err)
	}
}

func TestS2_ExpelEndsAllLeasesOfAMember(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	held := b.attach(b.session("p1"))
	inGrace := b.attach(b.session("p2"))
	b.detach(inGrace.Held)
	other := b.session("p3")
	other.Member = bob
	b.attach(other)
	b.must(b.store.Expel(t.Context(), b.mesh, alice))
	roster, err := b.store.Roster(t.Context(), b.mesh)
	if err != nil || len(roster) != 1 || roster[0].ID != "p3" {
		t.Fatalf("roster %+v, %v", roster, err)
	}
	if b.lease(held.Peer)+b.lease(inGrace.Peer) != "" {
		t.Fatal("leases are left")
	}
}

func TestAFullMeshRefusesNewPeersAndNeverThoseThatComeBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	limited := func(id string, transient bool) Attachment {
		a := b.session(id)
		a.Capacity, a.Transient = 2, transient
		return a
	}
	b.attach(limited("p1", false))
	b.attach(limited("x1", true)) // takes no peer's place
	b.attach(limited("x2", true))
	b.attach(limited("p2", false))
	for _, full := range []Attachment{limited("p3", false), limited("x3", true)} {
		if _, err := b.store.Attach(t.Context(), full); !errors.Is(err, ErrCapacity) {
			t.Errorf("%s: %v, want ErrCapacity", full.ID, err)
		}
	}
	for _, back := range []Attachment{limited("p1", false), limited("x1", true)} {
		if got := b.attach(back); got.Outcome != TookOver {
			t.Errorf("%s: %v", back.ID, got.Outcome)
		}
	}
	b.must(b.store.Leave(t.Context(), b.attach(limited("x1", true)).Held))
	b.attach(limited("x3", true))
}

func TestATransientPeerIsNeitherAnnouncedNorListedAndEndsWithItsSocket(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.session("p1")
	a.Transient = true
	got := b.attach(a)
	if roster, err := b.store.Roster(t.Context(), b.mesh); err != nil || len(roster) != 0 {
		t.Fatalf("roster %+v, %v", roster, err)
	}
	if p, ok := b.get(got.Peer); !ok || !p.Transient || p.Announced {
		t.Fatalf("record %+v, %v", p, ok)
	}
	b.detach(got.Held)
	if _, ok := b.get(got.Peer); ok || b.lease(got.Peer) != "" {
		t.Fatal("it outlived its socket")
	}
	b.wantEvents()
}

func TestAPeerThatWasOnlyPassingJoinsWhenItComesToStay(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	passing := b.session("p1")
	passing.Transient = true
	b.attach(passing)
	if got := b.attach(b.session("p1")); got.Outcome != Joined || got.Stored.Transient {
		t.Fatalf("got %+v", got)
	}
	// And the other way round it stays, with its grace.
	if got := b.attach(passing); got.Outcome != TookOver || got.Stored.Transient {
		t.Fatalf("got %+v", got)
	}
	b.wantEvents("peer_joined p1")
}

func TestAnotherMemberDoesNotResumeAPeer(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	b.attach(b.session("p1"))
	other := b.session("p1")
	other.Member = bob
	if got := b.attach(other); got.Outcome != Joined || got.Stored.Member != bob {
		t.Fatalf("got %+v", got)
	}
	b.wantEvents("peer_joined p1", "peer_left p1", "peer_joined p1")
}

func TestL4_ResumeStartsWhereThePeerWasUnlessTheJournalLostIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	p1 := b.attach(b.session("p1"))
	second := b.attach(b.session("p2")).Start
	head := b.attach(b.session("p3")).Start
	journal := b.store.opt.JournalKeys(b.mesh)[0]
	for _, c := range []struct {
		what, named string
		start       Cursor
		resync      bool
	}{
		{"the stored cursor", "", p1.Start, false},
		{"a named one", second.String(), second, false},
		{"the head", head.String(), head, false},
		{"the beginning", testEpoch + "/0/", Cursor{testEpoch, 0, ""}, false},
		{"another id at that place", testEpoch + "/2/jOther", head, true},
		{"another id at the head", testEpoch + "/3/jOther", head, true},
		{"beyond the head", testEpoch + "/4/jOther", head, true},
		{"another epoch", "Other000/2/" + second.ID, head, true},
		{"nonsense", "a/b/c/d", head, true},
		{"a huge number", testEpoch + "/99999999999999999999/x", head, true},
	} {
		a := b.session("p1")
		a.Cursor = c.named
		if got := b.attach(a); got.Start != c.start || got.Resync != c.resync {
			t.Errorf("%s: start %v, resync %v; want %v, %v", c.what, got.Start, got.Resync, c.start, c.resync)
		}
	}
	b.must(b.rdb.Raw().XDel(t.Context(), journal, "1-0").Err())
	for _, named := range []string{"", testEpoch + "/0/", testEpoch + "/1/" + p1.Start.ID} {
		a := b.session("p1")
		a.Cursor = named
		if got := b.attach(a); !got.Resync || got.Start != head {
			t.Errorf("trimmed, %q: start %v, resync %v", named, got.Start, got.Resync)
		}
	}
}

func TestL4_ARenewalAndADetachStoreTheCursor(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	at := b.attach(b.session("p2")).Start
	b.renewFrom(h, at.String(), nil)
	if got := b.attach(b.session("p1")); got.Start != at {
		t.Fatalf("after renew: %v, want %v", got.Start, at)
	}
	h = b.attach(b.session("p1")).Held
	at = b.attach(b.session("p3")).Start
	b.must(b.store.Detach(t.Context(), h, at.String()))
	if got := b.attach(b.session("p1")); got.Start != at {
		t.Fatalf("after detach: %v, want %v", got.Start, at)
	}
}

func TestIdsOfEventsAreTheSameWheneverTheSameThingIsTold(t *testing.T) {
	t.Parallel()
	who := "local who = {mesh='m', peer='p'} return event_id(who, '7', ARGV[1], '')"
	b := newBench(t, Options{})
	id := func(event string) string {
		got, err := b.rdb.Run(t.Context(), fragmentScript(who), nil, event).Text()
		b.must(err)
		return got
	}
	left, again, joined := id("peer_left"), id("peer_left"), id("peer_joined")
	var shape string
	for _, part := range strings.Split(left, "-") {
		shape += fmt.Sprint(len(part), " ")
	}
	if shape != "8 4 4 4 12 " || again != left || joined == left {
		t.Fatalf("%s, again %s; %s", left, again, joined)
	}
}

func TestWordsThatWouldBreakARecordAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	for _, change := range []func(*Attachment){
		func(a *Attachment) { a.ID = "" },
		func(a *Attachment) { a.ID = "a:b" },
		func(a *Attachment) { a.Member = "a b" },
		func(a *Attachment) { a.Conn = "a/b" },
		func(a *Attachment) { a.Mesh = "{p1}" },
	} {
		a := b.session("p1")
		change(&a)
		if _, err := b.store.Attach(t.Context(), a); err == nil {
			t.Errorf("%+v was accepted", a)
		}
	}
}
