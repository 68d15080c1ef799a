package e2e

import (
	"crypto/ed25519"
	"net/http"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestAnUnmodifiedClientCanJoinTalkAndAck drives the broker with a client that
// follows the published protocol to the letter and knows none of our additions.
func TestAnUnmodifiedClientCanJoinTalkAndAck(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	owner := newUser(t, edge.wsURL())
	owner.run("create", "demo", "--display-name", "owner")
	link, _ := owner.json("invite", "--uses", "2")["link"].(string)

	ana, ben := refJoin(t, link, "ana"), refJoin(t, link, "ben")
	anaSession, benSession := newKey(t), newKey(t)
	daemon, ack := ana.hello(t, edge.wsURL(), "daemon-4242", nil)
	if ack["presenceId"] == "" || ack["memberDisplayName"] != "ana" {
		t.Errorf("hello_ack %v", ack)
	}
	a, _ := ana.sessionHello(t, edge.wsURL(), "Ana", anaSession)
	b, _ := ben.sessionHello(t, edge.wsURL(), "Ben", benSession)

	joined := a.await("peer_joined of Ben", func(f map[string]any) bool { return f["event"] == "peer_joined" })
	if data := joined["eventData"].(map[string]any); data["pubkey"] != hexPub(benSession) || data["name"] != "Ben" {
		t.Errorf("peer_joined %v", joined)
	}
	checkPeers(t, a, hexPub(anaSession), hexPub(benSession), ana.key())

	id := directMessage(t, a, b, anaSession, benSession, "hello ben")
	b.send(map[string]any{"type": "client_ack", "brokerMessageId": id})
	b.send(map[string]any{"type": "message_status", "messageId": id, "_reqId": "9"})
	status := b.awaitType("message_status_result")
	if status["delivered"] != true || status["_reqId"] != "9" {
		t.Errorf("status %v", status)
	}
	directMessage(t, b, a, benSession, anaSession, "hello ana")

	// A message to the member key reaches the daemon's connection as well.
	nonce, ct := refSeal(t, "to the member", ana.key(), benSession)
	b.send(map[string]any{"type": "send", "id": "m", "targetSpec": ana.key(), "priority": "now", "nonce": nonce, "ciphertext": ct})
	if got := b.awaitType("ack"); got["queued"] != true {
		t.Fatalf("ack %v", got)
	}
	pushed := firstOf(t, daemon, a)
	if got := refOpen(t, pushed, ana.priv); got != "to the member" {
		t.Errorf("got %q", got)
	}
}

// directMessage sends one sealed message and returns its id after checking
// what arrived.
func directMessage(tb testing.TB, from, to *refConn, fromKey, toKey ed25519.PrivateKey, text string) string {
	tb.Helper()
	nonce, ct := refSeal(tb, text, hexPub(toKey), fromKey)
	from.send(map[string]any{
		"type": "send", "id": "c-" + text, "client_message_id": "cid-" + text, "request_fingerprint": "a3f1",
		"targetSpec": hexPub(toKey), "priority": "next", "nonce": nonce, "ciphertext": ct,
	})
	ack := from.awaitType("ack")
	if ack["id"] != "c-"+text || ack["queued"] != true {
		tb.Fatalf("ack %v", ack)
	}
	push := to.message()
	if push["messageId"] != ack["messageId"] || push["senderPubkey"] != hexPub(fromKey) || push["client_message_id"] != "cid-"+text {
		tb.Fatalf("push %v for ack %v", push, ack)
	}
	if got := refOpen(tb, push, toKey); got != text {
		tb.Fatalf("got %q, want %q", got, text)
	}
	return ack["messageId"].(string)
}

func checkPeers(tb testing.TB, c *refConn, want ...string) {
	tb.Helper()
	c.send(map[string]any{"type": "list_peers", "_reqId": "7"})
	list := c.awaitType("peers_list")
	if list["_reqId"] != "7" {
		tb.Errorf("peers_list without _reqId: %v", list)
	}
	have := map[any]bool{}
	for _, p := range list["peers"].([]any) {
		have[p.(map[string]any)["pubkey"]] = true
	}
	for _, key := range want {
		if !have[key] {
			tb.Errorf("peers_list lacks %s: %v", key, list["peers"])
		}
	}
}

// firstOf returns the first message that reaches either connection.
func firstOf(tb testing.TB, a, b *refConn) map[string]any {
	tb.Helper()
	deadline := time.After(patience)
	for {
		var f map[string]any
		select {
		case f = <-a.frames:
		case f = <-b.frames:
		case <-deadline:
			tb.Fatal("no message reached either connection")
		}
		if f["type"] == "push" && f["subtype"] == nil {
			return f
		}
	}
}

// TestExistingOneShotCommandsLeaveNoGhost holds what existing one-shot
// commands rely on: a hello with a throw-away key that closes cleanly is gone
// at once, and one whose session id equals a launched session's evicts nobody.
func TestExistingOneShotCommandsLeaveNoGhost(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	owner := newUser(t, edge.wsURL())
	owner.run("create", "demo", "--display-name", "owner")
	link, _ := owner.json("invite", "--uses", "2")["link"].(string)
	ana, ben := refJoin(t, link, "ana"), refJoin(t, link, "ben")

	session := newKey(t)
	launched, _ := ana.sessionHello(t, edge.wsURL(), "Ana", session)
	watcher, _ := ben.sessionHello(t, edge.wsURL(), "Ben", newKey(t))

	throwAway := newKey(t)
	oneShot, _ := ana.hello(t, edge.wsURL(), "sid-"+hexPub(session)[:8], throwAway.Public().(ed25519.PublicKey))
	checkPeers(t, oneShot, hexPub(session), hexPub(throwAway))
	oneShot.closeClean()
	left := watcher.await("peer_left of the one-shot", func(f map[string]any) bool { return f["event"] == "peer_left" })
	if data := left["eventData"].(map[string]any); data["pubkey"] != hexPub(throwAway) {
		t.Errorf("somebody else left: %v", left)
	}
	checkPeers(t, launched, hexPub(session)) // still there, and its socket still works
}

// TestRefusalsOverHTTPAreTypedAndNeverEmpty looks at what a stranger gets.
func TestRefusalsOverHTTPAreTypedAndNeverEmpty(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/join", `{`, http.StatusBadRequest},
		{"/join", `{}`, http.StatusBadRequest},
		{"/v1/meshes", `{}`, http.StatusUnauthorized},
	} {
		status, answer := postJSON(t, edge.httpURL()+c.path, rawJSON(c.body))
		if status != c.want || answer["error"] == nil {
			t.Errorf("POST %s %s: %d %v", c.path, c.body, status, answer)
		}
	}
}

