package e2e

import (
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// shortLease makes grace and departure observable within a test.
var shortLease = []string{"EDGE_LEASE_TTL=2s", "EDGE_RENEW_EVERY=500ms", "EDGE_PING_EVERY=500ms"}

// TestACutIsInvisibleAndAnAbsenceIsAnnouncedOnce is the story of the product:
// the receiver's connection is cut and comes back within the lease, and nobody
// saw it leave (L1) nor did it miss anything (L4); then it is gone for good,
// which is told once (L2), and what is sent to it meanwhile waits (Q1).
func TestACutIsInvisibleAndAnAbsenceIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t), shortLease...)
	wire := startTap(t, edge.Addr)
	alice, bob := newUser(t, edge.wsURL()), newUser(t, wire.wsURL())
	alice.run("create", "demo", "--display-name", "alice")
	link, _ := alice.json("invite")["link"].(string)
	bob.run("join", link, "--name", "bob")
	useBroker(t, bob, wire.wsURL())

	watcher := alice.listen()
	ears := bob.listen()
	watcher.await("peer_joined")
	alice.run("send", "bob", "before the cut")
	ears.text("before the cut")

	wire.cut()
	alice.run("send", "bob", "direct in the gap")
	alice.run("send", "*", "to all in the gap")
	ears.texts("direct in the gap", "to all in the gap")
	for _, v := range watcher.drained() {
		if v["event"] == "peer_left" || v["event"] == "peer_joined" || v["event"] == "peer_returned" {
			t.Errorf("L1: the cut was seen: %v", v)
		}
	}

	ears.kill()
	watcher.await("peer_left")
	if got := alice.json("send", "bob", "while you were away"); got["queued"] != true {
		t.Errorf("send to an absent member: %v", got)
	}
	back := bob.listen()
	back.text("while you were away")
	watcher.until("the return", func(v map[string]any) bool { return v["event"] == "peer_joined" || v["event"] == "peer_returned" })
	for _, v := range watcher.drained() {
		if v["event"] == "peer_left" {
			t.Errorf("L2: announced a second time: %v", v)
		}
	}
}

// TestL1_AKilledEdgeIsInvisibleToo moves a session from an edge that dies
// without a word to another one.
func TestL1_AKilledEdgeIsInvisibleToo(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	first, second := startEdge(t, redis, shortLease...), startEdge(t, redis, shortLease...)
	alice := newUser(t, second.wsURL())
	alice.run("create", "demo", "--display-name", "alice")
	link, _ := alice.json("invite")["link"].(string)
	ben := refJoin(t, link, "ben")
	session := newKey(t)
	c, ack := ben.sessionHello(t, first.wsURL(), "Ben", session)
	watcher := alice.listen()
	first.kill()
	<-c.closed
	again, second2 := ben.sessionHello(t, second.wsURL(), "Ben", session)
	if second2["presenceId"] != ack["presenceId"] {
		t.Errorf("another presence: %v, then %v", ack, second2)
	}
	alice.run("send", "*", "still there?")
	again.message()
	for _, v := range watcher.drained() {
		if v["event"] != "message" {
			t.Errorf("the move was seen: %v", v)
		}
	}
}
