package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestBodiesUnderAPIV1AreChecked(t *testing.T) {
	t.Parallel()
	post := func(change func(*wire.PostMessageRequest)) error {
		r := wire.PostMessageRequest{
			Topic: "deploys", Ciphertext: "b0Z5", Nonce: "QEFC", Priority: wire.LaneLow, BodyVersion: wire.BodySealed,
			Mentions: []string{"o'neill"}, ReplyToID: someID,
		}
		change(&r)
		return r.Check()
	}
	seal := wire.APISealRequest{MemberID: memberID, SealedTopicKey: sealedTopicKey()}
	short := seal
	short.Nonce = "QEFC"
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"message":           {post(func(*wire.PostMessageRequest) {}), ""},
		"no topic":          {post(func(r *wire.PostMessageRequest) { r.Topic = "" }), "topic"},
		"no text":           {post(func(r *wire.PostMessageRequest) { r.Ciphertext = "" }), "ciphertext"},
		"bad priority":      {post(func(r *wire.PostMessageRequest) { r.Priority = "soon" }), "priority"},
		"bad version":       {post(func(r *wire.PostMessageRequest) { r.BodyVersion = 3 }), "bodyVersion"},
		"negative version":  {post(func(r *wire.PostMessageRequest) { r.BodyVersion = -1 }), "bodyVersion"},
		"many mentions":     {post(func(r *wire.PostMessageRequest) { r.Mentions = make([]string, 17) }), "16 mentions"},
		"a mention of NUL":  {post(func(r *wire.PostMessageRequest) { r.Mentions = []string{"\x00"} }), "mentions"},
		"too large a text":  {post(func(r *wire.PostMessageRequest) { r.Ciphertext = strings.Repeat("x", wire.MaxSend) }), "exceeds"},
		"a giant":           {post(func(r *wire.PostMessageRequest) { r.Ciphertext = strings.Repeat("x", 1<<20) }), "ciphertext"},
		"seal":              {seal.Check(), ""},
		"seal for nobody":   {(&wire.APISealRequest{SealedTopicKey: sealedTopicKey()}).Check(), "memberId"},
		"seal with short":   {short.Check(), "nonce"},
		"claim":             {(&wire.APIClaimKeyRequest{SealedTopicKey: sealedTopicKey()}).Check(), ""},
		"claim sans key":    {(&wire.APIClaimKeyRequest{}).Check(), "encryptedKey"},
		"read":              {(&wire.APINotesReadRequest{}).Check(), ""},
		"read far too many": {(&wire.APINotesReadRequest{IDs: make([]string, 51)}).Check(), "50 ids"},
	} {
		switch {
		case c.want == "" && c.err != nil:
			t.Errorf("%s: %v", name, c.err)
		case c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)):
			t.Errorf("%s: error = %v, want one about %s", name, c.err, c.want)
		}
	}
}

func TestBodiesUnderAPIV1AreAsDocumented(t *testing.T) {
	t.Parallel()
	message := wire.TopicMessage{
		ID: someID, SenderPubkey: "k", SenderMemberID: memberID, SenderName: "Ana", Nonce: "n", Ciphertext: "c", BodyVersion: 1,
		CreatedAt: wire.At(now),
	}
	reply := message
	reply.ReplyToID = memberID
	for _, c := range []struct {
		body any
		want string
	}{
		{message.API(), `{"id":"` + someID + `","senderMemberId":"` + memberID + `","senderPubkey":"k","senderName":"Ana",` +
			`"nonce":"n","ciphertext":"c","bodyVersion":1,"replyToId":null,"createdAt":"2026-01-01T00:00:00.000Z"}`},
		{*reply.API().ReplyToID, `"` + memberID + `"`},
		{wire.WebhookResponse{OK: true, Delivered: ptr(0)}, `{"ok":true,"delivered":0}`},
		{wire.WebhookResponse{Error: wire.WebhookUnauthorized}, `{"ok":false,"error":"unauthorized"}`},
		{wire.APIError{Error: wire.CodeTopicNotFound, Topic: "x"}, `{"error":"topic_not_found","topic":"x"}`},
		{
			wire.PostMessageResponse{MessageID: "m", HistoryID: "m", QueueID: "m", Topic: "t", TopicID: "i", BodyVersion: 1},
			`{"messageId":"m","historyId":"m","queueId":"m","topic":"t","topicId":"i","notifications":0,"bodyVersion":1}`,
		},
	} {
		if got, err := json.Marshal(c.body); err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
}

func TestAPIKeysHaveTheirShape(t *testing.T) {
	t.Parallel()
	key := wire.NewAPIKey()
	if !wire.IsAPIKey(key) || key == wire.NewAPIKey() {
		t.Errorf("key = %q", key)
	}
	for _, bad := range []string{"", "cm_", key[:len(key)-1], key + "A", "xx_" + key[3:], key[:10] + "+" + key[11:], key[:45] + "\n"} {
		if wire.IsAPIKey(bad) {
			t.Errorf("%q passes for an API key", bad)
		}
	}
	for header, want := range map[string]string{
		"Bearer cm_x": "cm_x", "bearer  cm_x ": "cm_x", "Basic cm_x": "", "": "", "Bearer": "",
	} {
		if got := wire.BearerKey(header); got != want {
			t.Errorf("key in %q = %q, want %q", header, got, want)
		}
	}
	if secret := wire.NewWebhookSecret(); len(secret) != 64 || secret == wire.NewWebhookSecret() {
		t.Errorf("webhook secret = %q", secret)
	}
}

// FuzzAPIBodies holds that what passes the check of a message posted over HTTP
// also passes as a send: there is one set of bounds.
func FuzzAPIBodies(f *testing.F) {
	f.Add([]byte(`{"topic":"t","ciphertext":"c","nonce":"n","mentions":["a"],"bodyVersion":2}`))
	f.Add([]byte(`{"topic":"o'neill","ciphertext":"c","priority":"now","replyToId":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r wire.PostMessageRequest
		if json.Unmarshal(body, &r) != nil || r.Check() != nil {
			return
		}
		frame, err := wire.Encode(&wire.Send{
			TargetSpec: "#" + r.Topic, Nonce: r.Nonce, Ciphertext: r.Ciphertext, Priority: r.Priority, Mentions: r.Mentions,
			ReplyToID: r.ReplyToID, BodyVersion: r.BodyVersion,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.Decode(frame); err != nil {
			t.Fatalf("%v: %.200s", err, frame)
		}
	})
}
