package edge_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// durable has two edges on a cluster whose messages are on a replica before
// they are acked.
func durable(t *testing.T, server *redistest.Cluster) (one, other *edgetest.Edge) {
	t.Helper()
	opts := []edgetest.Option{edgetest.WithCluster(server), edgetest.WithConfig(func(c *edge.Config) { c.AckReplicas = 1 })}
	return edgetest.Start(t, opts...), edgetest.Start(t, opts...)
}

// insist sends until it is acked, with one id, as clients do.
func insist(t *testing.T, p *edgetest.Peer, target, text string) {
	t.Helper()
	id := wire.NewID(wire.LongID)
	edgetest.Eventually(t, func() error {
		ack := p.Message(target, text, func(s *wire.Send) { s.ClientMessageID = id })
		if !ack.Queued {
			return errors.New(ack.Error)
		}
		return nil
	})
}

// receiveOnce waits for text, and fails if it comes twice before.
func receiveOnce(t *testing.T, p *edgetest.Peer, want string) {
	t.Helper()
	if got := edgetest.Text(p.Receive()); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func talk(t *testing.T, ana, bob *edgetest.Peer, round string) {
	t.Helper()
	insist(t, ana, bob.Key(), "direct "+round)
	receiveOnce(t, bob, "direct "+round)
	insist(t, bob, ana.Key(), "back "+round)
	receiveOnce(t, ana, "back "+round)
	insist(t, bob, "*", "all "+round)
	receiveOnce(t, ana, "all "+round)
}

func TestL1_EdgesServeThroughEveryFailoverOfACluster(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 1)
	one, other := durable(t, server)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ana.Event(wire.EventPeerJoined)
	talk(t, ana, bob, "before")
	tag := one.Client.Tag(m.ID)
	for i := range 2 {
		server.Failover(server.Owner(tag))
		talk(t, ana, bob, fmt.Sprint("failover ", i))
	}
	ana.ExpectNothing()
	bob.ExpectNothing()
}

func TestQ1_NothingAckedIsLostWhenAMasterIsKilled(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 1)
	one, other := durable(t, server)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ana.Event(wire.EventPeerJoined)
	owner := server.Owner(one.Client.Tag(m.ID))
	const before = 20
	for i := range before {
		insist(t, ana, bob.Key(), fmt.Sprint(i))
	}
	server.Kill(owner)
	killed := time.Now()
	ana.Post("*", "in the gap") // may be answered with an error, and not again
	next := server.AwaitNewOwner(one.Client.Tag(m.ID), owner)
	t.Logf("node %d took over after %v", next, time.Since(killed))
	server.Restart(owner) // as a replica, which confirms again
	for i := range before {
		receiveOnce(t, bob, fmt.Sprint(i))
	}
	insist(t, ana, bob.Key(), "after")
	for {
		got := edgetest.Text(bob.Receive())
		if got == "after" {
			break
		}
		if got != "in the gap" {
			t.Fatalf("got %q", got)
		}
	}
	ana.ExpectNoMessage()
	if len(ana.List()) != 2 {
		t.Error("somebody is missing")
	}
}

func TestL4_BellsFollowASlotThatMoves(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 0)
	one, other := edgetest.Start(t, edgetest.WithCluster(server)), edgetest.Start(t, edgetest.WithCluster(server))
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ana.Event(wire.EventPeerJoined)
	tag := one.Client.Tag(m.ID)
	from := server.Owner(tag)
	for i := range 4 {
		server.Reshard(tag, (from+1+i)%3, func() { ana.Post(bob.Key(), fmt.Sprint("moving ", i)) })
		receiveOnce(t, bob, fmt.Sprint("moving ", i))
		talk(t, ana, bob, fmt.Sprint("round ", i))
	}
	ana.ExpectNothing()
	bob.ExpectNothing()
}

func TestS2_ABanReachesEveryEdgeOfACluster(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 0)
	one, other := edgetest.Start(t, edgetest.WithCluster(server)), edgetest.Start(t, edgetest.WithCluster(server))
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	began := time.Now()
	if err := other.Registry.Ban(t.Context(), m.ID, ana.Member.Pub()); err != nil {
		t.Fatal(err)
	}
	ana.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
	if took := time.Since(began); took > time.Second {
		t.Errorf("closed after %v", took)
	}
}
