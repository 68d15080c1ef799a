package edge_test

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func ring(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, message string) {
	t.Helper()
	if err := e.Client.Raw().Publish(t.Context(), e.Client.MeshBell(m.ID), message).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAKickEndsSessionsAtOnceAndSparesTheControlConnection(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Member("bob")
	daemon, session := bob.Control(e), bob.Session(e)
	ring(t, e, m, "kicked\x1f"+bob.Pub())
	session.ExpectClose(wire.CloseKicked, wire.ReasonKicked)
	ana.Event(wire.EventPeerLeft)
	if peers := daemon.List(); len(peers) != 2 {
		t.Errorf("present after the kick: %+v", peers)
	}
	ring(t, e, m, "disconnected\x1f"+bob.Pub())
	daemon.ExpectClose(wire.CloseNormal, wire.ReasonDisconnected)
	ring(t, e, m, "archived")
	ana.ExpectClose(wire.CloseKicked, wire.ReasonArchived)
}

func TestAMemberIsToldWhatWasChangedOfIt(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Member("bob")
	session := bob.Session(e)
	ring(t, e, m, "profile\x1f"+bob.Pub())
	session.Event(wire.EventProfileUpdated)
	for _, p := range ana.Pushes() {
		if p.Event == wire.EventProfileUpdated {
			t.Error("somebody else was told")
		}
	}
}

func TestAClientThatAsksIsGivenAllPrioritiesWhileWorkingButNotWhileDND(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	eager := m.Member("bob").Session(e, func(h *wire.SessionHello) { h.WhileWorking = true })
	eager.Write(&wire.SetStatus{Status: wire.StatusWorking})
	eager.Settle()
	ana.Send(eager.Key(), "next, while working")
	if got := edgetest.Text(eager.Receive()); got != "next, while working" {
		t.Errorf("got %q", got)
	}
	eager.Write(&wire.SetStatus{Status: wire.StatusDND})
	eager.Settle()
	ana.Send(eager.Key(), "next, while dnd")
	eager.ExpectNoMessage()
}

// TestS2_ABanEndsALeaseInItsGrace bans a member that has no socket anywhere:
// its place must not wait for the end of the grace.
func TestS2_ABanEndsALeaseInItsGrace(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithLease(time.Hour))
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Member("bob")
	lost := bob.Session(e)
	ana.Event(wire.EventPeerJoined)
	lost.Cut()
	if err := e.Registry.Ban(t.Context(), m.ID, bob.Pub()); err != nil {
		t.Fatal(err)
	}
	ana.Event(wire.EventPeerLeft)
	if peers := ana.List(); len(peers) != 1 {
		t.Errorf("present after the ban: %+v", peers)
	}
}
