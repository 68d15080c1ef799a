package invite_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/invite"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// place is one registry with one mesh and the handler before it.
type place struct {
	*functionstest.Mesh
	server  *redistest.Server
	handler http.Handler
}

func newPlace(tb testing.TB, c invite.Config) *place {
	tb.Helper()
	server := redistest.Start(tb)
	store := registry.New(server.Client(tb), registry.Options{})
	return &place{functionstest.NewMesh(tb, store), server, invite.NewHandler(store, c)}
}

// answer is what a newcomer gets.
type answer struct {
	status int
	wire.JoinResponse
}

func (p *place) post(tb testing.TB, body []byte) answer {
	tb.Helper()
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, functionstest.Request(http.MethodPost, "/join", body))
	a := answer{status: w.Code}
	if err := json.Unmarshal(w.Body.Bytes(), &a.JoinResponse); err != nil {
		tb.Fatalf("answer %d %q: %v", w.Code, w.Body, err)
	}
	if a.OK != (w.Code == http.StatusOK) || a.OK == (a.Error != "") || a.OK == (a.MemberID == "") {
		tb.Errorf("answer %d contradicts itself: %s", w.Code, w.Body)
	}
	return a
}

func (p *place) join(tb testing.TB, request any) answer {
	tb.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		tb.Fatal(err)
	}
	return p.post(tb, body)
}

// byToken is a join as existing clients make it.
func byToken(tb testing.TB, token string, payload wire.Invite, peer ed25519.PrivateKey) wire.JoinRequest {
	tb.Helper()
	text, err := json.Marshal(payload)
	if err != nil {
		tb.Fatal(err)
	}
	return wire.JoinRequest{
		InviteToken: token, InvitePayload: text, PeerPubkey: wire.PublicKey(peer), DisplayName: "ana",
	}
}

func (p *place) byProof(i wire.Invite, token string, peer ed25519.PrivateKey) *wire.JoinRequest {
	return wire.NewJoinRequest(&i, token, "ana", peer, time.Now())
}

// refused asserts one refusal in the shape of existing brokers.
func refused(tb testing.TB, what string, got answer, status int, reason string) {
	tb.Helper()
	if got.status != status || got.Error != reason {
		tb.Errorf("%s: got %d %q, want %d %q", what, got.status, got.Error, status, reason)
	}
}

func soon() time.Time { return time.Now().Add(time.Hour) }

func TestBothFormsOfAJoinMakeAMemberAndARepeatMakesNone(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleAdmin, 2, soon())
	for name, request := range map[string]func(ed25519.PrivateKey) any{
		"token": func(k ed25519.PrivateKey) any { return byToken(t, token, i, k) },
		"proof": func(k ed25519.PrivateKey) any { return p.byProof(i, token, k) },
	} {
		peer := functionstest.Key()
		first := p.join(t, request(peer))
		again := p.join(t, request(peer))
		if first.status != 200 || first.AlreadyMember || again.status != 200 || !again.AlreadyMember || again.MemberID != first.MemberID {
			t.Errorf("%s: first %+v, again %+v", name, first, again)
		}
		_, member, err := p.Store.Admission(t.Context(), p.ID, wire.PublicKey(peer))
		if err != nil || member.Role != wire.RoleAdmin || member.Name != "ana" || member.ID != first.MemberID {
			t.Errorf("%s: member %+v, %v", name, member, err)
		}
	}
}

func TestAttackNoInvite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token := p.Sign(t, wire.RoleMember, soon()) // signed by the owner, but never registered
	peer := functionstest.Key()
	refused(t, "token", p.join(t, byToken(t, token, i, peer)), 400, wire.JoinNotFound)
	refused(t, "proof", p.join(t, p.byProof(i, token, peer)), 400, wire.JoinNotFound)
	refused(t, "random token", p.join(t, byToken(t, "bm90IGFuIGludml0ZQ", i, peer)), 400, wire.JoinNotFound)
}

func TestAttackUsedInvite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 1, soon())
	p.join(t, byToken(t, token, i, functionstest.Key()))
	refused(t, "token", p.join(t, byToken(t, token, i, functionstest.Key())), 400, wire.JoinExhausted)
	refused(t, "proof", p.join(t, p.byProof(i, token, functionstest.Key())), 400, wire.JoinExhausted)
}

