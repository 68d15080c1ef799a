package invite_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/invite"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// seal is what an owner's client does with a token for a short link.
func seal(l wire.ShortLink, token string) string {
	var nonce [24]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return wire.EncodeSealedInvite(nonce, secretbox.Seal(nil, []byte(token), &nonce, (*[32]byte)(l.SealKey())))
}

// open is what a newcomer's client does with it.
func open(tb testing.TB, l wire.ShortLink, sealed string) (wire.Invite, string) {
	tb.Helper()
	nonce, box, err := wire.DecodeSealedInvite(sealed)
	if err != nil {
		tb.Fatal(err)
	}
	token, ok := secretbox.Open(nil, box, &nonce, (*[32]byte)(l.SealKey()))
	if !ok {
		tb.Fatal("the sealed invite does not open")
	}
	i, err := wire.ParseInviteToken(string(token))
	if err != nil || i.Verify(time.Now()) != nil || l.Check(&i) != nil {
		tb.Fatalf("the sealed invite is no good: %v", err)
	}
	return i, string(token)
}

// made counts short links.
var made atomic.Int64

// short is an invite with a short link, as its owner made it.
type short struct {
	wire.ShortLink
	token, id string
}

func (p *place) short(tb testing.TB, uses int, expires time.Time) short {
	tb.Helper()
	// Tokens are the same for the same second.
	apart := time.Duration(made.Add(1)) * time.Second
	if expires.Before(time.Now()) {
		apart = -apart
	}
	expires = expires.Add(apart)
	i, token := p.Sign(tb, wire.RoleMember, expires)
	s := short{ShortLink: wire.NewShortLink("https://mesh.example", &i), token: token}
	stored, err := p.Store.AddInvite(tb.Context(), p.ID, registry.NewInvite{
		TokenHash: wire.TokenHash(token), Role: wire.RoleMember, MaxUses: uses, ExpiresAt: expires,
		InvitedBy: "Ana", CodeHash: wire.CodeHash(s.Code), Sealed: seal(s.ShortLink, token),
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.id = stored.ID
	return s
}

type claimed struct {
	status int
	header http.Header
	wire.ClaimResponse
	wire.ClaimError
}

func (p *place) do(method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, functionstest.Request(method, target, []byte(body)))
	return w
}

// on asks for a page under the name that the browser was given.
func (p *place) on(host, target string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), functionstest.Request("GET", target, nil)
	r.Host = host
	p.handler.ServeHTTP(w, r)
	return w
}

func (p *place) claimText(tb testing.TB, code, body string) claimed {
	tb.Helper()
	w := p.do("POST", "/invites/"+code+"/claim", body)
	c := claimed{status: w.Code, header: w.Header()}
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		tb.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return c
}

func (p *place) claim(tb testing.TB, code string, r *wire.ClaimRequest) claimed {
	tb.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	return p.claimText(tb, code, string(body))
}

func (p *place) claimBy(tb testing.TB, s short, peer ed25519.PrivateKey) claimed {
	tb.Helper()
	return p.claim(tb, s.Code, wire.NewClaimRequest(s.Code, s.token, "bob", peer, time.Now()))
}

func notClaimed(tb testing.TB, what string, got claimed, status int, reason string) {
	tb.Helper()
	if got.status != status || got.Error != reason || got.MemberID != "" || got.SealedInvite != "" {
		tb.Errorf("%s: got %d %+v, want %d %s", what, got.status, got, status, reason)
	}
}

