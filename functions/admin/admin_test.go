package admin_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// place is one registry with one mesh and the handler before it.
type place struct {
	*functionstest.Mesh
	server  *redistest.Server
	client  *redis.Client
	handler http.Handler
	config  admin.Config
}

func newPlace(tb testing.TB, c admin.Config) *place {
	tb.Helper()
	server := redistest.Start(tb)
	client := server.Client(tb)
	store := registry.New(client, registry.Options{})
	handler, err := admin.NewHandler(store, c)
	if err != nil {
		tb.Fatal(err)
	}
	return &place{functionstest.NewMesh(tb, store), server, client, handler, c}
}

// serve answers one request. Whatever the test is about, the answer must be one
// that the OpenAPI document describes.
func (p *place) serve(tb testing.TB, r *http.Request) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	p.checked(tb, r, w)
	return w
}

// signed is a request signed now; body is JSON text or anything to encode.
func signed(tb testing.TB, method, target string, body any, by ed25519.PrivateKey) *http.Request {
	tb.Helper()
	text, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		if err != nil {
			tb.Fatal(err)
		}
		text = string(encoded)
	}
	r := functionstest.Request(method, target, []byte(text))
	wire.SignRequest(r, []byte(text), by, time.Now())
	return r
}

// expect asserts a status and, for refusals, the code.
func expect(tb testing.TB, what string, w *httptest.ResponseRecorder, status int, code wire.Code) {
	tb.Helper()
	var body wire.HTTPError
	if code != "" {
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error.Message == "" {
			tb.Errorf("%s: body %q, %v", what, w.Body, err)
		}
	}
	if w.Code != status || body.Error.Code != code {
		tb.Errorf("%s: got %d %s, want %d %s", what, w.Code, w.Body, status, code)
	}
}

func (p *place) path(tail string) string { return "/v1/meshes/" + p.ID + tail }

func newInvite(token string) wire.CreateInviteRequest {
	return wire.CreateInviteRequest{
		TokenHash: wire.TokenHash(token), Role: wire.RoleMember, MaxUses: 3, ExpiresAt: time.Now().Add(time.Hour).Unix(),
	}
}

func newMesh(owner ed25519.PrivateKey) wire.CreateMeshRequest {
	return wire.CreateMeshRequest{
		Name: "Ana's Shop", OwnerPubkey: wire.PublicKey(owner),
		MemberPubkey: wire.PublicKey(functionstest.Key()), DisplayName: "ana",
	}
}

func TestAMeshIsMadeByItsOwnerKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{Creation: admin.CreationOpen, BrokerURL: "wss://broker.example/ws"})
	owner := functionstest.Key()
	in := newMesh(owner)
	w := p.serve(t, signed(t, "POST", "/v1/meshes", in, owner))
	expect(t, "create", w, 201, "")
	var out wire.CreateMeshResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	mesh, member, err := p.Store.Admission(t.Context(), out.MeshID, in.MemberPubkey)
	if err != nil || mesh.OwnerKey != in.OwnerPubkey || member.ID != out.MemberID || member.Role != wire.RoleAdmin {
		t.Fatalf("got %+v, %+v, %v", mesh, member, err)
	}
	if out.Slug != "ana-s-shop" || out.Name != in.Name || out.BrokerURL != "wss://broker.example/ws" {
		t.Errorf("got %+v", out)
	}
	expect(t, "signed by another", p.serve(t, signed(t, "POST", "/v1/meshes", in, functionstest.Key())), 403, wire.CodeForbidden)
	in.Name = "x\x00"
	expect(t, "NUL", p.serve(t, signed(t, "POST", "/v1/meshes", in, owner)), 400, wire.CodeInvalidArgument)
}

func TestTheOperatorSaysWhoMayMakeMeshes(t *testing.T) {
	t.Parallel()
	const token = "correct horse"
	for name, c := range map[string]struct {
		config admin.Config
		sent   string
		status int
		code   wire.Code
	}{
		"nobody by default": {admin.Config{}, token, 403, "creation_closed"},
		"nobody":            {admin.Config{Creation: admin.CreationClosed}, token, 403, "creation_closed"},
		"no token":          {tokenConfig(token), "", 403, "operator_token"},
		"another token":     {tokenConfig(token), "correct horsf", 403, "operator_token"},
		"the hash itself":   {tokenConfig(token), admin.HashOperatorToken(token), 403, "operator_token"},
		"the token":         {tokenConfig(token), token, 201, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, owner := newPlace(t, c.config), functionstest.Key()
			r := signed(t, "POST", "/v1/meshes", newMesh(owner), owner)
			if c.sent != "" {
				r.Header.Set(wire.HeaderOperatorToken, c.sent)
			}
			expect(t, name, p.serve(t, r), c.status, c.code)
		})
	}
}

func tokenConfig(token string) admin.Config {
	return admin.Config{Creation: admin.CreationToken, OperatorTokenHash: strings.ToUpper(admin.HashOperatorToken(token))}
}