func TestAttackExpiredInvite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 9, time.Now().Add(-2*time.Second))
	refused(t, "token", p.join(t, byToken(t, token, i, functionstest.Key())), 400, wire.JoinExpired)
	refused(t, "proof", p.join(t, p.byProof(i, token, functionstest.Key())), 400, wire.JoinExpired)
}

func TestAttackRevokedInvite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, id := p.Invite(t, wire.RoleMember, 9, soon())
	if err := p.Store.RevokeInvite(t.Context(), p.ID, id); err != nil {
		t.Fatal(err)
	}
	refused(t, "token", p.join(t, byToken(t, token, i, functionstest.Key())), 400, wire.JoinRevoked)
	refused(t, "proof", p.join(t, p.byProof(i, token, functionstest.Key())), 400, wire.JoinRevoked)
}

func TestAttackTamperedInvite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 9, soon())
	for name, tamper := range map[string]func(*wire.Invite){
		"role":       func(i *wire.Invite) { i.Role = wire.RoleAdmin },
		"expiry":     func(i *wire.Invite) { i.ExpiresAt += 3600 },
		"mesh":       func(i *wire.Invite) { i.MeshID = strings.Repeat("0", 32) },
		"owner":      func(i *wire.Invite) { i.OwnerPubkey = wire.PublicKey(functionstest.Key()) },
		"broker":     func(i *wire.Invite) { i.BrokerURL = "wss://evil.example/ws" },
		"root key":   func(i *wire.Invite) { i.MeshRootKey = strings.Repeat("A", 43) },
		"separators": func(i *wire.Invite) { i.MeshSlug += "|" + i.BrokerURL },
		"signature":  func(i *wire.Invite) { i.Signature = strings.Repeat("0", 128) },
	} {
		bad := i
		tamper(&bad)
		refused(t, name, p.join(t, byToken(t, token, bad, functionstest.Key())), 400, wire.JoinBadSignature)
	}
}

// TestAttackForeignInvite shows an invite that a stranger signed, and one of
// another mesh.
func TestAttackForeignInvite(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	forged, _ := p.Sign(t, wire.RoleAdmin, soon())
	forged.Sign(functionstest.Key())
	token, err := forged.Token()
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "a stranger's", p.join(t, byToken(t, token, forged, functionstest.Key())), 400, wire.JoinOwnerMismatch)

	other := functionstest.NewMesh(t, p.Store)
	i, token, _ := other.Invite(t, wire.RoleMember, 1, soon())
	i.MeshID = p.ID // the newer form names the mesh beside the invite
	refused(t, "another mesh's", p.join(t, p.byProof(i, token, functionstest.Key())), 400, wire.JoinNotFound)

	i.MeshID = strings.Repeat("0", 32)
	refused(t, "no mesh's", p.join(t, p.byProof(i, token, functionstest.Key())), 400, wire.JoinMeshNotFound)
}

// TestAttackPayloadOfAnotherRole shows a good token with another payload that
// the owner signed as well: the reference would believe the payload's role.
func TestAttackPayloadOfAnotherRole(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	_, token, _ := p.Invite(t, wire.RoleMember, 9, soon())
	admin, adminToken, _ := p.Invite(t, wire.RoleAdmin, 9, time.Now().Add(-time.Hour))
	refused(t, "payload", p.join(t, byToken(t, token, admin, functionstest.Key())), 400, wire.JoinPayloadMismatch)
	refused(t, "whole invite", p.join(t, byToken(t, adminToken, admin, functionstest.Key())), 400, wire.JoinExpired)
}

// TestTheStoredRoleCounts registers an invite with less than its token says.
func TestTheStoredRoleCounts(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token := p.Sign(t, wire.RoleAdmin, soon())
	_, err := p.Store.AddInvite(t.Context(), p.ID, registry.NewInvite{
		TokenHash: wire.TokenHash(token), Role: wire.RoleMember, MaxUses: 1, ExpiresAt: soon(),
	})
	if err != nil {
		t.Fatal(err)
	}
	peer := functionstest.Key()
	if got := p.join(t, byToken(t, token, i, peer)); !got.OK {
		t.Fatal(got)
	}
	if _, member, err := p.Store.Admission(t.Context(), p.ID, wire.PublicKey(peer)); err != nil || member.Role != wire.RoleMember {
		t.Errorf("got %+v, %v", member, err)
	}
}