func TestAShortLinkBringsANewcomerInWithTheRootKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s, peer := p.short(t, 1, soon()), functionstest.Key()
	link, err := wire.ParseShortLink(s.String())
	if err != nil {
		t.Fatal(err)
	}

	var preview wire.InvitePreview
	w := p.do("GET", "/v1/invites/"+link.Code, "")
	if err := json.Unmarshal(w.Body.Bytes(), &preview); err != nil || w.Code != 200 {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	if preview.MeshName != "Acme" || preview.InvitedBy != "Ana" || preview.OwnerPubkey != p.OwnerKey || preview.Role != wire.RoleMember {
		t.Errorf("preview %+v", preview)
	}
	i, token := open(t, link, preview.SealedInvite)
	if i.MeshRootKey != p.RootKey {
		t.Error("another root key")
	}

	request := wire.NewClaimRequest(link.Code, token, "bob", peer, time.Now())
	got := p.claim(t, link.Code, request)
	_, member, err := p.Store.Admission(t.Context(), p.ID, wire.PublicKey(peer))
	if err != nil || got.status != 200 || got.MemberID != member.ID || member.Name != "bob" || got.AlreadyMember {
		t.Fatalf("claimed %+v, member %+v, %v", got, member, err)
	}
	if got.MeshID != p.ID || got.OwnerPubkey != p.OwnerKey || got.SealedInvite != preview.SealedInvite ||
		!strings.HasPrefix(got.CanonicalV2, "v=2|"+p.ID+"|"+s.id+"|") {
		t.Errorf("got %+v", got)
	}
	if again := p.claim(t, link.Code, request); again.status != 200 || !again.AlreadyMember || again.MemberID != got.MemberID {
		t.Errorf("a repeat: %+v", again)
	}
	notClaimed(t, "a second newcomer", p.claimBy(t, s, functionstest.Key()), 410, wire.ClaimExhausted)
}

func TestExistingClientsGetTheAnswersThatTheyKnow(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	const old = `{"recipient_x25519_pubkey":"iDGGuAC0HVzwQpaV2ps8xPMo680YSm5IL6V4wQPwbHc","display_name":"Ana"}`
	good, used, expired, revoked := p.short(t, 1, soon()), p.short(t, 1, soon()), p.short(t, 1, time.Now().Add(-2*time.Second)), p.short(t, 1, soon())
	p.claimBy(t, used, functionstest.Key())
	if err := p.Store.RevokeInvite(t.Context(), p.ID, revoked.id); err != nil {
		t.Fatal(err)
	}
	unknown := wire.NewID(wire.CodeLength)
	for _, c := range []struct {
		what, code, body string
		status           int
		reason           string
	}{
		{"too large", good.Code, strings.Repeat("x", 64<<10+1), 413, "payload too large"},
		{"no JSON", good.Code, "x", 400, "malformed"},
		{"no key", good.Code, "{}", 400, "malformed"},
		{"key no text", good.Code, `{"recipient_x25519_pubkey":5}`, 400, "malformed"},
		{"short key", unknown, `{"recipient_x25519_pubkey":"abc"}`, 400, "malformed"},
		{"unknown", unknown, old, 404, "not_found"},
		{"reference's kind of code", "ABCD2345", old, 404, "not_found"},
		{"revoked", revoked.Code, old, 410, "revoked"},
		{"expired", expired.Code, old, 410, "expired"},
		{"used up", used.Code, old, 410, "exhausted"},
		{"good, but no root key here", good.Code, old, 400, "malformed"},
	} {
		notClaimed(t, c.what, p.claimText(t, c.code, c.body), c.status, c.reason)
	}
	if got := p.claimBy(t, good, functionstest.Key()); got.status != 200 {
		t.Errorf("those used the invite up: %+v", got)
	}
}

func TestAttackClaimWithoutTheSecret(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s, other := p.short(t, 9, soon()), p.short(t, 9, soon())
	peer := functionstest.Key()
	guess := wire.NewClaimRequest(s.Code, "guess", "eve", peer, time.Now())
	notClaimed(t, "by the code alone", p.claim(t, s.Code, guess), 404, wire.ClaimNotFound)
	foreign := wire.NewClaimRequest(s.Code, other.token, "eve", peer, time.Now())
	notClaimed(t, "by another invite's token", p.claim(t, s.Code, foreign), 404, wire.ClaimNotFound)
	hash := wire.NewClaimRequest(s.Code, s.token, "eve", peer, time.Now())
	hash.InviteProof = wire.TokenHash(s.token)
	notClaimed(t, "by the stored hash", p.claim(t, s.Code, hash), 400, wire.ClaimBadSignature)
}

