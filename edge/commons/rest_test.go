package commons_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// call makes a request with an API key.
func call(t *testing.T, e *edgetest.Edge, key, method, path, body string, header ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, e.HTTP+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: edgetest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

// get makes a request that must succeed.
func get[A any](t *testing.T, e *edgetest.Edge, key, method, path, body string, header ...string) (answer A) {
	t.Helper()
	status, text := call(t, e, key, method, path, body, header...)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, path, status, text, err)
	}
	return answer
}

func TestWhatAProgramSaysByAPIKeyIsPushedLiveAndRead(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ref := newTopic(ana, "it's/one")
	join(bob, ref.ID)
	key := newKey(ana, both)
	send := fmt.Sprintf(`{"topic":%q,"ciphertext":"aGk=","nonce":"","mentions":["bob"]}`, ref.ID)
	said := get[wire.PostMessageResponse](t, other, key.Secret, "POST", "/api/v1/messages", send, "Idempotency-Key", "k'1")
	again := get[wire.PostMessageResponse](t, one, key.Secret, "POST", "/api/v1/messages", send, "Idempotency-Key", "k'1")
	if said.MessageID == "" || said.HistoryID != said.MessageID || said.TopicID != ref.ID || said.Notifications != 1 ||
		said.BodyVersion != 1 || again.MessageID != said.MessageID {
		t.Errorf("said %+v, then %+v", said, again)
	}
	for _, p := range []*edgetest.Peer{ana, bob} {
		if got := topicPush(p); got.MessageID != said.MessageID || edgetest.Text(got) != "hi" || got.SenderPubkey != ana.Member.Pub() {
			t.Errorf("push: %+v", got)
		}
	}
	status, _ := call(t, one, key.Secret, "POST", "/api/v1/messages", strings.Replace(send, "aGk=", "aGkh", 1), "Idempotency-Key", "k'1")
	if status != http.StatusBadRequest {
		t.Errorf("another message under the same id: %d", status)
	}
	page := get[wire.APIMessagesResponse](t, one, key.Secret, "GET", "/api/v1/topics/it's%2Fone/messages?limit=1", "")
	if len(page.Messages) != 1 || page.Messages[0].ID != said.MessageID || page.Topic != ref.Name || page.Messages[0].ReplyToID != nil {
		t.Errorf("messages: %+v", page)
	}
	older := get[wire.APIMessagesResponse](t, one, key.Secret, "GET", "/api/v1/topics/"+ref.ID+"/messages?before="+said.MessageID, "")
	if len(older.Messages) != 0 {
		t.Errorf("before the first: %+v", older)
	}
	bobs := newKey(bob, both)
	notes := get[wire.APINotificationsResponse](t, one, bobs.Secret, "GET", "/api/v1/notifications?unread=1", "")
	read := get[wire.APINotesReadResponse](t, one, bobs.Secret, "POST", "/api/v1/notifications/read", "")
	left := get[wire.APINotificationsResponse](t, one, bobs.Secret, "GET", "/api/v1/notifications?unread=1&since=0", "")
	if len(notes.Notifications) != 1 || read.Read != 1 || len(left.Notifications) != 0 {
		t.Errorf("notes %+v, read %+v, left %+v", notes, read, left)
	}
}

func TestAProgramSeesTopicsMembersAndPeers(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	m.Session(other, "bob")
	newTopic(ana, "t")
	newTopic(m.Session(other, "carl"), "secret", private)
	key := newKey(ana, both).Secret
	topics := get[wire.APITopicsResponse](t, other, key, "GET", "/api/v1/topics", "").Topics
	if len(topics) != 1 || topics[0].Name != "t" {
		t.Errorf("topics: %+v", topics)
	}
	if peers := get[wire.APIPeersResponse](t, other, key, "GET", "/api/v1/peers", "").Peers; len(peers) != 3 {
		t.Errorf("peers: %+v", peers)
	}
	members := get[wire.APIMembersResponse](t, other, key, "GET", "/api/v1/members", "").Members
	if len(members) != 4 || members[0].DisplayName != "founder" || members[0].Online || !members[1].Online || members[1].Status != wire.StatusIdle {
		t.Errorf("members: %+v", members)
	}
	if read := get[wire.APIReadResponse](t, other, key, "PATCH", "/api/v1/topics/t/read", ""); read.LastReadAt.IsZero() {
		t.Errorf("read: %+v", read)
	}
}