// TestAttackTheStoredHashAsAProof tries what somebody who read the registry
// would have.
func TestAttackTheStoredHashAsAProof(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 9, soon())
	refused(t, "hash as token", p.join(t, p.byProof(i, wire.TokenHash(token), functionstest.Key())), 400, wire.JoinNotFound)
}

func TestAttackSkewedReplayedOrStolenProof(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 9, soon())
	peer := functionstest.Key()
	for name, by := range map[string]time.Duration{"old": -2 * time.Minute, "from the future": 2 * time.Minute} {
		request := wire.NewJoinRequest(&i, token, "ana", peer, time.Now().Add(by))
		refused(t, name, p.join(t, request), 400, wire.JoinTimestampSkew)
	}
	request := p.byProof(i, token, peer)
	stolen := *request
	stolen.PeerPubkey = wire.PublicKey(functionstest.Key())
	refused(t, "another key", p.join(t, &stolen), 400, wire.JoinProofSignature)
	moved := *request
	moved.MeshID = functionstest.NewMesh(t, p.Store).ID
	refused(t, "another mesh", p.join(t, &moved), 400, wire.JoinProofSignature)
	late := *request
	late.Timestamp++
	refused(t, "another time", p.join(t, &late), 400, wire.JoinProofSignature)

	first, replayed := p.join(t, request), p.join(t, request)
	if !first.OK || !replayed.AlreadyMember || replayed.MemberID != first.MemberID {
		t.Errorf("a replay changed something: %+v, then %+v", first, replayed)
	}
}

func TestS2_AttackBannedReEnrolment(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 9, soon())
	peer := functionstest.Key()
	p.join(t, byToken(t, token, i, peer))
	if err := p.Store.Ban(t.Context(), p.ID, wire.PublicKey(peer)); err != nil {
		t.Fatal(err)
	}
	shouted := byToken(t, token, i, peer)
	shouted.PeerPubkey = strings.ToUpper(shouted.PeerPubkey)
	refused(t, "token", p.join(t, byToken(t, token, i, peer)), 403, wire.JoinBanned)
	refused(t, "uppercase", p.join(t, shouted), 403, wire.JoinBanned)
	refused(t, "proof", p.join(t, p.byProof(i, token, peer)), 403, wire.JoinBanned)
}

func TestAttackUppercaseKeyIsNoSecondMember(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 9, soon())
	request := byToken(t, token, i, functionstest.Key())
	lower := p.join(t, request)
	request.PeerPubkey = strings.ToUpper(request.PeerPubkey)
	if upper := p.join(t, request); !upper.AlreadyMember || upper.MemberID != lower.MemberID {
		t.Errorf("got %+v, then %+v", lower, upper)
	}
}

func TestAttackAwkwardNames(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 99, soon())
	for name, status := range map[string]int{
		`O'Brien"; DROP TABLE members; --`: 200, `{}[]"\n`: 200, "日本語 🎉": 200, "</script>": 200,
		"NUL\x00": 400, "bell\x07": 400, "unit\x1fseparator": 400, "": 400,
		strings.Repeat("x", 60<<10): 400, strings.Repeat("x", 64<<10): 413,
	} {
		peer := functionstest.Key()
		request := byToken(t, token, i, peer)
		request.DisplayName = name
		short := name[:min(len(name), 40)]
		if got := p.join(t, request); got.status != status {
			t.Errorf("%q: got %d %s, want %d", short, got.status, got.Error, status)
		}
		_, member, err := p.Store.Admission(t.Context(), p.ID, wire.PublicKey(peer))
		if (err == nil) != (status == 200) || (err == nil && member.Name != name) {
			t.Errorf("%q: stored as %q, %v", short, member.Name, err)
		}
	}
}

func TestAttackConcurrentEnrolmentByOneUse(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	i, token, _ := p.Invite(t, wire.RoleMember, 1, soon())
	const rivals = 20
	got := make([]answer, rivals)
	var wg sync.WaitGroup
	for n := range rivals {
		wg.Go(func() { got[n] = p.join(t, p.byProof(i, token, functionstest.Key())) })
	}
	wg.Wait()
	winners := 0
	for _, a := range got {
		if a.OK {
			winners++
			continue
		}
		refused(t, "a rival", a, 400, wire.JoinExhausted)
	}
	if winners != 1 {
		t.Errorf("%d of %d came in by one use", winners, rivals)
	}
}

