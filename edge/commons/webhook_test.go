package commons_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func newWebhook(p *edgetest.Peer, name string) *wire.WebhookAck {
	return ask[*wire.WebhookAck](p, &wire.CreateWebhook{Name: name, ReqID: reqID()})
}

// publicURL tells an edge its address.
func publicURL(url string) func(*edge.Config) { return func(c *edge.Config) { c.PublicURL = url } }

// webhookPath is the path of a webhook's address.
func webhookPath(a *wire.WebhookAck) string { return a.URL[strings.Index(a.URL, "/hook/"):] }

func TestAWebhookSpeaksToEverybodyAlsoInTheirGrace(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	hook := newWebhook(ana, `it's "ci"`)
	if hook.URL != "/hook/"+m.ID+"/"+hook.Secret || len(hook.Secret) != 64 {
		t.Errorf("ack: %+v", hook)
	}
	bob.Cut()
	status, body := call(t, other, "", "POST", webhookPath(hook), "{\"a\": \"it's <b>\\u0000\\u001f\",\n \"b\":[1]}")
	if status != http.StatusOK || strings.TrimSpace(body) != `{"ok":true,"delivered":2}` {
		t.Errorf("%d %s", status, body)
	}
	for _, p := range []*edgetest.Peer{ana, bob.Again(one)} {
		got := edgetest.NextIf(p.Conn, (*wire.Push).IsWebhook)
		if got.Event != `it's "ci"` || got.SenderPubkey != `webhook:it's "ci"` || got.Priority != wire.LaneNext || got.Nonce != "" ||
			got.Ciphertext != "" || got.MessageID == "" || got.MeshID != m.ID || !strings.Contains(string(got.EventData), `"b":[1]`) {
			t.Errorf("%s: %+v %s", p.Member.Name, got, got.EventData)
		}
	}
	status, _ = call(t, one, "", "POST", webhookPath(hook), ` [1,{"x":null}] `)
	if got := edgetest.NextIf(ana.Conn, (*wire.Push).IsWebhook); status != http.StatusOK || string(got.EventData) != `[1,{"x":null}]` {
		t.Errorf("list: %d %+v", status, got)
	}
}

func TestAWebhooksAddressIsShownOnceAndNowhereToBeFoundAfterwards(t *testing.T) {
	t.Parallel()
	one, other := edges(t, edgetest.WithConfig(publicURL("wss://mesh.example/ws")))
	m := one.NewMesh()
	ana, bob, admin := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "founder")
	hook := newWebhook(ana, "ci")
	if want := "https://mesh.example/hook/" + m.ID + "/" + hook.Secret; hook.URL != want {
		t.Errorf("the address is %s, want %s", hook.URL, want)
	}
	for _, p := range []*edgetest.Peer{ana, admin, bob} {
		list := ask[*wire.WebhookList](p, &wire.ListWebhooks{ReqID: reqID()}).Webhooks
		if len(list) != 1 || list[0].URL != "" || list[0].Name != "ci" || !list[0].Active {
			t.Errorf("%s: %+v", p.Member.Name, list)
		}
	}
	if holdsText(t, one, hook.Secret) {
		t.Error("the secret is in Redis")
	}
	refusal(t, bob, &wire.CreateWebhook{Name: "ci", ReqID: reqID()}, wire.CodeWebhookExists)
	refusal(t, bob, &wire.DeleteWebhook{Name: "ci", ReqID: reqID()}, wire.CodeForbidden)
	gone := ask[*wire.WebhookAck](ana, &wire.DeleteWebhook{Name: "ci", ReqID: reqID()})
	ask[*wire.WebhookAck](ana, &wire.DeleteWebhook{Name: "ci", ReqID: reqID()})
	if gone.URL != "" || gone.Secret != "" {
		t.Errorf("deleted: %+v", gone)
	}
	fresh := newWebhook(bob, "ci")
	status, _ := call(t, one, "", "POST", webhookPath(hook), "{}")
	now, _ := call(t, one, "", "POST", webhookPath(fresh), "{}")
	if status != http.StatusUnauthorized || now != http.StatusOK {
		t.Errorf("the old address answers %d, the new one %d", status, now)
	}
}

func TestHostileCallsOfWebhooksGetAnAnswer(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	path := webhookPath(newWebhook(ana, "ci"))
	for _, tc := range []struct {
		path, body string
		status     int
		text       string
	}{
		{path[:len(path)-1] + "0x", "{}", 401, wire.WebhookUnauthorized},
		{"/hook/" + m.ID + "/" + wire.NewWebhookSecret(), "{}", 401, wire.WebhookUnauthorized},
		{"/hook/%27%22/" + wire.NewWebhookSecret(), "{}", 401, wire.WebhookUnauthorized},
		{path, "", 400, wire.WebhookNotJSON},
		{path, "{", 400, wire.WebhookNotJSON},
		{path, "{\"a\":\"\xff\"}", 400, wire.WebhookNotJSON},
		{path, "{}{}", 400, wire.WebhookNotJSON},
		{path, "7", 400, wire.WebhookNotObject},
		{path, `"x"`, 400, wire.WebhookNotObject},
		{path, "null", 400, wire.WebhookNotObject},
		{path, `{"a":"` + strings.Repeat("x", wire.MaxHTTPBody) + `"}`, 413, wire.HookTooLarge},
	} {
		status, body := call(t, e, "", "POST", tc.path, tc.body)
		if want := fmt.Sprintf(`{"ok":false,"error":%q}`, tc.text); status != tc.status || strings.TrimSpace(body) != want {
			t.Errorf("%s %.20q: %d %s, want %d %s", tc.path, tc.body, status, body, tc.status, want)
		}
	}
	for _, p := range ana.Pushes() {
		if p.IsWebhook() {
			t.Errorf("pushed: %s", p.EventData)
		}
	}
	for _, name := range []string{"", "a\x00", "a\nb", strings.Repeat("n", 64<<10)} {
		refusal(t, ana, &wire.CreateWebhook{Name: name, ReqID: reqID()}, wire.CodeInvalidWebhook)
	}
}

func TestAWebhookIsCalledSoOftenAndAMeshHasSoMany(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	ana := one.NewMesh().Session(one, "ana")
	path := webhookPath(newWebhook(ana, "ci"))
	storm(t, 90, 30, 60, func(i int) int {
		status, _ := call(t, []*edgetest.Edge{one, other}[i%2], "", "POST", path, "{}")
		return status
	})
	if code := fill(ana, func(i int, id wire.ReqID) wire.Request {
		return &wire.CreateWebhook{Name: fmt.Sprint("w", i), ReqID: id}
	}); code != wire.CodeFull {
		t.Errorf("ended with %q", code)
	}
}

func TestS2_ABanEndsTheWebhooksOfTheMember(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	path := webhookPath(newWebhook(m.Session(one, "ana"), "ci"))
	before, _ := call(t, other, "", "POST", path, "{}")
	if err := m.Registry.Ban(t.Context(), m.ID, m.Member("ana").Pub()); err != nil {
		t.Fatal(err)
	}
	if after, _ := call(t, other, "", "POST", path, "{}"); before != http.StatusOK || after != http.StatusUnauthorized {
		t.Errorf("%d, after the ban %d", before, after)
	}
}