func TestAttackSwappedSkewedOrStolenClaim(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s, other := p.short(t, 9, soon()), p.short(t, 9, soon())
	request := wire.NewClaimRequest(s.Code, s.token, "bob", functionstest.Key(), time.Now())
	stolen := *request
	stolen.PeerPubkey = wire.PublicKey(functionstest.Key())
	notClaimed(t, "for another key", p.claim(t, s.Code, &stolen), 400, wire.ClaimBadSignature)
	notClaimed(t, "at another code", p.claim(t, other.Code, request), 400, wire.ClaimBadSignature)
	late := wire.NewClaimRequest(s.Code, s.token, "bob", functionstest.Key(), time.Now().Add(-61*time.Second))
	notClaimed(t, "late", p.claim(t, s.Code, late), 400, wire.ClaimSkew)
	unsigned := *request
	unsigned.Signature = ""
	notClaimed(t, "unsigned", p.claim(t, s.Code, &unsigned), 400, wire.ClaimMalformed)
}

func TestS2_AttackBannedClaim(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s, peer := p.short(t, 9, soon()), functionstest.Key()
	p.claimBy(t, s, peer)
	if err := p.Store.Ban(t.Context(), p.ID, wire.PublicKey(peer)); err != nil {
		t.Fatal(err)
	}
	notClaimed(t, "banned", p.claimBy(t, s, peer), 403, wire.ClaimBanned)
}

func TestAttackConcurrentClaimsOfOneUse(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s := p.short(t, 1, soon())
	got := make([]claimed, 20)
	var wg sync.WaitGroup
	for n := range got {
		wg.Go(func() { got[n] = p.claimBy(t, s, functionstest.Key()) })
	}
	wg.Wait()
	in := 0
	for _, c := range got {
		if c.status == 200 {
			in++
			continue
		}
		notClaimed(t, "a rival", c, 410, wire.ClaimExhausted)
	}
	if in != 1 {
		t.Errorf("%d came in by one use", in)
	}
}

func TestAttackGuessingAndHammering(t *testing.T) {
	t.Parallel()
	one := registry.Limit{Name: "x", Burst: 2, PerMinute: 1}
	byAddress := newPlace(t, invite.Config{Limit: one, LookLimit: one})
	byInvite := newPlace(t, invite.Config{InviteLimit: one})
	s := byInvite.short(t, 9, soon())
	for n, want := range []int{404, 404, 429, 429} {
		code := wire.NewID(wire.CodeLength)
		got := byAddress.claim(t, code, wire.NewClaimRequest(code, "t", "x", functionstest.Key(), time.Now()))
		look := byAddress.do("GET", "/v1/invites/"+code, "")
		page := byAddress.do("GET", "/i/"+code, "")
		if got.status != want && n != 1 || n == 3 && (look.Code != 429 || page.Code != 429 || got.header.Get("Retry-After") == "") {
			t.Errorf("%d: claim %d, preview %d, page %d", n, got.status, look.Code, page.Code)
		}
	}
	for n, want := range []int{200, 200, 429} {
		if got := byInvite.claimBy(t, s, functionstest.Key()); got.status != want {
			t.Errorf("claim %d of one invite: got %d, want %d", n, got.status, want)
		}
	}
}

// TestAttackShuttingAnInviteByItsCode claims with no idea of the secret, as
// somebody can who has seen the code in a log.
func TestAttackShuttingAnInviteByItsCode(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{InviteLimit: registry.Limit{Name: "x", Burst: 2, PerMinute: 1}})
	s := p.short(t, 9, soon())
	for range 5 {
		guess := wire.NewClaimRequest(s.Code, "a guess", "eve", functionstest.Key(), time.Now())
		notClaimed(t, "a guess", p.claim(t, s.Code, guess), 404, wire.ClaimNotFound)
	}
	if got := p.claimBy(t, s, functionstest.Key()); got.status != 200 {
		t.Errorf("then who has the link: %+v", got)
	}
}