func TestMalformedBodiesAreClearErrors(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	key := wire.PublicKey(functionstest.Key())
	for body, reason := range map[string]string{
		"":                   "body must be a JSON object with the fields of a join",
		"nonsense":           "body must be a JSON object with the fields of a join",
		"[]":                 "body must be a JSON object with the fields of a join",
		`{"a":1}{}`:          "body must be a JSON object with the fields of a join",
		`{"invite_token":5}`: "body must be a JSON object with the fields of a join",
		"{}":                 wire.JoinFieldsMissing,
		"null":               wire.JoinFieldsMissing,
		`{"invite_token":"x","invite_payload":{},"peer_pubkey":"` + key + `"}`:                              wire.JoinFieldsMissing,
		`{"invite_token":"x","invite_payload":{},"peer_pubkey":"abc","display_name":"n"}`:                   wire.JoinBadPubkey,
		`{"invite_token":"x","invite_payload":{},"peer_pubkey":"` + key + `","display_name":"n"}`:           wire.JoinBadSignature,
		`{"invite_token":"x","invite_payload":"\u0000","peer_pubkey":"` + key + `","display_name":"n"}`:     wire.JoinBadSignature,
		`{"invite_proof":"x","peer_pubkey":"` + key + `","display_name":"n"}`:                               wire.JoinProofMissing,
		`{"invite_proof":"x","mesh_id":"{","signature":"s","peer_pubkey":"` + key + `","display_name":"n"}`: wire.JoinNotFound,
	} {
		refused(t, body, p.post(t, []byte(body)), 400, reason)
	}
	refused(t, "too large", p.post(t, bytes.Repeat([]byte(" "), wire.MaxHTTPBody+1)), 413, wire.JoinTooLarge)
}

func TestOneAddressJoinsSoOftenOnly(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{Limit: registry.Limit{Name: "join", Burst: 2, PerMinute: 1}})
	for range 2 {
		refused(t, "within the limit", p.post(t, []byte("{}")), 400, wire.JoinFieldsMissing)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, functionstest.Request(http.MethodPost, "/join", []byte("{}")))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func TestOnlyTheExactTargetJoins(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{})
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"OPTIONS", "/join", 204},
		{"OPTIONS", "/anything", 204},
		{"GET", "/join", 404},
		{"POST", "/join?x=1", 404},
		{"POST", "/join/", 404},
		{"POST", "/JOIN", 404},
		{"POST", "/join", 400},
	} {
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, functionstest.Request(c.method, c.target, nil))
		if w.Code != c.status || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: got %d %v, want %d", c.method, c.target, w.Code, w.Header(), c.status)
		}
	}
}

func TestAnAbsentRedisIs503AndNeverAHang(t *testing.T) {
	t.Parallel()
	p := newPlace(t, invite.Config{Within: 200 * time.Millisecond})
	i, token, _ := p.Invite(t, wire.RoleMember, 9, soon())
	request := p.byProof(i, token, functionstest.Key())
	check := func(name string) {
		began := time.Now()
		refused(t, name, p.join(t, request), 503, "unavailable")
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: answered after %v", name, took)
		}
	}
	p.server.Pause()
	check("stalled")
	p.server.Kill()
	check("gone")
}

// FuzzJoin holds the handler to an answer for every body, none of them 500.
func FuzzJoin(f *testing.F) {
	p := newPlace(f, invite.Config{Limit: registry.Limit{Name: "join", Burst: 1 << 30, PerMinute: 1 << 30}})
	i, token, _ := p.Invite(f, wire.RoleMember, 1<<20, soon())
	seed, err := json.Marshal(byToken(f, token, i, functionstest.Key()))
	if err != nil {
		f.Fatal(err)
	}
	proof, err := json.Marshal(p.byProof(i, token, functionstest.Key()))
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range [][]byte{seed, proof, nil, []byte("{}"), []byte(`{"invite_proof":{}}`), []byte("\xff\x00"), []byte(`{"timestamp":1e999}`)} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if got := p.post(t, body); got.status >= 500 {
			t.Errorf("got %d %s", got.status, got.Error)
		}
	})
}
