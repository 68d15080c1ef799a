package admin_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/functionstest"
)

func soon() time.Time { return time.Now().Add(time.Hour) }

// TestAttackActingAboveOnesRole asks for everything in every role. What stands
// here is written down apart from the table that decides.
func TestAttackActingAboveOnesRole(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	member, banned := enrol(t, p, wire.RoleMember), enrol(t, p, wire.RoleMember)
	if err := p.Store.Ban(t.Context(), p.ID, wire.PublicKey(banned)); err != nil {
		t.Fatal(err)
	}
	foreign := functionstest.NewMesh(t, p.Store)
	target := strings.Repeat("7", 64)
	for _, c := range []struct{ method, tail, may string }{
		{"GET", "", "owner admin member"},
		{"PATCH", "", "owner admin"},
		{"PUT", "/group-policy", "owner"},
		{"GET", "/backup", "owner"},
		{"GET", "/members", "owner admin member"},
		{"PATCH", "/members/" + target, "owner admin member"},
		{"DELETE", "/members/" + target, "owner admin"},
		{"POST", "/bans/" + target, "owner admin"},
		{"DELETE", "/bans/" + target, "owner admin"},
		{"POST", "/kicks", "owner admin"},
		{"POST", "/disconnects", "owner admin"},
		{"GET", "/grants", "owner admin member"},
		{"PATCH", "/grants", "owner admin member"},
		{"POST", "/invites", "owner"},
		{"GET", "/invites", "owner admin"},
		{"DELETE", "/invites/x", "owner admin"},
		{"GET", "/queue", "owner admin"},
		{"GET", "/queue/" + target, "owner admin"},
		{"GET", "/dead-letters", "owner admin"},
		{"POST", "/dead-letters/" + deadID, "owner admin"},
		{"DELETE", "/dead-letters/" + deadID, "owner admin"},
		{"GET", "/audit", "owner admin"},
		{"GET", "/audit/verify", "owner admin"},
		{"DELETE", "", "owner"}, // last: it ends the mesh
	} {
		for _, who := range []struct {
			name string
			key  ed25519.PrivateKey
			code wire.Code
		}{
			{"stranger", functionstest.Key(), wire.CodeForbidden},
			{"banned", banned, wire.CodeRevoked},
			{"another mesh's owner", foreign.Owner, wire.CodeForbidden},
			{"another mesh's admin", foreign.Creator, wire.CodeForbidden},
			{"member", member, wire.CodeForbidden},
			{"admin", p.Creator, wire.CodeForbidden},
			{"owner", p.Owner, wire.CodeForbidden},
		} {
			w := p.serve(t, signed(t, c.method, p.path(c.tail), "", who.key))
			refused := w.Code == 403 && refusedAs(w) == who.code && w.Body.String() == forbiddenBody(who.code)
			if may := strings.Contains(" "+c.may+" ", " "+who.name+" "); may == refused {
				t.Errorf("%s %s by %s: %d %s", c.method, c.tail, who.name, w.Code, w.Body)
			}
		}
	}
}

func refusedAs(w *httptest.ResponseRecorder) wire.Code {
	var e wire.HTTPError
	_ = json.Unmarshal(w.Body.Bytes(), &e)
	return e.Error.Code
}

// forbiddenBody is the same for every route, so that it tells nothing.
func forbiddenBody(code wire.Code) string {
	text := "this key may not do this in this mesh"
	if code == wire.CodeRevoked {
		text = "the key is banned from this mesh"
	}
	return `{"error":{"code":"` + string(code) + `","message":"` + text + `"}}` + "\n"
}

// TestAttackLearningFromErrors: a stranger learns whether a mesh exists, and
// nothing else: not who is in it, nor what it holds.
func TestAttackLearningFromErrors(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	known, unknown := enrolled(t, p, wire.RoleMember), strings.Repeat("7", 64)
	stranger, dead := functionstest.Key(), p.bury(t, 1, known)
	for _, c := range []struct{ method, real, made string }{
		{"POST", "/bans/" + known, "/bans/" + unknown},
		{"DELETE", "/members/" + known, "/members/" + unknown},
		{"GET", "/queue/" + known, "/queue/" + unknown},
		{"DELETE", "/dead-letters/" + dead, "/dead-letters/" + deadID},
	} {
		a := p.serve(t, signed(t, c.method, p.path(c.real), "", stranger))
		b := p.serve(t, signed(t, c.method, p.path(c.made), "", stranger))
		if a.Code != b.Code || a.Body.String() != b.Body.String() {
			t.Errorf("%s %s tells: %d %s, %d %s", c.method, c.real, a.Code, a.Body, b.Code, b.Body)
		}
	}
}

// TestAttackUnboundedWork: whatever is asked for, an answer is bounded, and a
// stranger leaves nothing behind.
func TestAttackUnboundedWork(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{Creation: admin.CreationOpen})
	p.full(t)
	before, err := p.client.Raw().DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		stranger := functionstest.Key()
		p.serve(t, signed(t, "GET", p.path("/members"), "", stranger))
		p.serve(t, signed(t, "POST", p.path("/bans/"+wire.PublicKey(stranger)), "", stranger))
		p.serve(t, functionstest.Request("POST", "/v1/meshes", []byte("{}")))
	}
	if after, err := p.client.Raw().DBSize(t.Context()).Result(); err != nil || after != before {
		t.Errorf("strangers left %d keys behind, %v", after-before, err)
	}
	for _, tail := range []string{"/audit?limit=201", "/audit?limit=999999999999999999999", "/dead-letters?limit=201"} {
		expect(t, tail, p.serve(t, signed(t, "GET", p.path(tail), "", p.Owner)), 400, wire.CodeInvalidArgument)
	}
	many := wire.SetGrantsRequest{Grants: wire.Grants{}}
	for n := range 600 { // 64 KiB hold no more
		many.Grants[wire.PublicKey(functionstest.Key())[:60]+string(rune('a'+n%6))+"000"] = []wire.Capability{wire.CapDM}
	}
	member := enrol(t, p, wire.RoleMember)
	expect(t, "many grants", p.serve(t, signed(t, "PATCH", p.path("/grants"), many, member)), 200, "")
	for n := range 600 {
		many.Grants[wire.PublicKey(functionstest.Key())[:60]+string(rune('a'+n%6))+"111"] = nil
	}
	expect(t, "more than a body holds", p.serve(t, signed(t, "PATCH", p.path("/grants"), many, member)), 413, wire.CodeTooLarge)
}