func TestTopicKeysAreExchangedOverHTTPToo(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	newTopic(ana, "t")
	anas, bobs := newKey(ana, both).Secret, newKey(bob, both).Secret
	refused(t, one, anas, "GET", "/api/v1/topics/t/key", "", http.StatusConflict, wire.CodeTopicUnencrypted)
	mine, _ := json.Marshal(sealedCopy("a"))
	get[wire.APISealResponse](t, one, anas, "POST", "/api/v1/topics/t/claim-key", string(mine))
	refused(t, one, anas, "POST", "/api/v1/topics/t/claim-key", string(mine), http.StatusForbidden, wire.CodeForbidden)
	refused(t, one, bobs, "GET", "/api/v1/topics/t/key", "", http.StatusNotFound, wire.CodeKeyNotSealed)
	seal, _ := json.Marshal(wire.APISealRequest{MemberID: bob.Member.ID, SealedTopicKey: sealedCopy("b")})
	refused(t, one, anas, "POST", "/api/v1/topics/t/seal", string(seal), http.StatusNotFound, wire.CodeRecipientNotJoined)
	join(bob, "t")
	if p := get[wire.APIPendingSealsResponse](t, other, anas, "GET", "/api/v1/topics/t/pending-seals", "").Pending; len(p) != 1 {
		t.Errorf("pending: %+v", p)
	}
	get[wire.APISealResponse](t, other, anas, "POST", "/api/v1/topics/t/seal", string(seal))
	if got := get[wire.APITopicKeyResponse](t, one, bobs, "GET", "/api/v1/topics/t/key", ""); got.SealedTopicKey != sealedCopy("b") {
		t.Errorf("key: %+v", got)
	}
}

// refused makes a request that must be refused like this.
func refused(t *testing.T, e *edgetest.Edge, key, method, path, body string, status int, code wire.Code) {
	t.Helper()
	got, text := call(t, e, key, method, path, body)
	var answer wire.APIError
	if err := json.Unmarshal([]byte(text), &answer); err != nil || got != status || answer.Error != code {
		t.Errorf("%s %.80s: %d %.200s, want %d %s", method, path, got, text, status, code)
	}
}

func TestAnAPIKeyIsGoodOnlyForWhatItWasMadeFor(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	one, two := newTopic(ana, "one"), newTopic(ana, "two")
	newTopic(bob, "bobs")
	hidden := newTopic(bob, "hidden", private)
	send := func(topic string) string { return fmt.Sprintf(`{"topic":%q,"ciphertext":"aGk=","nonce":""}`, topic) }
	reader, writer := newKey(ana, both[1:]).Secret, newKey(ana, both[:1]).Secret
	refused(t, e, reader, "POST", "/api/v1/messages", send("one"), 403, wire.CodeAPICapability)
	for _, path := range []string{"topics", "topics/one/messages", "topics/one/stream", "members", "peers", "notifications"} {
		refused(t, e, writer, "GET", "/api/v1/"+path, "", 403, wire.CodeAPICapability)
	}
	scoped := newKey(ana, both, one.Name).Secret
	get[wire.PostMessageResponse](t, e, scoped, "POST", "/api/v1/messages", send(one.ID))
	refused(t, e, scoped, "POST", "/api/v1/messages", send(two.ID), 403, wire.CodeAPITopicScope)
	refused(t, e, scoped, "GET", "/api/v1/topics/two/messages", "", 403, wire.CodeAPITopicScope)
	refused(t, e, scoped, "GET", "/api/v1/topics/two/stream", "", 403, wire.CodeAPITopicScope)
	if got := get[wire.APITopicsResponse](t, e, scoped, "GET", "/api/v1/topics", "").Topics; len(got) != 1 {
		t.Errorf("topics: %+v", got)
	}
	refused(t, e, writer, "POST", "/api/v1/messages", send("bobs"), 403, wire.CodeForbidden)
	for _, name := range []string{"none", hidden.ID, hidden.Name} {
		refused(t, e, writer, "POST", "/api/v1/messages", send(name), 404, wire.CodeTopicNotFound)
		refused(t, e, reader, "GET", "/api/v1/topics/"+name+"/stream", "", 404, wire.CodeTopicNotFound)
	}
}

