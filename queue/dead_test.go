package queue

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bury sends a message to inbox and makes it a dead letter.
func (p *peer) bury(inbox string) DeadLetter {
	p.b.tb.Helper()
	id := p.say(inbox)
	keep := p.b.q.retention
	p.b.q.retention = expired
	p.b.retire(100)
	p.b.q.retention = keep
	for _, d := range p.b.deadLetters() {
		if d.ID == id {
			return d
		}
	}
	p.b.tb.Fatalf("%s is no dead letter", id)
	return DeadLetter{}
}

func (b *bundle) requeue(id string) error { return b.q.Requeue(b.tb.Context(), b.mesh, id) }

func (b *bundle) drop(id string) error { return b.q.DropDead(b.tb.Context(), b.mesh, id) }

func TestADeadLetterThatIsPutBackReachesItsReaderUnderItsID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	session := bob.session("5e5510")
	claim := bob.claim("c1a1", "1111111111111111111111111111111111111111")
	claim.open(claim.sender.Key, RankUnproven)
	for _, reader := range []*peer{bob, session, claim} {
		inbox := reader.sender.Key
		reader.open(inbox, RankSession)
		letter := alice.bury(inbox)
		hear := b.listen(b.c.EdgeBell(b.mesh, edgeA))
		newer := alice.say(inbox)
		hear()
		if err := b.requeue(letter.ID); err != nil {
			t.Fatal(err)
		}
		waiting := b.read(letter.Inbox, LaneNext)
		if !slices.Equal(ids(waiting), []string{newer, letter.ID}) {
			t.Fatalf("%s reads %q, want the newer %s and then %s", reader.kind, ids(waiting), newer, letter.ID)
		}
		want := letter.Entry
		want.Seq = waiting[1].Seq
		if diff := cmp.Diff(want, waiting[1]); diff != "" {
			t.Errorf("%s: not the message that it was (-want, +got):\n%s", reader.kind, diff)
		}
		bell, ok := ParseInboxBell(hear())
		if diff := cmp.Diff(InboxBell{Inbox: letter.Inbox, Lane: LaneNext, Reader: reader.sender.Peer, Prev: waiting[0].Seq, Entry: want}, bell); !ok || diff != "" {
			t.Errorf("%s heard (-want, +got):\n%s", reader.kind, diff)
		}
		if s, err := b.q.Status(t.Context(), b.mesh, letter.ID); err != nil || s.Delivered {
			t.Errorf("status %+v, %v", s, err)
		}
		if !reader.ack(letter.ID, letter.Inbox) || reader.ack(letter.ID, letter.Inbox) || !reader.ack(newer, letter.Inbox) {
			t.Error("each must be acked once, by its id")
		}
		if s, err := b.q.Status(t.Context(), b.mesh, letter.ID); err != nil || !s.Delivered {
			t.Errorf("status %+v, %v", s, err)
		}
	}
	if h := b.headHash(); len(h) != 0 || len(b.deadLetters()) != 0 {
		t.Errorf("left behind: %v", h)
	}
}

func TestTheRetentionOfADeadLetterThatIsPutBackBeginsAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	letter := alice.bury(bob.sender.Member)
	// The message is older than the retention; only its time of being put back
	// keeps it.
	eventually(t, func() error {
		if b.do("TIME").([]any)[0] == fmt.Sprint(letter.At/1000) {
			return errors.New("not a second has passed")
		}
		return nil
	})
	if err := b.requeue(letter.ID); err != nil {
		t.Fatal(err)
	}
	score := b.do("ZSCORE", b.q.at(b.mesh).waits(), inboxRef{b.mesh, letter.Inbox, LaneNext}.String())
	if fmt.Sprint(score) == fmt.Sprint(float64(letter.At)) || score == nil {
		t.Errorf("the inbox waits since %v, when the message was sent", score)
	}
	b.q.retention = expired
	n := b.retire(10)
	b.q.retention = Retention
	if n != 1 || len(b.deadLetters()) != 1 || b.deadLetters()[0].ID != letter.ID {
		t.Errorf("%d are dead again: %+v", n, b.deadLetters())
	}
	if err := b.requeue(letter.ID); err != nil {
		t.Errorf("put back again: %v", err)
	}
	for range MaxPushes {
		if err := b.q.Confirm(t.Context(), b.mesh, bob.lease, letter.Inbox, LaneNext, []uint64{b.read(letter.Inbox, LaneNext)[0].Seq}); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := b.q.Status(t.Context(), b.mesh, letter.ID); err != nil || !s.Delivered || !s.Unconfirmed {
		t.Errorf("status %+v, %v", s, err)
	}
	if h := b.headHash(); len(h) != 0 {
		t.Errorf("left behind: %v", h)
	}
}

