package wire_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

var requestBody = []byte(`{"name":"Acme"}`)

func signedRequest(t *testing.T) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/meshes?dry=1", nil)
	wire.SignRequest(r, requestBody, key(1), now)
	return r
}

func TestASignedRequestIsBelieved(t *testing.T) {
	t.Parallel()
	got, err := wire.VerifyRequest(signedRequest(t), requestBody, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got.Key != wire.PublicKey(key(1)) || len(got.Nonce) < wire.MinNonce {
		t.Errorf("request = %+v", got)
	}
}

func TestTheCanonicalRequestIsAsDocumented(t *testing.T) {
	t.Parallel()
	s := wire.SignedRequest{
		Method: "POST", Target: "/v1/meshes?dry=1", Body: []byte("abc"), Time: wire.MillisAt(now), Nonce: "n",
	}
	const want = "claudemesh-request|POST|/v1/meshes?dry=1|" +
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|1767225600000|n"
	if got := string(s.Canonical()); got != want {
		t.Errorf("canonical text\n got %s\nwant %s", got, want)
	}
}

func TestARequestIsBelievedInNothingButWhatWasSigned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*http.Request)
		body   []byte
		at     time.Time
		want   error
	}{
		"another method": {func(r *http.Request) { r.Method = "PUT" }, requestBody, now, wire.ErrRequestSignature},
		"another path":   {func(r *http.Request) { r.RequestURI = "/v1/other" }, requestBody, now, wire.ErrRequestSignature},
		"another query":  {func(r *http.Request) { r.RequestURI = "/v1/meshes" }, requestBody, now, wire.ErrRequestSignature},
		"another body":   {func(*http.Request) {}, []byte(`{}`), now, wire.ErrRequestSignature},
		"another time":   {header(wire.HeaderTime, "1767225600001"), requestBody, now, wire.ErrRequestSignature},
		"another nonce":  {header(wire.HeaderNonce, strings.Repeat("x", 22)), requestBody, now, wire.ErrRequestSignature},
		"another key":    {header(wire.HeaderKey, wire.PublicKey(key(2))), requestBody, now, wire.ErrRequestSignature},
		"short nonce":    {header(wire.HeaderNonce, "x"), requestBody, now, wire.ErrRequestUnsigned},
		"nonce with bar": {header(wire.HeaderNonce, strings.Repeat("|", 22)), requestBody, now, wire.ErrRequestUnsigned},
		"no key":         {header(wire.HeaderKey, ""), requestBody, now, wire.ErrRequestUnsigned},
		"no time":        {header(wire.HeaderTime, ""), requestBody, now, wire.ErrRequestUnsigned},
		"too late":       {func(*http.Request) {}, requestBody, now.Add(time.Minute + time.Millisecond), wire.ErrRequestSkew},
	} {
		r := signedRequest(t)
		c.change(r)
		if _, err := wire.VerifyRequest(r, c.body, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: error = %v, want %v", name, err, c.want)
		}
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestAGroupPolicyIsTheOwnersWordAboutOneMesh(t *testing.T) {
	t.Parallel()
	p, owner := groupPolicy(), wire.PublicKey(key(1))
	if !p.Verify(meshID, owner) {
		t.Fatal("the owner's word is not believed")
	}
	if p.Verify(strings.Repeat("0", 32), owner) || p.Verify(meshID, wire.PublicKey(key(2))) {
		t.Error("it is believed of another mesh or owner")
	}
	older := *p
	older.Counter++
	if older.Verify(meshID, owner) {
		t.Error("the counter is not covered")
	}
	r := wire.SetGroupPolicyRequest{Mode: p.Mode, Counter: p.Counter, SignedAt: p.SignedAt, Signature: p.Signature}
	if got := r.Policy(owner); got != *p {
		t.Errorf("policy = %+v, want %+v", got, *p)
	}
}

func TestMeshesAndInvitesAreChecked(t *testing.T) {
	t.Parallel()
	mesh := func(change func(*wire.CreateMeshRequest)) error {
		r := wire.CreateMeshRequest{
			Name: "Acme", Slug: "acme", OwnerPubkey: wire.PublicKey(key(1)), MemberPubkey: wire.PublicKey(key(2)),
			DisplayName: "Ana",
		}
		change(&r)
		return r.Check()
	}
	invite := func(change func(*wire.CreateInviteRequest)) error {
		r := wire.CreateInviteRequest{
			TokenHash: wire.TokenHash("x"), Role: wire.RoleMember, MaxUses: 1, ExpiresAt: now.Unix() + 1,
			Preset: &wire.Preset{MessageMode: wire.ModeInbox, Groups: []wire.Group{{Name: "a"}}},
		}
		change(&r)
		return r.Check(now)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"mesh":             {mesh(func(*wire.CreateMeshRequest) {}), ""},
		"mesh sans slug":   {mesh(func(r *wire.CreateMeshRequest) { r.Slug = "" }), ""},
		"mesh sans name":   {mesh(func(r *wire.CreateMeshRequest) { r.Name = "" }), "name"},
		"bad slug":         {mesh(func(r *wire.CreateMeshRequest) { r.Slug = "A b" }), "slug"},
		"one key for both": {mesh(func(r *wire.CreateMeshRequest) { r.MemberPubkey = r.OwnerPubkey }), "differ"},
		"uppercase owner":  {mesh(func(r *wire.CreateMeshRequest) { r.OwnerPubkey = strings.ToUpper(r.OwnerPubkey) }), "owner"},
		"nobody":           {mesh(func(r *wire.CreateMeshRequest) { r.DisplayName = "" }), "display_name"},
		"invite":           {invite(func(*wire.CreateInviteRequest) {}), ""},
		"no preset":        {invite(func(r *wire.CreateInviteRequest) { r.Preset = nil }), ""},
		"bad hash":         {invite(func(r *wire.CreateInviteRequest) { r.TokenHash = "x" }), "token_hash"},
		"owner by invite":  {invite(func(r *wire.CreateInviteRequest) { r.Role = "owner" }), "role"},
		"no uses":          {invite(func(r *wire.CreateInviteRequest) { r.MaxUses = 0 }), "max_uses"},
		"over":             {invite(func(r *wire.CreateInviteRequest) { r.ExpiresAt = now.Unix() }), "expires_at"},
		"bad mode":         {invite(func(r *wire.CreateInviteRequest) { r.Preset.MessageMode = "x" }), "messageMode"},
	} {
		switch {
		case c.want == "" && c.err != nil:
			t.Errorf("%s: %v", name, c.err)
		case c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)):
			t.Errorf("%s: error = %v, want one about %s", name, c.err, c.want)
		}
	}
}

func TestSlugsAreWordsJoinedByDashes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Acme Corp.":                   "acme-corp",
		"  --Ünï code 42":              "n-code-42",
		"!!!":                          "",
		strings.Repeat("x", 100):       strings.Repeat("x", 64),
		strings.Repeat("x", 63) + " y": strings.Repeat("x", 63),
	} {
		if got := wire.Slug(name); got != want {
			t.Errorf("slug of %q = %q, want %q", name, got, want)
		}
	}
}