func TestAConfigurationThatCouldNotWorkIsRefused(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{"", "abc", strings.Repeat("z", 64), strings.Repeat("0", 66)} {
		if _, err := admin.NewHandler(nil, admin.Config{Creation: admin.CreationToken, OperatorTokenHash: hash}); err == nil {
			t.Errorf("hash %q was accepted", hash)
		}
	}
	var c admin.Creation
	if err := c.UnmarshalText([]byte("everyone")); err == nil {
		t.Error("an unknown word was accepted")
	}
	if err := c.UnmarshalText([]byte("token")); err != nil || c != admin.CreationToken {
		t.Errorf("got %q, %v", c, err)
	}
}

func TestOneAddressMakesSoManyMeshesOnly(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{
		Creation: admin.CreationOpen, CreateLimit: registry.Limit{Name: "create", Burst: 1, PerMinute: 1},
	})
	owner := functionstest.Key()
	expect(t, "first", p.serve(t, signed(t, "POST", "/v1/meshes", newMesh(owner), owner)), 201, "")
	w := p.serve(t, signed(t, "POST", "/v1/meshes", newMesh(owner), owner))
	expect(t, "second", w, 429, wire.CodeRateLimited)
	if w.Header().Get("Retry-After") == "" {
		t.Error("not told when to come back")
	}
}

func TestSlugCollisionsWithoutEndAre409(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{Creation: admin.CreationOpen})
	for range 20 {
		owner := functionstest.Key()
		expect(t, "create", p.serve(t, signed(t, "POST", "/v1/meshes", newMesh(owner), owner)), 201, "")
	}
	owner := functionstest.Key()
	expect(t, "one more", p.serve(t, signed(t, "POST", "/v1/meshes", newMesh(owner), owner)), 409, "slug_taken")
}

func TestAnInviteIsMadeAndWithdrawnByTheOwner(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	in := newInvite("a token")
	in.Preset = &wire.Preset{DisplayName: "O'Brien", Groups: []wire.Group{{Name: "ops"}}}
	w := p.serve(t, signed(t, "POST", p.path("/invites"), in, p.Owner))
	expect(t, "create", w, 201, "")
	var out wire.CreateInviteResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.ExpiresAt != in.ExpiresAt {
		t.Fatalf("got %+v, %v", out, err)
	}
	e := registry.Enrolment{Mesh: p.ID, TokenHash: in.TokenHash, Key: wire.PublicKey(functionstest.Key()), Name: "x"}
	if _, err := p.Store.Enrol(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	expect(t, "the same token", p.serve(t, signed(t, "POST", p.path("/invites"), in, p.Owner)), 409, "invite_exists")
	expect(t, "withdraw", p.serve(t, signed(t, "DELETE", p.path("/invites/"+out.InviteID), "", p.Owner)), 204, "")
	expect(t, "withdraw nothing", p.serve(t, signed(t, "DELETE", p.path("/invites/nothing"), "", p.Owner)), 404, wire.CodeNotFound)
	for name, spoil := range map[string]func(*wire.CreateInviteRequest){
		"a raw token":   func(r *wire.CreateInviteRequest) { r.TokenHash = "token" },
		"another role":  func(r *wire.CreateInviteRequest) { r.Role = "owner" },
		"no uses":       func(r *wire.CreateInviteRequest) { r.MaxUses = 0 },
		"expired":       func(r *wire.CreateInviteRequest) { r.ExpiresAt = 1 },
		"a preset mode": func(r *wire.CreateInviteRequest) { r.Preset = &wire.Preset{MessageMode: "loud"} },
	} {
		bad := newInvite("another token")
		spoil(&bad)
		expect(t, name, p.serve(t, signed(t, "POST", p.path("/invites"), bad, p.Owner)), 400, wire.CodeInvalidArgument)
	}
}

func TestAGroupPolicyIsSetByItsCounter(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	set := func(counter int64, by ed25519.PrivateKey) *httptest.ResponseRecorder {
		policy := wire.GroupPolicy{Mode: wire.GroupPlain, Counter: counter, SignedAt: wire.MillisAt(time.Now())}
		policy.Sign(p.ID, by)
		in := wire.SetGroupPolicyRequest{Mode: policy.Mode, Counter: counter, SignedAt: policy.SignedAt, Signature: policy.Signature}
		return p.serve(t, signed(t, "PUT", p.path("/group-policy"), in, p.Owner))
	}
	w := set(2, p.Owner)
	expect(t, "set", w, 200, "")
	var told wire.GroupPolicy
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || !told.Verify(p.ID, wire.PublicKey(p.Owner)) {
		t.Errorf("told %+v, %v", told, err)
	}
	if mesh, err := p.Store.Mesh(t.Context(), p.ID); err != nil || mesh.GroupPolicy == nil || *mesh.GroupPolicy != told {
		t.Errorf("stored %+v, %v", mesh.GroupPolicy, err)
	}
	expect(t, "again", set(2, p.Owner), 409, "stale_policy")
	expect(t, "zero", set(0, p.Owner), 400, wire.CodeInvalidArgument)
	expect(t, "too large to be exact", set(1<<53, p.Owner), 400, wire.CodeInvalidArgument)
	expect(t, "statement of another key", set(3, functionstest.Key()), 403, wire.CodeBadSignature)
}

func TestMembersAreToldToMembers(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	if err := p.Store.Ban(t.Context(), p.ID, enrolled(t, p, wire.RoleMember)); err != nil {
		t.Fatal(err)
	}
	w := p.serve(t, signed(t, "GET", p.path("/members"), "", p.Creator))
	expect(t, "list", w, 200, "")
	var out wire.MembersResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Members) != 2 {
		t.Fatalf("got %s, %v", w.Body, err)
	}
	for _, m := range out.Members {
		if creator := m.Pubkey == wire.PublicKey(p.Creator); creator != (m.RevokedAt == nil) || creator != (m.Role == wire.RoleAdmin) {
			t.Errorf("got %+v", m)
		}
	}
	expect(t, "a stranger", p.serve(t, signed(t, "GET", p.path("/members"), "", functionstest.Key())), 403, wire.CodeForbidden)
}