func TestThePreviewSaysWhyAnInviteIsNoGood(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	expired := p.short(t, 1, time.Now().Add(-2*time.Second))
	for target, want := range map[string]struct {
		status int
		code   wire.Code
	}{
		"/v1/invites/" + expired.Code:                {410, wire.CodeExpired},
		"/v1/invites/" + wire.NewID(wire.CodeLength): {404, wire.CodeNotFound},
		"/v1/invites/x{}":                            {404, wire.CodeNotFound},
	} {
		w := p.do("GET", target, "")
		var body wire.HTTPError
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if w.Code != want.status || body.Error.Code != want.code || body.Error.Message == "" {
			t.Errorf("%s: %d %s, want %+v", target, w.Code, w.Body, want)
		}
	}
	p.server.Kill()
	for _, target := range []string{"/v1/invites/", "/i/"} {
		if w := p.do("GET", target+expired.Code, ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("Redis away, %s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestAttackClaimOfAnInviteThatEnded(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	used, expired, revoked := p.short(t, 1, soon()), p.short(t, 9, time.Now().Add(-2*time.Second)), p.short(t, 9, soon())
	p.claimBy(t, used, functionstest.Key())
	if err := p.Store.RevokeInvite(t.Context(), p.ID, revoked.id); err != nil {
		t.Fatal(err)
	}
	notClaimed(t, "used", p.claimBy(t, used, functionstest.Key()), 410, wire.ClaimExhausted)
	notClaimed(t, "expired", p.claimBy(t, expired, functionstest.Key()), 410, wire.ClaimExpired)
	notClaimed(t, "revoked", p.claimBy(t, revoked, functionstest.Key()), 410, wire.ClaimRevoked)
	unknown := p.short(t, 1, soon())
	unknown.Code = wire.NewID(wire.CodeLength)
	notClaimed(t, "unknown", p.claimBy(t, unknown, functionstest.Key()), 404, wire.ClaimNotFound)
	if err := p.Store.Archive(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	notClaimed(t, "of an archived mesh", p.claimBy(t, revoked, functionstest.Key()), 404, wire.ClaimNotFound)
}

// TestAttackSwappedSealedInvite plays a broker that hands out an invite of its
// own making: it cannot seal it, and a link names the owner anyway.
func TestAttackSwappedSealedInvite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	s, evil := p.short(t, 1, soon()), functionstest.NewMesh(t, p.Store)
	i, token := evil.Sign(t, wire.RoleMember, soon())
	guess := s.ShortLink
	guess.Secret = [wire.LinkSecretSize]byte{}
	nonce, box, err := wire.DecodeSealedInvite(seal(guess, token))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := secretbox.Open(nil, box, &nonce, (*[32]byte)(s.SealKey())); ok {
		t.Error("a box under a guessed secret opens")
	}
	if err := s.Check(&i); err == nil {
		t.Error("another mesh's invite passes")
	}
}

// FuzzClaim sends whatever comes: each must have an answer, none of them 500.
func FuzzClaim(f *testing.F) {
	p := newPlace(f, invite.Config{Limit: registry.Limit{Name: "x", Burst: 1 << 30, PerMinute: 1 << 30}})
	code := p.short(f, 9, soon()).Code
	f.Add([]byte(`{"peer_pubkey":"","invite_proof":"","timestamp":1e99,"signature":""}`))
	f.Add([]byte(`{"recipient_x25519_pubkey":"iDGGuAC0HVzwQpaV2ps8xPMo680YSm5IL6V4wQPwbHc"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if w := p.do("POST", "/invites/"+code+"/claim", string(body)); w.Code >= 500 || w.Code == 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}
