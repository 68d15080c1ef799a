package admin_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// deadID is the id of no dead letter.
const deadID = "d000000123456789abcdefghijklmnop"

// arrive makes a peer present, as an edge does that is alive.
func arrive(tb testing.TB, p *place, member, key string, kind presence.Kind) {
	tb.Helper()
	s := presence.New(p.client, presence.Options{
		JournalLua: queue.JournalLua,
		JournalKeys: func(mesh string) []string {
			return []string{"journal:" + p.client.Tag(mesh), "head:" + p.client.Tag(mesh)}
		},
		MembersKey: p.Store.MembersKey, BansKey: p.Store.BansKey,
	})
	word := fmt.Sprintf(`{"seenMs":%d}`, time.Now().UnixMilli())
	if err := p.client.Raw().HSet(tb.Context(), "fleet", "E00000000001", word).Err(); err != nil {
		tb.Fatal(err)
	}
	id := key
	if kind != presence.KindSession {
		id = string(kind[0]) + key[:40]
	}
	if _, err := s.Attach(tb.Context(), presence.Attachment{
		Peer: presence.Peer{Mesh: p.ID, ID: id}, Member: member, Key: key, Kind: kind,
		Edge: "E00000000001", Conn: "C00000000001", Announce: true, Record: []byte(`{"displayName":"Ana's laptop"}`), Capacity: 100,
	}); err != nil {
		tb.Fatal(err)
	}
}

// hear returns a function that waits for the next message on the mesh's bell.
func hear(tb testing.TB, c *redis.Client, mesh string) func() string {
	tb.Helper()
	sub := c.Raw().Subscribe(tb.Context(), c.MeshBell(mesh))
	tb.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	messages := sub.Channel()
	return func() string {
		select {
		case m := <-messages:
			return strings.ReplaceAll(m.Payload, "\x1f", " ")
		case <-time.After(5 * time.Second):
			tb.Error("no bell")
			return ""
		}
	}
}

func TestMembersAreListedWithTheirConnections(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	ana := wire.PublicKey(p.Creator)
	arrive(t, p, ana, strings.Repeat("5", 64), presence.KindSession)
	arrive(t, p, ana, ana, presence.KindMember)
	w := p.serve(t, signed(t, "GET", p.path("/members"), "", p.Creator))
	expect(t, "list", w, 200, "")
	var out wire.MembersResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Members) != 1 || len(out.Members[0].Present) != 2 {
		t.Fatalf("got %s, %v", w.Body, err)
	}
	first := out.Members[0].Present[0]
	if first.PeerRole != wire.PeerRoleSession || first.DisplayName != "Ana's laptop" || !first.Visible {
		t.Errorf("got %+v", first)
	}
}

func TestAKickRingsForSessionsAndADisconnectForAll(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	member := enrolled(t, p, wire.RoleMember)
	session := strings.Repeat("5", 64)
	arrive(t, p, member, session, presence.KindSession)
	arrive(t, p, member, member, presence.KindMember)
	heard := hear(t, p.client, p.ID)
	for _, c := range []struct {
		verb, target, bell string
		affected, skipped  int
	}{
		{"/kicks", member, "kicked " + member, 1, 1},
		{"/kicks", strings.ToUpper(session), "kicked " + session, 1, 0},
		{"/disconnects", member, "disconnected " + member, 2, 0},
		{"/disconnects", "*", "disconnected *", 2, 0},
	} {
		w := p.serve(t, signed(t, "POST", p.path(c.verb), wire.KickRequest{Target: c.target}, p.Owner))
		expect(t, c.verb, w, 200, "")
		var out wire.KickResponse
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Affected) != c.affected || len(out.Skipped) != c.skipped {
			t.Errorf("%s %s: %s, %v", c.verb, c.target, w.Body, err)
		}
		if got := heard(); got != c.bell {
			t.Errorf("rang %q, want %q", got, c.bell)
		}
	}
	nobody := wire.KickRequest{Target: strings.Repeat("9", 64)}
	expect(t, "nobody", p.serve(t, signed(t, "POST", p.path("/kicks"), nobody, p.Owner)), 404, wire.CodeNotFound)
	expect(t, "no key", p.serve(t, signed(t, "POST", p.path("/kicks"), wire.KickRequest{Target: "ana"}, p.Owner)), 400, wire.CodeInvalidArgument)
}