func TestQ4_ADeadLetterIsPutBackOnlyWhereASendWouldFit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	session := bob.session("5e5510")
	letter, other := alice.bury(bob.sender.Member), alice.bury(session.sender.Key)
	alice.say(bob.sender.Member)
	refused := func(what, id string, want error) {
		t.Helper()
		if err := b.requeue(id); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if n := len(b.deadLetters()); n != 2 {
			t.Errorf("%s: %d dead letters are left", what, n)
		}
	}
	messages, bytes, mesh := b.q.maxMessages, b.q.maxBytes, b.q.maxMesh
	b.q.maxMessages = 1
	refused("as many as may wait", letter.ID, ErrInboxFull)
	b.q.maxMessages, b.q.maxBytes = messages, 200
	refused("as many bytes", letter.ID, ErrInboxFull)
	b.q.maxBytes, b.q.maxMesh = bytes, 200
	refused("a full mesh", letter.ID, ErrMeshFull)
	b.q.maxMesh = mesh
	refused("no dead letter", makeID(ClassDirect, 9, letter.ID[idHead:]), ErrNotFound)
	refused("a letter of another id", letter.ID[:idLen-1]+"!", ErrInvalid)
	refused("no direct message", makeID(ClassJournal, 1, letter.ID[idHead:]), ErrInvalid)
	b.do("HSET", b.key("bans")(b.mesh), bob.sender.Member, "1")
	refused("a banned member", letter.ID, ErrNoRecipient)
	refused("its session", other.ID, ErrNoRecipient)
	b.do("DEL", b.key("bans")(b.mesh))
	b.do("HDEL", b.key("sessions")(b.mesh), session.sender.Key)
	refused("a session that nobody knows", other.ID, ErrNoRecipient)
	if err := b.requeue(letter.ID); err != nil {
		t.Errorf("with room for it: %v", err)
	}
}

// TestADeadLetterIsPutBackOrDroppedOnce has several admins act at once: one of
// them does it, and the others are told that it is done.
func TestADeadLetterIsPutBackOrDroppedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	for range 20 {
		letter := alice.bury(inbox)
		var done, putBack atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				do, n := b.drop, &atomic.Int64{}
				if i%2 == 0 {
					do, n = b.requeue, &putBack
				}
				switch err := do(letter.ID); {
				case err == nil:
					done.Add(1)
					n.Add(1)
				case !errors.Is(err, ErrNotFound):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 {
			t.Fatalf("done %d times", done.Load())
		}
		waiting := b.read(inbox, LaneNext)
		if len(waiting) != int(putBack.Load()) {
			t.Fatalf("%d wait, %d were put back", len(waiting), putBack.Load())
		}
		for _, e := range waiting {
			bob.ack(e.ID, inbox)
		}
	}
	if h := b.headHash(); len(h) != 0 {
		t.Errorf("left behind: %v", h)
	}
	if left := b.do("EXISTS", b.q.at(b.mesh).dead(), b.q.at(b.mesh).buried()); left != int64(0) {
		t.Error("dead letters are left behind")
	}
}

func TestADroppedDeadLetterCountsNoMore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	first := alice.bury(bob.sender.Member)
	size := b.headHash()["dead"]
	second := alice.bury(bob.sender.Member)
	if err := b.drop(first.ID); err != nil {
		t.Fatal(err)
	}
	if h := b.headHash(); h["dead"] != size {
		t.Errorf("one letter counts %s, want %s", h["dead"], size)
	}
	if err := b.drop(first.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("dropped twice: %v", err)
	}
	if got := b.deadLetters(); len(got) != 1 || got[0].ID != second.ID {
		t.Errorf("left: %+v", got)
	}
}
