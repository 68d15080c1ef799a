package signed_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/signed"
)

// fake is a registry with one mesh.
type fake struct {
	mesh    registry.Mesh
	members map[string]registry.Member
	revoked map[string]bool
	nonces  map[string]bool
	err     error // instead of any answer
	asked   int   // look-ups
}

func (f *fake) Admission(_ context.Context, mesh, key string) (registry.Mesh, registry.Member, error) {
	f.asked++
	member, ok := f.members[key]
	switch {
	case f.err != nil:
		return registry.Mesh{}, registry.Member{}, f.err
	case mesh != f.mesh.ID:
		return registry.Mesh{}, registry.Member{}, registry.ErrNoMesh
	case !ok:
		return f.mesh, registry.Member{}, registry.ErrNotMember
	case f.revoked[key]:
		return f.mesh, member, registry.ErrRevoked
	}
	return f.mesh, member, nil
}

func (f *fake) UseNonce(_ context.Context, key, nonce string) error {
	if f.nonces[key+nonce] {
		return registry.ErrReplayed
	}
	f.nonces[key+nonce] = true
	return nil
}

// people are the keys of one mesh by what they are to it.
type people map[string]ed25519.PrivateKey

func newFake() (*fake, people) {
	who := people{}
	for _, name := range []string{"owner", "admin", "member", "banned", "banned admin", "stranger"} {
		who[name] = functionstest.Key()
	}
	pub := func(name string) string { return wire.PublicKey(who[name]) }
	return &fake{
		mesh: registry.Mesh{ID: wire.NewID(wire.LongID), OwnerKey: pub("owner")},
		members: map[string]registry.Member{
			pub("admin"): {Role: wire.RoleAdmin}, pub("member"): {Role: wire.RoleMember},
			pub("banned"): {Role: wire.RoleMember}, pub("banned admin"): {Role: wire.RoleAdmin},
		},
		revoked: map[string]bool{pub("banned"): true, pub("banned admin"): true},
		nonces:  map[string]bool{},
	}, who
}

// routes are one for each row of rights.
func routes(gate func(*signed.Request) error) []signed.Route {
	ok := func(w http.ResponseWriter, r *signed.Request) error {
		_, err := w.Write(r.Body)
		return err
	}
	return []signed.Route{
		{Pattern: "POST /owner/{mesh}", May: signed.Owner, Do: ok},
		{Pattern: "POST /moderator/{mesh}", May: signed.Owner | signed.Admin, Do: ok},
		{Pattern: "POST /member/{mesh}", May: signed.Owner | signed.Admin | signed.Member, Do: ok},
		{Pattern: "POST /anybody", May: signed.Stranger, Gate: gate, Do: ok},
	}
}

func serve(f *fake, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	signed.NewHandler(signed.Options{Registry: f}, routes(nil)).ServeHTTP(w, r)
	return w
}

func request(target, body string, by ed25519.PrivateKey) *http.Request {
	r := functionstest.Request(http.MethodPost, target, []byte(body))
	wire.SignRequest(r, []byte(body), by, time.Now())
	return r
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	f, who := newFake()
	for path, allowed := range map[string]string{
		"/owner/":     "owner",
		"/moderator/": "owner admin",
		"/member/":    "owner admin member",
	} {
		for name, by := range who {
			want := http.StatusForbidden
			if strings.Contains(" "+allowed+" ", " "+name+" ") {
				want = http.StatusOK
			}
			if got := serve(f, request(path+f.mesh.ID, "x", by)); got.Code != want {
				t.Errorf("%s by %s: got %d %s, want %d", path, name, got.Code, got.Body, want)
			}
		}
	}
	for name, by := range who {
		if got := serve(f, request("/anybody", "x", by)); got.Code != http.StatusOK || got.Body.String() != "x" {
			t.Errorf("/anybody by %s: got %d %s", name, got.Code, got.Body)
		}
	}
}

