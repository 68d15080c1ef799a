package presence

import (
	"testing"
	"time"
)

func snapshotOf(a Attached) func() Presence { return func() Presence { return a.Stored } }

func TestARenewalExtendsTheLeaseAndLeavesTheIndexAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.must(b.rdb.Raw().PExpire(t.Context(), b.store.LeaseKey(h.Peer), time.Second).Err())
	before := b.rdb.Raw().ZScore(t.Context(), dueKey(b.rdb.Tag(b.mesh)), dueMember(h.Peer)).Val()
	if got := b.renew(h, nil); got != Renewed {
		t.Fatalf("got %q", got)
	}
	if left := b.leaseLasts(h.Peer); left < 110*time.Second {
		t.Errorf("lease lasts %v", left)
	}
	if after := b.rdb.Raw().ZScore(t.Context(), dueKey(b.rdb.Tag(b.mesh)), dueMember(h.Peer)).Val(); after != before {
		t.Error("the index was written")
	}
}

func TestL1_ARenewalOfALeaseThatRanOutRestoresItSilently(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	h := b.attach(b.session("p1")).Held
	b.expire(h.Peer)
	if got := b.renew(h, nil); got != Restored || b.lease(h.Peer) != h.Value() {
		t.Fatalf("got %q, lease %q", got, b.lease(h.Peer))
	}
	b.wantEvents("peer_joined p1")
}

func TestAPeerThatWasAnnouncedAsLeftIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.attach(b.session("p1"))
	b.expire(a.Peer)
	b.settle(a.Peer)
	if got := b.renewFrom(a.Held, a.Start.String(), nil); got != Gone || b.lease(a.Peer) != "" {
		t.Fatalf("got %q, lease %q", got, b.lease(a.Peer))
	}
}

func TestL1_AfterRedisLostEverythingRenewalsRestoreItSilently(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.attach(b.session("p1"))
	status, err := b.store.SetStatus(t.Context(), a.Peer, &a.Held, StatusWorking, SourceManual)
	b.must(err)
	a.Stored.Status = status
	b.flushAll()
	// Another peer is quicker: the journal has a new epoch.
	other := b.session("p2")
	other.Epoch = "Other000"
	b.attach(other)

	if got := b.renewFrom(a.Held, a.Start.String(), snapshotOf(a)); got != Restored || b.lease(a.Peer) != a.Value() {
		t.Fatalf("got %q, lease %q", got, b.lease(a.Peer))
	}
	p, ok := b.get(a.Peer)
	if !ok || formatRecord(p) != formatRecord(a.Stored) {
		t.Fatalf("record %+v, %v", p, ok)
	}
	if got := b.renewFrom(a.Held, a.Start.String(), nil); got != Renewed {
		t.Fatalf("then %q", got)
	}
	if left := b.deadline(a.Peer); left < 110*time.Second {
		t.Fatalf("the index has it in %v", left)
	}
	b.wantEvents("peer_joined p2")
}

func TestL1_WhenRedisWentBackTheNewerGenerationIsWrittenBackSilently(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	older := b.attach(b.session("p1"))
	b.detach(older.Held)
	newer := b.attach(b.session("p1"))
	ctx, raw, tag := t.Context(), b.rdb.Raw(), b.rdb.Tag(b.mesh)
	b.must(raw.Set(ctx, b.store.LeaseKey(older.Peer), older.Value(), time.Minute).Err())
	b.must(raw.HSet(ctx, rosterKey(tag, b.mesh), "p1", formatRecord(older.Stored)).Err())

	if got := b.renewFrom(newer.Held, newer.Start.String(), snapshotOf(newer)); got != Restored {
		t.Fatalf("got %q", got)
	}
	if p, _ := b.get(newer.Peer); p.Generation != newer.Generation || b.lease(newer.Peer) != newer.Value() {
		t.Fatalf("record of %s, lease %q", p.Generation, b.lease(newer.Peer))
	}
	if got := b.renew(older.Held, nil); got != Superseded {
		t.Fatalf("the older one: %q", got)
	}
	b.wantEvents("peer_joined p1")
}

func TestL1_AJournalThatEndsBeforeTheCursorMeansLostDataNotAGoodbye(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	b.attach(b.session("p1"))
	a := b.attach(b.session("p2"))
	// Redis went back to before p2 came.
	ctx, raw, tag := t.Context(), b.rdb.Raw(), b.rdb.Tag(b.mesh)
	b.must(raw.Del(ctx, b.store.LeaseKey(a.Peer)).Err())
	b.must(raw.HDel(ctx, rosterKey(tag, b.mesh), "p2").Err())
	b.must(raw.HSet(ctx, b.store.opt.JournalKeys(b.mesh)[1], "jseq", 1).Err())
	if got := b.renewFrom(a.Held, a.Start.String(), snapshotOf(a)); got != Restored {
		t.Fatalf("got %q", got)
	}
}

func TestL1_AnotherEntryAtTheCursorMeansLostDataNotAGoodbye(t *testing.T) {
	t.Parallel()
	for others := 1; others <= 2; others++ {
		b := newBench(t, Options{})
		a := b.attach(b.session("p1"))
		// Redis went back to before p1 came, and others were quicker than its
		// renewal, so that the journal has grown to the cursor again.
		ctx, raw, tag, journal := t.Context(), b.rdb.Raw(), b.rdb.Tag(b.mesh), b.store.opt.JournalKeys(b.mesh)
		b.must(raw.Del(ctx, b.store.LeaseKey(a.Peer), journal[0]).Err())
		b.must(raw.HDel(ctx, rosterKey(tag, b.mesh), "p1").Err())
		b.must(raw.HDel(ctx, journal[1], "jseq", "jid").Err())
		for _, id := range []string{"p2", "p3"}[:others] {
			b.attach(b.session(id))
		}
		if got := b.renewFrom(a.Held, a.Start.String(), snapshotOf(a)); got != Restored {
			t.Errorf("with %d others: got %q", others, got)
		}
	}
}

func TestS2_ABannedMemberIsNotRestored(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.attach(b.session("p1"))
	b.flushAll()
	b.ban(alice)
	if got := b.renewFrom(a.Held, a.Start.String(), snapshotOf(a)); got != Gone || b.lease(a.Peer) != "" {
		t.Fatalf("got %q", got)
	}
}

func TestManyRenewalsAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	var rs []Renewal
	var want []RenewOutcome
	for i, id := range []string{"p1", "p2", "p3", "p4", "p5", "p6"} {
		a := b.attach(b.session(id))
		want = append(want, Renewed)
		if i%2 == 1 {
			b.attach(b.session(id))
			want[i] = Superseded
		}
		rs = append(rs, Renewal{Held: a.Held, Cursor: a.Start.String()})
	}
	got, err := b.store.Renew(t.Context(), rs)
	b.must(err)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: got %q, want %q", i, got[i], want[i])
		}
	}
}

func TestRenewalsWithoutAnAnswerSaySo(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	a := b.attach(b.session("p1"))
	b.server.Kill()
	got, err := b.store.Renew(t.Context(), []Renewal{{Held: a.Held, Cursor: a.Start.String()}})
	if err == nil || len(got) != 1 || got[0] != Unanswered {
		t.Fatalf("got %q, %v", got, err)
	}
}
