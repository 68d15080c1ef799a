package wire_test

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// now is the clock of these tests, that of the vectors.
var now = time.UnixMilli(1767225600000)

// key returns a key whose seed repeats one byte.
func key(b byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = b
	}
	return ed25519.NewKeyFromSeed(seed)
}

func newInvite(t *testing.T, change func(*wire.Invite)) (wire.Invite, string) {
	t.Helper()
	i := wire.Invite{
		MeshID: meshID, MeshSlug: "acme", BrokerURL: "wss://edge.example/ws", ExpiresAt: now.Unix() + 60,
		MeshRootKey: "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8", Role: wire.RoleMember,
	}
	if change != nil {
		change(&i)
	}
	i.Sign(key(1))
	token, err := i.Token()
	if err != nil {
		t.Fatal(err)
	}
	return i, token
}

const meshID = "MESH0123456789abcdefABCDEFxyzXYZ"

func tokenRequest(t *testing.T, i wire.Invite, token string) *wire.JoinRequest {
	t.Helper()
	payload, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	return &wire.JoinRequest{
		InviteToken: token, InvitePayload: payload,
		PeerPubkey: wire.PublicKey(key(2)), DisplayName: "Ana",
	}
}

func TestJoiningByTokenClaimsTheInvite(t *testing.T) {
	t.Parallel()
	i, token := newInvite(t, nil)
	claim, refusal := tokenRequest(t, i, token).Check(now)
	if refusal != nil {
		t.Fatal(refusal)
	}
	want := wire.JoinClaim{
		MeshID: meshID, InviteHash: wire.TokenHash(token), OwnerPubkey: wire.PublicKey(key(1)),
		PeerPubkey: wire.PublicKey(key(2)), DisplayName: "Ana",
	}
	if claim != want {
		t.Errorf("claim = %+v, want %+v", claim, want)
	}
}

func TestJoiningByProofRevealsNeitherTokenNorRootKey(t *testing.T) {
	t.Parallel()
	i, token := newInvite(t, nil)
	r := wire.NewJoinRequest(&i, token, "Ana", key(2), now)
	claim, refusal := r.Check(now)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if claim.InviteHash != wire.TokenHash(token) || claim.MeshID != meshID {
		t.Errorf("claim = %+v", claim)
	}
	if r.InviteToken != "" || r.InvitePayload != nil {
		t.Error("the request hands the token over")
	}
}

func TestJoinIsRefusedInWordsThatClientsKnow(t *testing.T) {
	t.Parallel()
	i, token := newInvite(t, nil)
	byToken := func(change func(*wire.JoinRequest)) *wire.JoinRequest {
		r := tokenRequest(t, i, token)
		change(r)
		return r
	}
	byProof := func(change func(*wire.JoinRequest)) *wire.JoinRequest {
		r := wire.NewJoinRequest(&i, token, "Ana", key(2), now)
		change(r)
		return r
	}
	for name, c := range map[string]struct {
		request *wire.JoinRequest
		want    string
	}{
		"no token":         {byToken(func(r *wire.JoinRequest) { r.InviteToken = "" }), wire.JoinFieldsMissing},
		"no payload":       {byToken(func(r *wire.JoinRequest) { r.InvitePayload = nil }), wire.JoinFieldsMissing},
		"no name":          {byToken(func(r *wire.JoinRequest) { r.DisplayName = "" }), wire.JoinFieldsMissing},
		"short key":        {byToken(func(r *wire.JoinRequest) { r.PeerPubkey = "ab" }), wire.JoinBadPubkey},
		"payload is junk":  {byToken(func(r *wire.JoinRequest) { r.InvitePayload = []byte(`7`) }), wire.JoinBadSignature},
		"null payload":     {byToken(func(r *wire.JoinRequest) { r.InvitePayload = []byte("null") }), wire.JoinFieldsMissing},
		"proof is junk":    {byProof(func(r *wire.JoinRequest) { r.InviteProof = "junk" }), wire.JoinNotFound},
		"proof unsigned":   {byProof(func(r *wire.JoinRequest) { r.Signature = "" }), wire.JoinProofMissing},
		"proof is stale":   {byProof(func(r *wire.JoinRequest) { r.Timestamp -= 60_001 }), wire.JoinTimestampSkew},
		"proof for others": {byProof(func(r *wire.JoinRequest) { r.PeerPubkey = wire.PublicKey(key(3)) }), wire.JoinProofSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, refusal := c.request.Check(now)
			if refusal == nil || refusal.Reason != c.want || refusal.Status != 400 {
				t.Errorf("refusal = %+v, want %s", refusal, c.want)
			}
		})
	}
}

// Existing clients learn first that the mesh or its owner is another one.
func TestATokenThatIsNoGoodMatchesNoInvite(t *testing.T) {
	t.Parallel()
	i, token := newInvite(t, nil)
	admin, _ := newInvite(t, func(i *wire.Invite) { i.Role = wire.RoleAdmin })
	junk := tokenRequest(t, i, token)
	junk.InviteToken = "junk"
	for want, r := range map[string]*wire.JoinRequest{
		wire.JoinNotFound: junk, wire.JoinPayloadMismatch: tokenRequest(t, admin, token),
	} {
		claim, refusal := r.Check(now)
		if refusal != nil || claim.TokenReason != want || claim.InviteHash != "" || claim.OwnerPubkey == "" {
			t.Errorf("%s: claim %+v, %v", want, claim, refusal)
		}
	}
}

func TestAnUppercaseKeyIsEnrolledInLowercase(t *testing.T) {
	t.Parallel()
	i, token := newInvite(t, nil)
	r := tokenRequest(t, i, token)
	r.PeerPubkey = "8139770EA87D175F56A35466C34C7ECCCB8D8A91B4EE37A25DF60F5B8FC9B394"
	claim, refusal := r.Check(now)
	if refusal != nil || claim.PeerPubkey != wire.PublicKey(key(2)) {
		t.Errorf("claim = %+v, %v", claim, refusal)
	}
}

func TestAnInviteWhoseFieldsCouldBeShiftedIsMalformed(t *testing.T) {
	t.Parallel()
	i, _ := newInvite(t, nil)
	i.MeshSlug = "acme|wss://evil.example/ws"
	i.Sign(key(1))
	if token, err := i.Token(); err == nil {
		t.Errorf("token = %s, want an error", token)
	}
}

// The values are pinned, because peers in other languages compute them too.
func TestTheStoredHashIsMadeFromTheProof(t *testing.T) {
	t.Parallel()
	const (
		proof = "03056320a682a207e9c8378c1ee689d6859a91565e39679f652096ab9334b6e6"
		hash  = "d2cc1a1dcbe765eccca918119bf52320a965eac9474f329b992982402c4b1927"
	)
	if got := wire.InviteProof("abc"); got != proof {
		t.Errorf("proof = %s, want %s", got, proof)
	}
	if got := wire.TokenHash("abc"); got != hash || wire.InviteHash(proof) != hash {
		t.Errorf("hash = %s, want %s", got, hash)
	}
}
