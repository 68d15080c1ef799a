package edge_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestQ1_APassingCommandTakesNothingThatWaits guards the mail of a member who
// is away against that member's own one-shot commands: they connect for a
// moment, show nothing and ack nothing.
func TestQ1_APassingCommandTakesNothingThatWaits(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Member("bob")
	ana.Send(bob.Pub(), "for bob")
	for range 7 { // more than the pushes after which a message counts as delivered
		passing := bob.Session(e, func(h *wire.SessionHello) { h.Transient = true })
		for range 20 { // time enough for a push to overtake one of the answers
			passing.List()
		}
		for _, f := range passing.Frames() {
			if push, ok := f.(*wire.Push); ok && !push.IsEvent() {
				t.Errorf("a passing command was given %q", edgetest.Text(push))
			}
		}
		passing.Write(&wire.Goodbye{})
		passing.Closed()
	}
	back := bob.Session(e)
	if got := edgetest.Text(back.Receive()); got != "for bob" {
		t.Errorf("got %q", got)
	}
}

func TestATransientPeerThatAsksIsGivenWhatWaits(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Member("bob")
	ana.Send(bob.Pub(), "for bob")
	asking := bob.Session(e, func(h *wire.SessionHello) { h.Transient = true })
	asking.Write(&wire.Sync{ReqID: "1"})
	if got := edgetest.Text(asking.Receive()); got != "for bob" {
		t.Errorf("got %q", got)
	}
}
