package queue

import "testing"

// TestAnInboxIsEmptyOnceItsLastMessageWasAcked covers every lane, since a lane
// that was overlooked would keep its messages until the next bell.
func TestAnInboxIsEmptyOnceItsLastMessageWasAcked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inboxes := []string{bob.sender.Peer, bob.sender.Member}
	empty := func() bool {
		t.Helper()
		got, err := b.q.Empty(t.Context(), b.mesh, inboxes)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if !empty() {
		t.Error("before any message")
	}
	for _, lane := range Lanes() {
		d := alice.direct(bob.sender.Member, string(lane), `{"n":1}`)
		d.Lane = lane
		id := alice.send(d).MessageID
		if empty() {
			t.Errorf("with a message in lane %s", lane)
		}
		if !bob.ack(id, bob.sender.Member) || !empty() {
			t.Errorf("after its ack in lane %s", lane)
		}
	}
}