// rawJSON is sent as it stands, even where it is not JSON.
type rawJSON string

// TestL1_AnUnmodifiedClientThatIsCutComesBackUnseen cuts a session's network
// connection and lets the client say the same hello again.
func TestL1_AnUnmodifiedClientThatIsCutComesBackUnseen(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	owner := newUser(t, edge.wsURL())
	owner.run("create", "demo", "--display-name", "owner")
	link, _ := owner.json("invite", "--uses", "2")["link"].(string)
	ana, ben := refJoin(t, link, "ana"), refJoin(t, link, "ben")
	anaSession, benSession := newKey(t), newKey(t)
	a, _ := ana.sessionHello(t, edge.wsURL(), "Ana", anaSession)
	b, first := ben.sessionHello(t, edge.wsURL(), "Ben", benSession)
	a.await("peer_joined of Ben", func(f map[string]any) bool { return f["event"] == "peer_joined" })
	b.cut()

	nonce, ct := refSeal(t, "in the gap", hexPub(benSession), anaSession)
	a.send(map[string]any{"type": "send", "id": "g", "targetSpec": hexPub(benSession), "priority": "now", "nonce": nonce, "ciphertext": ct})
	if ack := a.awaitType("ack"); ack["queued"] != true {
		t.Fatalf("ack %v", ack)
	}
	again, second := ben.sessionHello(t, edge.wsURL(), "Ben", benSession)
	if second["presenceId"] != first["presenceId"] {
		t.Errorf("another presence: %v, then %v", first, second)
	}
	if got := refOpen(t, again.message(), benSession); got != "in the gap" {
		t.Errorf("got %q", got)
	}
	a.send(map[string]any{"type": "list_peers", "_reqId": "end"})
	a.await("the peer list", func(f map[string]any) bool {
		if f["event"] != nil {
			t.Errorf("the cut was seen: %v", f)
		}
		return f["type"] == "peers_list"
	})
}