// TestAttackKickingAnAdminByAKeyThatTwoName: a hello may name any session key.
func TestAttackKickingAnAdminByAKeyThatTwoName(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	other, accomplice := enrolled(t, p, wire.RoleAdmin), enrolled(t, p, wire.RoleMember)
	for _, session := range []string{strings.Repeat("5", 64), strings.Repeat("d", 64)} { // listed behind who came first
		arrive(t, p, accomplice, session, presence.KindClaim)
		arrive(t, p, other, session, presence.KindSession)
		for _, by := range []ed25519.PrivateKey{p.Creator, p.Owner} {
			w := p.serve(t, signed(t, "POST", p.path("/kicks"), wire.KickRequest{Target: session}, by))
			if allowed := by.Equal(p.Owner); allowed != (w.Code == 200) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		}
	}
}

func TestTheQueueIsShownWithoutWhatItHolds(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	inbox, q := wire.PublicKey(p.Creator), queue.New(p.client, queue.Options{
		MembersKey: p.Store.MembersKey, BansKey: p.Store.BansKey, SessionsKey: p.Store.SessionsKey, GrantsKey: p.Store.GrantsKey,
	})
	lease := "lease:" + p.client.Tag(p.ID) + ":" + p.ID + ":x"
	if err := p.client.Raw().Set(t.Context(), lease, "1/E/C", 0).Err(); err != nil {
		t.Fatal(err)
	}
	sender := enrolled(t, p, wire.RoleMember)
	for _, lane := range []queue.Lane{"now", "next"} {
		if _, err := q.Send(t.Context(), queue.Direct{
			Mesh: p.ID, Lease: queue.Lease{Key: lease, Value: "1/E/C"}, Sender: queue.Sender{Peer: "x", Member: sender, Key: sender},
			Target: inbox, Lane: lane, ClientID: "c" + string(lane), Body: []byte(`{"ciphertext":"SECRETBOX"}`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	w := p.serve(t, signed(t, "GET", p.path("/queue/"+inbox+"?limit=5"), "", p.Owner))
	expect(t, "inbox", w, 200, "")
	var out wire.InboxResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Messages) != 2 || strings.Contains(w.Body.String(), "SECRETBOX") {
		t.Fatalf("got %s, %v", w.Body, err)
	}
	if m := out.Messages[0]; m.Lane != "now" || m.SenderPubkey != sender || m.Bytes == 0 {
		t.Errorf("got %+v", m)
	}
	expect(t, "one lane", p.serve(t, signed(t, "GET", p.path("/queue/"+inbox+"?lane=low"), "", p.Owner)), 200, "")
	for _, query := range []string{"?lane=x", "?limit=0", "?limit=201", "?after=-1"} {
		expect(t, query, p.serve(t, signed(t, "GET", p.path("/queue/"+inbox+query), "", p.Owner)), 400, wire.CodeInvalidArgument)
	}
	expect(t, "no key", p.serve(t, signed(t, "GET", p.path("/queue/ana"), "", p.Owner)), 400, wire.CodeInvalidArgument)
	w = p.serve(t, signed(t, "GET", p.path("/queue"), "", p.Owner))
	expect(t, "depths", w, 200, "")
	var depths wire.QueueResponse
	if err := json.Unmarshal(w.Body.Bytes(), &depths); err != nil || len(depths.Inboxes) != 1 ||
		depths.Inboxes[0].Key != inbox || depths.Inboxes[0].Messages != 2 || depths.Inboxes[0].Bytes == 0 {
		t.Errorf("depths: %s, %v", w.Body, err)
	}
}

// bury makes a dead letter of an inbox, as queue does after seven days.
func (p *place) bury(tb testing.TB, seq int, inbox string) (id string) {
	tb.Helper()
	tail := strings.Repeat("x", 24)
	id = fmt.Sprintf("d%07d", seq) + tail
	at := p.client.Tag(p.ID) + ":" + p.ID
	sender := wire.PublicKey(p.Creator)
	entry, err := p.client.Raw().XAdd(tb.Context(), &goredis.XAddArgs{Stream: "dead:" + at, Values: []any{
		"reason", "expired", "inbox", inbox, "lane", "next", "seq", seq,
		"t", tail, "a", "1767225600000", "m", sender, "p", "x", "c", "", "b", `{"ciphertext":"SECRETBOX"}`,
	}}).Result()
	if err == nil {
		err = p.client.Raw().HSet(tb.Context(), "buried:"+at, id, entry).Err()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func TestDeadLettersAreListedPutBackAndDropped(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	inbox := enrolled(t, p, wire.RoleMember)
	first, second, orphan := p.bury(t, 1, inbox), p.bury(t, 2, inbox), p.bury(t, 3, strings.Repeat("9", 64))
	w := p.serve(t, signed(t, "GET", p.path("/dead-letters"), "", p.Owner))
	expect(t, "list", w, 200, "")
	var out wire.DeadLettersResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.DeadLetters) != 3 || strings.Contains(w.Body.String(), "SECRETBOX") {
		t.Fatalf("got %s, %v", w.Body, err)
	}
	ask := func(method, id string) *httptest.ResponseRecorder {
		return p.serve(t, signed(t, method, p.path("/dead-letters/"+id), "", p.Owner))
	}
	expect(t, "put back", ask("POST", first), 204, "")
	expect(t, "put back twice", ask("POST", first), 404, wire.CodeNotFound)
	expect(t, "for nobody", ask("POST", orphan), 404, wire.CodeNotFound)
	expect(t, "drop", ask("DELETE", second), 204, "")
	expect(t, "drop twice", ask("DELETE", second), 404, wire.CodeNotFound)
	expect(t, "a prefix", ask("DELETE", orphan[:8]), 400, wire.CodeInvalidArgument)
	w = p.serve(t, signed(t, "GET", p.path("/queue/"+inbox), "", p.Owner))
	var waits wire.InboxResponse
	if err := json.Unmarshal(w.Body.Bytes(), &waits); err != nil || len(waits.Messages) != 1 || waits.Messages[0].MessageID != first {
		t.Errorf("waits: %s, %v", w.Body, err)
	}
	head := "head:" + p.client.Tag(p.ID) + ":" + p.ID
	if err := p.client.Raw().HSet(t.Context(), head, "n:"+inbox, queue.MaxInboxMessages).Err(); err != nil {
		t.Fatal(err)
	}
	expect(t, "into a full inbox", ask("POST", p.bury(t, 4, inbox)), 409, wire.CodeFull)
}

func TestTheFleetIsForTheOperator(t *testing.T) {
	t.Parallel()
	const token = "correct horse"
	p := newPlace(t, tokenConfig(token))
	p.full(t)
	ask := func(sent string) int {
		r := signed(t, "GET", "/v1/fleet", "", p.Creator)
		r.Header.Set(wire.HeaderOperatorToken, sent)
		return p.serve(t, r).Code
	}
	if got := ask("wrong"); got != 403 {
		t.Errorf("a wrong token: %d", got)
	}
	pipe := p.client.Raw().Pipeline()
	pipe.Do(t.Context(), "ZADD", "edges", time.Now().UnixMilli(), "E1")
	pipe.Do(t.Context(), "HSET", "fleet", "E1", `{"version":"v1","sockets":3,"lateMs":7}`)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := signed(t, "GET", "/v1/fleet", "", p.Creator)
	r.Header.Set(wire.HeaderOperatorToken, token)
	w := p.serve(t, r)
	var out wire.FleetResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Edges) != 1 || out.Edges[0].Edge != "E1" || *out.Edges[0].Sockets != 3 {
		t.Errorf("got %d %s, %v", w.Code, w.Body, err)
	}
}