func TestAnUnknownMeshIsTheSameForEverybody(t *testing.T) {
	t.Parallel()
	f, who := newFake()
	var bodies []string
	for _, by := range who {
		got := serve(f, request("/owner/"+wire.NewID(wire.LongID), "", by))
		if got.Code != http.StatusNotFound {
			t.Errorf("got %d", got.Code)
		}
		bodies = append(bodies, got.Body.String())
	}
	for _, body := range bodies {
		if body != bodies[0] || !strings.Contains(body, `"mesh_not_found"`) {
			t.Errorf("got %s and %s", bodies[0], body)
		}
	}
}

// TestASignatureIsCheckedBeforeAnyLookUp holds the time of a refusal apart from
// what the registry holds.
func TestASignatureIsCheckedBeforeAnyLookUp(t *testing.T) {
	t.Parallel()
	f, who := newFake()
	for name, spoil := range map[string]func(*http.Request){
		"no signature":   func(r *http.Request) { r.Header.Del(wire.HeaderSignature) },
		"other key":      func(r *http.Request) { r.Header.Set(wire.HeaderKey, wire.PublicKey(functionstest.Key())) },
		"uppercase key":  func(r *http.Request) { r.Header.Set(wire.HeaderKey, strings.ToUpper(wire.PublicKey(who["owner"]))) },
		"other nonce":    func(r *http.Request) { r.Header.Set(wire.HeaderNonce, wire.NewID(wire.MinNonce)) },
		"short nonce":    func(r *http.Request) { r.Header.Set(wire.HeaderNonce, "0") },
		"colon in nonce": func(r *http.Request) { r.Header.Set(wire.HeaderNonce, strings.Repeat(":", wire.MinNonce)) },
		"other time": func(r *http.Request) {
			r.Header.Set(wire.HeaderTime, wire.MillisAt(time.Now().Add(time.Second)).String())
		},
		"no time": func(r *http.Request) { r.Header.Set(wire.HeaderTime, "soon") },
		"other method": func(r *http.Request) {
			r.Header.Set(wire.HeaderSignature, signatureOf(http.MethodPut, r, who["owner"]))
		},
	} {
		r := request("/owner/"+f.mesh.ID, "x", who["owner"])
		spoil(r)
		if got := serve(f, r); got.Code != http.StatusUnauthorized {
			t.Errorf("%s: got %d %s", name, got.Code, got.Body)
		}
	}
	if f.asked != 0 || len(f.nonces) != 0 {
		t.Errorf("%d look-ups, %d nonces", f.asked, len(f.nonces))
	}
}

// signatureOf is that of the same request by another method.
func signatureOf(method string, r *http.Request, by ed25519.PrivateKey) string {
	other := functionstest.Request(method, r.URL.RequestURI(), []byte("x"))
	wire.SignRequest(other, []byte("x"), by, time.Now())
	return other.Header.Get(wire.HeaderSignature)
}

func TestAStrangersNonceIsNotRemembered(t *testing.T) {
	t.Parallel()
	f, who := newFake()
	serve(f, request("/owner/"+f.mesh.ID, "x", who["stranger"]))
	closed := func(*signed.Request) error { return signed.Refuse(http.StatusForbidden, wire.CodeForbidden, "closed") }
	w := httptest.NewRecorder()
	signed.NewHandler(signed.Options{Registry: f}, routes(closed)).ServeHTTP(w, request("/anybody", "x", who["stranger"]))
	if w.Code != http.StatusForbidden || len(f.nonces) != 0 {
		t.Errorf("got %d, %d nonces are kept", w.Code, len(f.nonces))
	}
}

func TestAnErrorThatNobodyNamedIs503(t *testing.T) {
	t.Parallel()
	f, who := newFake()
	f.err = errors.New("dial tcp: connection refused")
	got := serve(f, request("/owner/"+f.mesh.ID, "x", who["owner"]))
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v", got.Code, got.Header())
	}
	if strings.Contains(got.Body.String(), "dial") {
		t.Errorf("the answer tells of the inside: %s", got.Body)
	}
}

func TestPathsWithoutARouteAre404(t *testing.T) {
	t.Parallel()
	f, who := newFake()
	for _, target := range []string{"/", "/owner", "/owner/a/b", "/OWNER/" + f.mesh.ID} {
		if got := serve(f, request(target, "", who["owner"])); got.Code != http.StatusNotFound {
			t.Errorf("%s: got %d", target, got.Code)
		}
	}
}