func TestHostileHTTPGetsAnAnswer(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	newTopic(ana, "t")
	key := newKey(ana, both).Secret
	const path = "/api/v1/messages"
	refused(t, e, "", "GET", "/api/v1/topics", "", 401, wire.CodeAPIKeyMissing)
	for _, bad := range []string{"x", "cm_", wire.NewAPIKey(), key + "x", strings.ToUpper(key), "cm_' OR 1=1"} {
		refused(t, e, bad, "GET", "/api/v1/topics", "", 401, wire.CodeAPIKeyInvalid)
	}
	for _, body := range []string{
		"", "{", "[]", "null", `{"topic":7}`, `{"topic":"t"}`, `{"topic":"t","ciphertext":"x","nonce":"","priority":"soon"}`,
		`{"topic":"t","ciphertext":"x","nonce":"","bodyVersion":9}`, `{"topic":"a\u0000b","ciphertext":"x","nonce":""}`,
		strings.Repeat("[", 60_000),
	} {
		refused(t, e, key, "POST", path, body, 400, wire.CodeInvalidArgument)
	}
	big := `{"topic":"t","nonce":"","ciphertext":"` + strings.Repeat("x", wire.MaxAPIBody) + `"}`
	refused(t, e, key, "POST", path, big, 413, wire.CodeTooLarge)
	refused(t, e, key, "POST", path, big[:wire.MaxSend+100]+`"}`, 400, wire.CodeInvalidArgument)
	refused(t, e, key, "GET", "/api/v1/topics/t/messages?limit=-1", "", 400, wire.CodeInvalidArgument)
	refused(t, e, key, "GET", "/api/v1/topics/t/messages?before=%27%22", "", 400, wire.CodeInvalidArgument)
	refused(t, e, key, "GET", "/api/v1/notifications?since=yesterday", "", 400, wire.CodeInvalidArgument)
	refused(t, e, key, "GET", "/api/v1/topics/%00%0a%27/messages", "", 404, wire.CodeTopicNotFound)
	refused(t, e, key, "GET", "/api/v1/topics/"+strings.Repeat("n", 4000)+"/messages", "", 404, wire.CodeTopicNotFound)
	refused(t, e, key, "DELETE", "/api/v1/topics", "", 404, wire.CodeNotFound)
	refused(t, e, key, "GET", "/api/v1/me/tasks", "", 404, wire.CodeNotFound)
}

func TestAnAPIKeyThatAsksTooMuchIsToldToWait(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	key, another := newKey(ana, both).Secret, newKey(ana, both).Secret
	storm(t, 250, 100, 300, func(i int) int {
		status, _ := call(t, []*edgetest.Edge{one, other}[i%2], key, "GET", "/api/v1/topics", "")
		return status
	})
	get[wire.APITopicsResponse](t, one, another, "GET", "/api/v1/topics", "")
}

func TestPagesOfAnyOriginMayAskWithAKey(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, e.HTTP+"/api/v1/topics/t/read", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h := resp.Header
	if resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "PATCH") {
		t.Errorf("%d %v", resp.StatusCode, h)
	}
}

func TestTheAPIDescribesItself(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	doc := get[struct {
		Paths map[string]map[string]struct {
			Summary  string
			Security []map[string][]string
		}
		Components struct{ SecuritySchemes map[string]any }
	}](t, e, "", "GET", "/api/v1/openapi.json", "")
	if len(doc.Paths) != 13 {
		t.Errorf("%d paths", len(doc.Paths))
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.Summary == "" || len(op.Security) != 1 {
				t.Errorf("%s %s: %+v", method, path, op)
			}
			for scheme := range op.Security[0] {
				if doc.Components.SecuritySchemes[scheme] == nil {
					t.Errorf("no scheme %s", scheme)
				}
			}
			refused(t, e, "", strings.ToUpper(method), path, "{}", http.StatusUnauthorized, wire.CodeAPIKeyMissing)
		}
	}
}
