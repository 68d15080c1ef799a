package wire

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"time"
)

const claimDomain = "claudemesh-claim"

// ClaimRequest is the body of POST /invites/CODE/claim. Existing clients send
// an X25519 key for which the broker is to seal the root key. Ours has no root
// key, and such a claim would enrol a key that cannot sign; so what counts is
// the Ed25519 key and the two proofs.
type ClaimRequest struct {
	RecipientX25519 string `json:"recipient_x25519_pubkey,omitempty"` // of existing clients
	DisplayName     string `json:"display_name,omitempty"`

	PeerPubkey  string `json:"peer_pubkey,omitempty"`  // to be enrolled
	InviteProof string `json:"invite_proof,omitempty"` // InviteProof of the token in the sealed invite
	Timestamp   Millis `json:"timestamp,omitzero"`
	Signature   string `json:"signature,omitempty"`
}

// Codes that a claim answers with, under "error".
const (
	ClaimTooLarge     = "payload too large"
	ClaimMalformed    = "malformed"
	ClaimNotFound     = "not_found"
	ClaimRevoked      = "revoked"
	ClaimExpired      = "expired"
	ClaimExhausted    = "exhausted"
	ClaimBanned       = "member_banned"
	ClaimSkew         = "timestamp_skew"
	ClaimBadSignature = "bad_signature"
	ClaimRateLimited  = "rate_limited"
	ClaimMeshFull     = "mesh_full"
	ClaimUnavailable  = "unavailable"
)

// ClaimResponse answers a claim.
type ClaimResponse struct {
	MeshID        string `json:"mesh_id"`
	MemberID      string `json:"member_id"`
	OwnerPubkey   string `json:"owner_pubkey"`
	CanonicalV2   string `json:"canonical_v2"`
	SealedInvite  string `json:"sealed_invite"`
	AlreadyMember bool   `json:"already_member,omitempty"`
}

// ClaimError is the body of a refused claim.
type ClaimError struct {
	Error  string `json:"error"`
	Detail string `json:"detail,omitempty"` // for people
}

// InvitePreview answers GET /v1/invites/CODE: what may be known before joining.
type InvitePreview struct {
	MeshName     string `json:"meshName"`
	InvitedBy    string `json:"invitedBy,omitempty"`
	Role         string `json:"role"`
	ExpiresAt    int64  `json:"expiresAt"` // whole seconds
	OwnerPubkey  string `json:"ownerPubkey"`
	SealedInvite string `json:"sealedInvite"`
}

// Canonical is the text that the key to be enrolled signs.
func (r *ClaimRequest) Canonical(code string) []byte {
	return canonical(claimDomain, code, r.InviteProof, r.PeerPubkey, r.Timestamp.String())
}

// NewClaimRequest returns a signed claim for the invite that code stands for,
// whose token the caller has opened and checked.
func NewClaimRequest(code, token, name string, peer ed25519.PrivateKey, now time.Time) *ClaimRequest {
	r := &ClaimRequest{
		DisplayName: name, PeerPubkey: PublicKey(peer), InviteProof: InviteProof(token), Timestamp: MillisAt(now),
	}
	r.Signature = sign(peer, r.Canonical(code))
	return r
}

// minX25519 is the shortest text that existing brokers take for a key.
const minX25519 = 32

// IsLegacy reports whether the claim names no Ed25519 key.
func (r *ClaimRequest) IsLegacy() bool { return r.PeerPubkey == "" }

// Check checks all that needs no registry. A claim of an existing client passes
// when it has the shape that such a client gives it.
func (r *ClaimRequest) Check(code string, now time.Time) (status int, reason string) {
	if r.IsLegacy() {
		if len(r.RecipientX25519) < minX25519 {
			return http.StatusBadRequest, ClaimMalformed
		}
		return 0, ""
	}
	switch {
	case !IsKey(r.PeerPubkey), !IsTokenHash(r.InviteProof), !isSignature(r.Signature), CheckDisplayName(r.DisplayName) != nil:
		return http.StatusBadRequest, ClaimMalformed
	case !r.Timestamp.Within(ClockSkew, now):
		return http.StatusBadRequest, ClaimSkew
	case !verify(r.PeerPubkey, r.Signature, r.Canonical(code)):
		return http.StatusBadRequest, ClaimBadSignature
	}
	return 0, ""
}

// Key is the key to be enrolled, in the case that keys are stored in.
func (r *ClaimRequest) Key() string { return strings.ToLower(r.PeerPubkey) }
