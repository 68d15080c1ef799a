package invite_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/invite"
	"github.com/claudemesh/claudemesh/functions/registry"
)

func TestThePageTellsAPersonWhatToDo(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{WebURL: "https://mesh.example/"})
	s := p.short(t, 1, soon())
	w := p.do("GET", "/i/"+s.Code, "")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, want := range []string{
		"Acme", "Ana</bdi></b> invites you", "go install github.com/claudemesh/claudemesh/cli/cmd/claudemesh@latest",
		"claudemesh join", "https://mesh.example/i/" + s.Code + "#", `name="viewport"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for name, value := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Access-Control-Allow-Origin": "",
	} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}

func TestThePageShowsTheLinkAsItWasSent(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s := p.short(t, 1, soon())
	for host, want := range map[string]string{
		"mesh.example": "https://mesh.example/i/", "127.0.0.1:7900": "http://127.0.0.1:7900/i/",
		"[::1]:7900": "http://[::1]:7900/i/", "localhost": "http://localhost/i/", "10.0.0.1:7900": "https://10.0.0.1:7900/i/",
	} {
		if page := p.on(host, "/i/"+s.Code).Body.String(); !strings.Contains(page, want+s.Code+"#") {
			t.Errorf("on %s the link is not %s", host, want)
		}
	}
}

// TestThePageShowsTheLinkThatLedToTheEdge: the edge that forwards a request says
// under which name it was asked, where the function is not told its own.
func TestThePageShowsTheLinkThatLedToTheEdge(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s := p.short(t, 1, soon())
	r := functionstest.Request("GET", "/i/"+s.Code, nil)
	r.Host = "127.0.0.1:7910"
	r.Header.Set("X-Forwarded-Host", "mesh.example")
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	if page := w.Body.String(); !strings.Contains(page, "https://mesh.example/i/"+s.Code+"#") || strings.Contains(page, "7910") {
		t.Errorf("got %s", page)
	}
}

// TestThePageHoldsNoKeyAndLoadsNothing: a script, or anything fetched from
// elsewhere, could carry the fragment away.
func TestThePageHoldsNoKeyAndLoadsNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s := p.short(t, 1, soon())
	_, invited, err := p.Store.InviteByCode(t.Context(), s.Code)
	if err != nil {
		t.Fatal(err)
	}
	page := p.do("GET", "/i/"+s.Code, "").Body.String()
	for _, secret := range []string{p.RootKey, s.token, invited.Sealed, strings.SplitN(s.String(), "#", 2)[1]} {
		if strings.Contains(page, secret) {
			t.Errorf("the page contains %q", secret)
		}
	}
	for _, loads := range []string{"<script", "<img", "<link", "src=", "url(", "@import", "href=", "http://", "<form", "javascript:"} {
		if strings.Contains(page, loads) {
			t.Errorf("the page contains %q", loads)
		}
	}
}

func TestAttackNamesThatAreMarkup(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{.}}`
	p := newPlace(t, invite.Config{})
	mesh, _, err := p.Store.CreateMesh(t.Context(), registry.NewMesh{
		Name: evil, OwnerKey: strings.Repeat("a", 64), MemberKey: strings.Repeat("b", 64), Member: "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	code := wire.NewID(wire.CodeLength)
	if _, err := p.Store.AddInvite(t.Context(), mesh.ID, registry.NewInvite{
		TokenHash: wire.TokenHash("x"), Role: wire.RoleAdmin, MaxUses: 1, ExpiresAt: soon(),
		InvitedBy: evil, CodeHash: wire.CodeHash(code), Sealed: "x",
	}); err != nil {
		t.Fatal(err)
	}
	page := p.do("GET", "/i/"+code, "").Body.String()
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;script&gt;") || !strings.Contains(page, "as an admin") {
		t.Errorf("got %s", page)
	}
}

// TestAttackNamesThatTurnTheTextAround: what follows a name must not be read
// backwards because of what is in it.
func TestAttackNamesThatTurnTheTextAround(t *testing.T) {
	t.Parallel()
	const evil = "Acme\u202etiyalb\u2066"
	p := newPlace(t, invite.Config{})
	if err := p.Store.SetMesh(t.Context(), p.ID, registry.MeshChange{Name: new(evil)}); err != nil {
		t.Fatal(err)
	}
	code := wire.NewID(wire.CodeLength)
	if _, err := p.Store.AddInvite(t.Context(), p.ID, registry.NewInvite{
		TokenHash: wire.TokenHash("x"), Role: wire.RoleMember, MaxUses: 1, ExpiresAt: soon(),
		InvitedBy: evil, CodeHash: wire.CodeHash(code), Sealed: "x",
	}); err != nil {
		t.Fatal(err)
	}
	page := p.do("GET", "/i/"+code, "").Body.String()
	title, rest, _ := strings.Cut(page, "</title>")
	if strings.ContainsAny(title, "\u202e\u2066") {
		t.Errorf("the title, which nothing can fence in: %q", title)
	}
	if strings.Count(rest, evil) != strings.Count(rest, "<bdi>"+evil+"</bdi>") || !strings.Contains(rest, evil) {
		t.Errorf("not fenced in: %s", rest)
	}
}

func TestThePageSaysWhyThereIsNothingToJoin(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	expired := p.short(t, 1, time.Now().Add(-2*time.Second))
	for target, want := range map[string]int{
		"/i/" + expired.Code: 410, "/i/" + wire.NewID(wire.CodeLength): 404, "/i/%3Cscript%3E": 404,
	} {
		w := p.do("GET", target, "")
		if w.Code != want || !strings.Contains(w.Body.String(), "<h1>") || strings.Contains(w.Body.String(), "<script") ||
			w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := p.do("GET", "/i/"+expired.Code+"?utm=x", ""); w.Code != 404 {
		t.Errorf("a query: %d", w.Code)
	}
}
