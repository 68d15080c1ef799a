package edge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/rooms"
)

// talkative has an edge tell the fleet of itself often.
func talkative() edgetest.Option {
	return edgetest.WithServer(func(s *edge.Server) { s.SetReportEvery(20 * time.Millisecond) })
}

// fleetIs waits until the fleet is listed with that many sockets, the most
// first, each under ten seconds old.
func fleetIs(t *testing.T, e *edgetest.Edge, sockets ...int) []wire.FleetEdge {
	t.Helper()
	var edges []wire.FleetEdge
	edgetest.Eventually(t, func() (err error) {
		if edges, err = (rooms.Fleet{Redis: e.Client}).Edges(t.Context()); err != nil || len(edges) != len(sockets) {
			return fmt.Errorf("%d edges, want %d; %w", len(edges), len(sockets), err)
		}
		found := map[int]int{}
		for _, e := range edges {
			if e.Sockets == nil || e.LateMs == nil || e.Version == "" || e.Started == nil {
				return fmt.Errorf("an edge says nothing: %+v", e)
			}
			found[*e.Sockets]++
		}
		for _, n := range sockets {
			if found[n]--; found[n] < 0 {
				return fmt.Errorf("no edge with %d sockets: %+v", n, edges)
			}
		}
		return nil
	})
	return edges
}

func TestTheFleetListsEachEdgeUntilItStops(t *testing.T) {
	t.Parallel()
	one, other := two(t, talkative())
	m := one.NewMesh()
	m.Session(one, "ana")
	m.Session(one, "bob")
	m.Session(other, "carl")
	for _, e := range fleetIs(t, one, 2, 1) {
		if e.AgeMs > 10_000 || time.Since(e.Started.Time) > time.Minute {
			t.Errorf("got %+v", e)
		}
	}
	other.Stop()
	fleetIs(t, one, 2)
}

func TestAnEdgeThatDiedIsListedForAWhileAndThenForgotten(t *testing.T) {
	t.Parallel()
	old := edgetest.Start(t, talkative())
	fleetIs(t, old, 0)
	old.Kill()
	word := fmt.Sprintf(`{"seenMs":%d}`, time.Now().Add(-time.Hour).UnixMilli())
	if err := old.Client.Raw().HSet(t.Context(), "fleet", "longgone", word, "garbled", "?").Err(); err != nil {
		t.Fatal(err)
	}
	edgetest.Start(t, talkative(), edgetest.WithRedis(old.Redis))
	fleetIs(t, old, 0, 0) // the one that died a moment ago, and the new one
}

// administer makes a signed request of the mesh's owner.
func administer(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, method, tail string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, e.HTTP+"/v1/meshes/"+m.ID+tail, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	wire.SignRequest(r, text, m.Owner, time.Now())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	out, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s, %v", method, tail, answer.StatusCode, out, err)
	}
	return out
}

// TestL2_WhoIsSentAwayDuringTheGraceLeavesOnceAtOnce kicks, disconnects, revokes
// and bans peers that no edge holds a socket for, over an edge that never did.
func TestL2_WhoIsSentAwayDuringTheGraceLeavesOnceAtOnce(t *testing.T) {
	t.Parallel()
	one, other := two(t, edgetest.WithLease(time.Hour), talkative())
	m := one.NewMesh()
	ana := m.Session(other, "ana")
	for name, send := range map[string]func(*edgetest.Member, *edgetest.Peer){
		"kicked": func(_ *edgetest.Member, p *edgetest.Peer) {
			administer(t, other, m, "POST", "/kicks", wire.KickRequest{Target: p.Key()})
		},
		"disconnected": func(b *edgetest.Member, _ *edgetest.Peer) {
			administer(t, other, m, "POST", "/disconnects", wire.KickRequest{Target: b.Pub()})
		},
		"banned": func(b *edgetest.Member, _ *edgetest.Peer) { administer(t, other, m, "POST", "/bans/"+b.Pub(), nil) },
		"revoked": func(b *edgetest.Member, _ *edgetest.Peer) {
			administer(t, other, m, "DELETE", "/members/"+b.Pub(), nil)
		},
	} {
		bob := m.Member(name)
		lost := bob.Session(one)
		ana.Event(wire.EventPeerJoined)
		lost.Cut()
		edgetest.Eventually(t, func() error {
			if one.Server.Sockets() > 0 {
				return fmt.Errorf("the edge has not noticed")
			}
			return nil
		})
		send(bob, lost)
		ana.Event(wire.EventPeerLeft)
		if peers := ana.List(); len(peers) != 1 {
			t.Errorf("%s: present: %+v", name, peers)
		}
		ana.ExpectNothing()
	}
}

// TestAKickOfAPeerOfADeadEdgeEndsItsLease kicks a peer whose edge was killed:
// nobody is left to close its socket, and its lease names a connection.
func TestAKickOfAPeerOfADeadEdgeEndsItsLease(t *testing.T) {
	t.Parallel()
	one, other := two(t, edgetest.WithLease(time.Hour), talkative())
	m := one.NewMesh()
	ana, bob := m.Session(other, "ana"), m.Session(one, "bob")
	ana.Event(wire.EventPeerJoined)
	one.Kill()
	// A dead edge is one that has said nothing for a quarter of a minute.
	all, err := other.Client.Raw().HGetAll(t.Context(), "fleet").Result()
	if err != nil {
		t.Fatal(err)
	}
	for id := range all {
		if id != ana.Ack.Edge {
			other.Client.Raw().HSet(t.Context(), "fleet", id, `{"seenMs":1}`)
		}
	}
	if err := other.Client.Raw().Del(t.Context(), "edges").Err(); err != nil {
		t.Fatal(err)
	}
	administer(t, other, m, "POST", "/kicks", wire.KickRequest{Target: bob.Key()})
	ana.Event(wire.EventPeerLeft)
	ana.ExpectNothing()
}

// TestAKickLeavesTheSocketToItsEdge sees that a peer whose socket is open is
// closed with the code of a kick, never as one whose lease was lost.
func TestAKickLeavesTheSocketToItsEdge(t *testing.T) {
	t.Parallel()
	one, other := two(t, talkative())
	m := one.NewMesh()
	ana := m.Session(other, "ana")
	for range 5 {
		bob := m.Session(one, "bob")
		fleetIs(t, one, 1, 1)
		ana.Event(wire.EventPeerJoined)
		administer(t, other, m, "POST", "/kicks", wire.KickRequest{Target: bob.Key()})
		bob.ExpectClose(wire.CloseKicked, wire.ReasonKicked)
		ana.Event(wire.EventPeerLeft)
	}
	ana.ExpectNothing()
}
