package edge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestWithoutRedisRequestsAreRefusedAndItRecovers(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	ana.Pushes()
	e.Redis.Stop() // with its data saved: a lost mesh is another story
	if ack := ana.Message(bob.Key(), "x"); ack.Queued || ack.Error != wire.AckUnavailable {
		t.Errorf("ack: %+v", ack)
	}
	ana.Write(&wire.ListPeers{ReqID: "1"})
	if got := ana.ExpectError(wire.CodeUnavailable); got.ReqID != "1" {
		t.Errorf("error: %+v", got)
	}
	conn := edgetest.Dial(t, e)
	conn.Write(m.Member("ana").SessionHello(edgetest.NewKey(t)))
	conn.ExpectError(wire.CodeUnavailable)
	conn.ExpectClose(wire.CloseRestarting, string(wire.CodeUnavailable))

	e.Redis.Restart()
	edgetest.Eventually(t, func() error {
		if ack := ana.Message(bob.Key(), "back"); !ack.Queued {
			return fmt.Errorf("ack: %+v", ack)
		}
		return nil
	})
	if got := bob.Receive(); edgetest.Text(got) != "back" {
		t.Errorf("got %+v", got)
	}
	ana.Send("*", "all")
	if got := bob.Receive(); edgetest.Text(got) != "all" {
		t.Errorf("got %+v", got)
	}
	bob.ExpectNothing()
}

func TestAPausedRedisIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	e.Redis.Pause()
	ana.Write(&wire.ListPeers{ReqID: "1"})
	ana.ExpectError(wire.CodeUnavailable)
	e.Redis.Resume()
	if len(ana.List()) != 1 {
		t.Error("the list is wrong")
	}
}

func TestAnEdgeThatCannotRenewSendsItsPeersAway(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithLease(600*time.Millisecond))
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	e.Redis.Kill()
	edgetest.Next[*wire.Restarting](ana)
	ana.ExpectClose(wire.CloseRestarting, wire.ReasonRestarting)
	e.Redis.Restart()
}

func TestASilentPeerIsCutAndKeepsItsLease(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.PingEvery = 100 * time.Millisecond }))
	m := e.NewMesh()
	watcher, ana := m.Session(e, "watcher"), m.Session(e, "ana")
	watcher.Pushes()
	ana.Mute()
	if code, _ := ana.Closed(); code != 1006 {
		t.Errorf("closed %d", code)
	}
	ana.Unmute()
	if again := ana.Again(e); !again.Ack.Resumed {
		t.Error("not resumed")
	}
	watcher.ExpectNothing()
}

func TestACutSubscriptionCatchesUp(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	bob.Pushes()
	for i := range 5 {
		if err := one.Client.Raw().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
			t.Fatal(err)
		}
		all, direct := fmt.Sprint("all ", i), fmt.Sprint("direct ", i)
		ana.Send("*", all)
		ana.Send(bob.Key(), direct)
		for _, want := range []string{all, direct} {
			got := edgetest.NextIf(bob, func(p *wire.Push) bool { return edgetest.Text(p) == want })
			bob.AckMessage(got)
		}
	}
}

func TestAStoppingEdgeIsUnreadyAndTakesNobody(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	peers := make([]*edgetest.Peer, 20)
	for i := range peers {
		peers[i] = m.Session(e, fmt.Sprint("peer", i))
	}
	stranger := edgetest.Dial(t, e)
	if status, _ := get(t, e.HTTP+"/health/ready"); status != 200 {
		t.Errorf("ready: %d", status)
	}
	e.Drain()
	edgetest.Next[*wire.Restarting](peers[19])
	if status, _ := get(t, e.HTTP+"/health/ready"); status != 503 {
		t.Errorf("ready while draining: %d", status)
	}
	if status := upgradeStatus(t, e, "/ws"); status != 503 {
		t.Errorf("upgrade while draining: %d", status)
	}
	stranger.ExpectClose(wire.CloseRestarting, wire.ReasonRestarting)
	for _, p := range peers {
		p.ExpectClose(wire.CloseRestarting, wire.ReasonRestarting)
	}
}
