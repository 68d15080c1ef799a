package edge_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestQ1_AfterARollbackMessagesUnderOldPlacesAreDelivered: counters repeat, so
// that new messages stand where others have been pushed from.
func TestQ1_AfterARollbackMessagesUnderOldPlacesAreDelivered(t *testing.T) {
	t.Parallel()
	for name, journal := range map[string]bool{"of inboxes": false, "of inboxes and journal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := lossFleet(t)
			m := one.NewMesh()
			ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
			bob.Settle() // it is entered as the reader
			back := moment(t, one.Client)
			for _, text := range []string{"lost 1", "lost 2", "lost 3"} {
				ana.Send(bob.Key(), text)
				if journal {
					ana.Send("*", text)
					receiveOnce(t, bob, text)
				}
				receiveOnce(t, bob, text)
			}
			bob.Settle() // acks are handled
			back()
			for _, text := range []string{"new 1", "new 2", "new 3", "new 4"} {
				insist(t, ana, bob.Key(), text)
				receiveOnce(t, bob, text)
			}
		})
	}
}

// TestQ1_ARollbackThatBroughtNothingNewRepeatsWhatWaits: what was acked waits
// again, and goes under the id of the first time.
func TestQ1_ARollbackThatBroughtNothingNewRepeatsWhatWaits(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	first := ana.Send(bob.Key(), "waits")
	push := bob.Peek()
	insist(t, ana, "*", "before")
	receiveOnce(t, bob, "before")
	back := moment(t, one.Client)
	insist(t, ana, "*", "lost")
	receiveOnce(t, bob, "lost")
	bob.AckMessage(push)
	bob.Settle()
	back()
	insist(t, ana, "*", "new")
	receiveOnce(t, bob, "new")
	again := edgetest.NextIf(bob, func(p *wire.Push) bool { return edgetest.Text(p) == "waits" })
	if push.MessageID != first || again.MessageID != first {
		t.Errorf("pushed as %s and %s, sent as %s", push.MessageID, again.MessageID, first)
	}
}

// TestQ1_AReaderThatRedisForgotIsEnteredAgain: its lease was kept, and nobody
// would ring for it.
func TestQ1_AReaderThatRedisForgotIsEnteredAgain(t *testing.T) {
	t.Parallel()
	one, other := lossFleet(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	bob.Settle()
	if n := one.Client.Raw().Del(t.Context(), "reader:"+one.Client.Tag(m.ID)+":"+m.ID).Val(); n != 1 {
		t.Fatal("there was no reader")
	}
	insist(t, ana, "*", "before")
	receiveOnce(t, bob, "before")
	back := moment(t, one.Client)
	insist(t, ana, "*", "lost")
	receiveOnce(t, bob, "lost")
	back()
	insist(t, ana, "*", "new")
	receiveOnce(t, bob, "new")
	bob.Settle()
	insist(t, ana, bob.Key(), "for bob")
	receiveOnce(t, bob, "for bob")
}