// enrolled makes a member and returns its key.
func enrolled(tb testing.TB, p *place, role string) string {
	tb.Helper()
	return wire.PublicKey(enrol(tb, p, role))
}

var enrolments atomic.Int64

func enrol(tb testing.TB, p *place, role string) ed25519.PrivateKey {
	tb.Helper()
	// Tokens are the same for the same second.
	_, token, _ := p.Invite(tb, role, 1, soon().Add(time.Duration(enrolments.Add(1))*time.Second))
	peer := functionstest.Key()
	_, err := p.Store.Enrol(tb.Context(), registry.Enrolment{
		Mesh: p.ID, TokenHash: wire.TokenHash(token), Key: wire.PublicKey(peer), Name: "x",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return peer
}

func TestS2_ABanIsMadeByTheOwnerOrAnAdmin(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	member := enrol(t, p, wire.RoleMember)
	key := wire.PublicKey(member)
	in := func() bool {
		_, _, err := p.Store.Admission(t.Context(), p.ID, key)
		return err == nil
	}
	for _, by := range []ed25519.PrivateKey{p.Owner, p.Creator} {
		expect(t, "ban", p.serve(t, signed(t, "POST", p.path("/bans/"+strings.ToUpper(key)), "", by)), 204, "")
		if in() {
			t.Error("the member is still in")
		}
		expect(t, "the banned asks", p.serve(t, signed(t, "GET", p.path("/members"), "", member)), 403, wire.CodeRevoked)
		expect(t, "lift", p.serve(t, signed(t, "DELETE", p.path("/bans/"+key), "", by)), 204, "")
		if !in() {
			t.Error("the member is still out")
		}
	}
	expect(t, "lift nothing", p.serve(t, signed(t, "DELETE", p.path("/bans/"+key), "", p.Owner)), 404, wire.CodeNotFound)
	expect(t, "a stranger's key", p.serve(t, signed(t, "POST", p.path("/bans/"+strings.Repeat("0", 64)), "", p.Owner)), 404, wire.CodeNotFound)
	expect(t, "no key", p.serve(t, signed(t, "POST", p.path("/bans/ana"), "", p.Owner)), 400, wire.CodeInvalidArgument)
}

func TestS2_OnlyTheOwnerModeratesAdmins(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	other, member := enrol(t, p, wire.RoleAdmin), enrol(t, p, wire.RoleMember)
	ban := func(whom, by ed25519.PrivateKey) *httptest.ResponseRecorder {
		return p.serve(t, signed(t, "POST", p.path("/bans/"+wire.PublicKey(whom)), "", by))
	}
	expect(t, "an admin bans an admin", ban(other, p.Creator), 403, wire.CodeForbidden)
	expect(t, "an admin bans himself", ban(p.Creator, p.Creator), 403, wire.CodeForbidden)
	expect(t, "a member bans", ban(other, member), 403, wire.CodeForbidden)
	expect(t, "the owner bans an admin", ban(other, p.Owner), 204, "")
	expect(t, "a banned admin bans", ban(member, other), 403, wire.CodeRevoked)
	lift := p.serve(t, signed(t, "DELETE", p.path("/bans/"+wire.PublicKey(other)), "", p.Creator))
	expect(t, "an admin lifts an admin's ban", lift, 403, wire.CodeForbidden)
}

func TestAnAbsentRedisIs503AndNeverAHang(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{Within: 200 * time.Millisecond})
	check := func(name string) {
		began := time.Now()
		w := p.serve(t, signed(t, "GET", p.path("/members"), "", p.Owner))
		expect(t, name, w, 503, wire.CodeUnavailable)
		if took := time.Since(began); took > 4*time.Second || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: answered after %v, %v", name, took, w.Header())
		}
	}
	p.server.Pause()
	check("stalled")
	p.server.Kill()
	check("gone")
}

func TestABodyOver64KiBIs413(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	body := string(bytes.Repeat([]byte("x"), wire.MaxHTTPBody+1))
	expect(t, "invite", p.serve(t, signed(t, "POST", p.path("/invites"), body, p.Owner)), 413, wire.CodeTooLarge)
}
