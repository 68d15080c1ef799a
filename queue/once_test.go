package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestQ2_AClientIDIsOneMessageOfItsMember(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	first := alice.send(alice.direct(inbox, "id-1", `{"n":1}`))
	if first.Duplicate {
		t.Fatal("the first send is called a duplicate")
	}
	sibling := alice.session("5e55")
	again := func(over string, p *peer) {
		t.Helper()
		if got := p.send(p.direct(inbox, "id-1", `{"n":1}`)); !got.Duplicate || got.MessageID != first.MessageID {
			t.Errorf("over %s: got %+v, want a duplicate of %s", over, got, first.MessageID)
		}
	}
	again("the same connection", alice)
	again("another session", sibling)
	again("another edge", alice.back(edgeB))
	if other := bob.send(bob.direct(alice.sender.Member, "id-1", `{"n":1}`)); other.Duplicate {
		t.Error("another member's id was taken for this member's")
	}
	if n := len(b.read(inbox, LaneNext)); n != 1 {
		t.Errorf("%d messages were stored, want 1", n)
	}
}

func TestQ2_AnotherFingerprintUnderTheSameIDIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	d := alice.direct(bob.sender.Member, "id-1", `{"n":1}`)
	d.Fingerprint = "f1"
	first := alice.send(d)
	for _, print := range []string{"f2", ""} {
		d.Fingerprint = print
		if _, err := b.q.Send(t.Context(), d); !errors.Is(err, ErrFingerprint) {
			t.Errorf("fingerprint %q: got %v, want ErrFingerprint", print, err)
		}
	}
	post := Post{
		Mesh: b.mesh, Lease: alice.lease, Sender: alice.sender, Target: "*",
		ClientID: "id-1", Fingerprint: "f2", Body: []byte("{}"),
	}
	if _, err := b.q.Post(t.Context(), post); !errors.Is(err, ErrFingerprint) {
		t.Errorf("a post under the id of a direct message: got %v, want ErrFingerprint", err)
	}
	d.Fingerprint = "f1"
	if got := alice.send(d); !got.Duplicate || got.MessageID != first.MessageID {
		t.Errorf("got %+v, want a duplicate of %s", got, first.MessageID)
	}
	if n := len(b.read(bob.sender.Member, LaneNext)); n != 1 {
		t.Errorf("%d messages were stored, want 1", n)
	}
}

func TestQ2_APostIsOnceToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.member("a1")
	post := Post{Mesh: b.mesh, Lease: alice.lease, Sender: alice.sender, Target: "@team", ClientID: "id-1", Body: []byte("{}")}
	first, err := b.q.Post(t.Context(), post)
	if err != nil || first.Duplicate {
		t.Fatalf("got %+v, %v", first, err)
	}
	if got, err := b.q.Post(t.Context(), post); err != nil || !got.Duplicate || got.MessageID != first.MessageID {
		t.Errorf("got %+v, %v; want a duplicate of %s", got, err, first.MessageID)
	}
	if entries, _, _ := b.q.Journal(t.Context(), b.mesh, 0, 10); len(entries) != 1 {
		t.Errorf("the journal has %d entries, want 1", len(entries))
	}
}

func TestQ2_ADuplicateIsRecognisedWhenItsTargetHasGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	d := alice.direct(bob.sender.Member, "id-1", "{}")
	first := alice.send(d)
	bob.ack(first.MessageID, bob.sender.Member)
	b.do("HDEL", b.key("members")(b.mesh), bob.sender.Member)
	if got := alice.send(d); !got.Duplicate || got.MessageID != first.MessageID {
		t.Errorf("got %+v, want a duplicate of %s", got, first.MessageID)
	}
}

func TestQ2_ARefusedSendDoesNotOccupyItsID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	d := alice.direct(bob.sender.Member, "id-1", "{}")
	refused := func(want error) {
		t.Helper()
		if _, err := b.q.Send(t.Context(), d); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	b.do("HSET", b.key("bans")(b.mesh), bob.sender.Member, "1")
	refused(ErrNoRecipient)
	b.do("DEL", b.key("bans")(b.mesh))
	b.do("HSET", b.key("grants")(b.mesh), bob.sender.Member, fmt.Sprintf(`{%q:[]}`, alice.sender.Member))
	refused(ErrBlocked)
	b.do("DEL", b.key("grants")(b.mesh))
	b.q.maxMessages = 0
	refused(ErrInboxFull)
	b.q.maxMessages, b.q.maxMesh = MaxInboxMessages, 1
	refused(ErrMeshFull)
	b.q.maxMesh = MaxMeshBytes
	if r := alice.send(d); r.Duplicate {
		t.Errorf("got %+v, want a new message", r)
	}
}

func TestQ2_AnIDIsKeptForThreeBucketsAndThenForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.bucket = 250 * time.Millisecond
	alice, bob := b.member("a1"), b.member("b0b")
	d := alice.direct(bob.sender.Member, "id-1", "{}")
	first := alice.send(d).MessageID
	eventually(t, func() error {
		if alice.send(d).Duplicate {
			return errors.New("the id is never forgotten")
		}
		return nil
	})
	got := b.read(bob.sender.Member, LaneNext)
	if len(got) != 2 || got[0].ID != first {
		t.Fatalf("got %d messages, want 2", len(got))
	}
	if kept := time.Duration(got[1].At-got[0].At) * time.Millisecond; kept < 3*b.q.bucket {
		t.Errorf("the id was kept for %v, want at least %v", kept, 3*b.q.bucket)
	}
	eventually(t, func() error {
		if left := b.do("KEYS", "once:*").([]any); len(left) > 0 {
			return fmt.Errorf("%v never expire", left)
		}
		return nil
	})
}

func TestQ2_TheWindowIsADay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	alice.send(alice.direct(bob.sender.Member, "id-1", "{}"))
	for _, kind := range []string{"once:*", "track:*"} {
		for _, key := range b.do("KEYS", kind).([]any) {
			ttl := time.Duration(b.do("PTTL", key).(int64)) * time.Millisecond
			if ttl < 24*time.Hour || ttl > 32*time.Hour {
				t.Errorf("%v is kept for %v, want 24 to 32 hours", key, ttl)
			}
		}
	}
}
