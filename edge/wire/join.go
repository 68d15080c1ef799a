package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const joinDomain = "claudemesh-join"

// JoinRequest is the body of POST /join, in one of two forms. The older one
// hands over the token and its content. The newer one proves to know the token
// and to hold the key that is enrolled, and keeps the root key from the edge.
type JoinRequest struct {
	InviteToken   string          `json:"invite_token,omitempty"`
	InvitePayload json.RawMessage `json:"invite_payload,omitempty"`

	InviteProof string `json:"invite_proof,omitempty"`
	MeshID      string `json:"mesh_id,omitempty"`
	Timestamp   Millis `json:"timestamp,omitzero"`
	Signature   string `json:"signature,omitempty"`

	PeerPubkey  string `json:"peer_pubkey"`
	DisplayName string `json:"display_name"`
}

// Codes that POST /join answers with, under "error".
const (
	JoinBadSignature    = "invite_bad_signature"
	JoinPayloadMismatch = "invite_payload_mismatch" // the payload is not the token's
	JoinMeshNotFound    = "mesh_not_found"
	JoinMissingOwnerKey = "mesh_missing_owner_key"
	JoinOwnerMismatch   = "invite_owner_mismatch"
	JoinNotFound        = "invite_not_found"
	JoinMeshMismatch    = "invite_mesh_mismatch"
	JoinRevoked         = "invite_revoked"
	JoinExpired         = "invite_expired"
	JoinExhausted       = "invite_exhausted"
	JoinBanned          = "member_banned" // the key was banned from this mesh
	JoinTimestampSkew   = "timestamp_skew"
	JoinProofSignature  = "bad_signature"
)

// Sentences that POST /join answers with, under "error".
const (
	JoinTooLarge      = "payload too large"
	JoinFieldsMissing = "invite_token, invite_payload, peer_pubkey, display_name required"
	JoinProofMissing  = "invite_proof, mesh_id, peer_pubkey, display_name, timestamp, signature required"
	JoinBadPubkey     = "peer_pubkey must be 64 hex chars (32 bytes)"
)

// JoinResponse answers POST /join.
type JoinResponse struct {
	OK            bool   `json:"ok"`
	MemberID      string `json:"memberId,omitempty"`
	AlreadyMember bool   `json:"alreadyMember,omitempty"`
	Error         string `json:"error,omitempty"`
}

// JoinRefusal is why an enrolment cannot go on.
type JoinRefusal struct {
	Status int
	Reason string
}

// Error tells the reason.
func (r *JoinRefusal) Error() string { return "wire: join refused: " + r.Reason }

// Response is the body that tells the newcomer.
func (r *JoinRefusal) Response() JoinResponse { return JoinResponse{Error: r.Reason} }

// JoinClaim is what a JoinRequest comes down to once its proofs hold. The rest
// is for the registry to say.
type JoinClaim struct {
	MeshID      string
	InviteHash  string // what the registry knows the invite by
	OwnerPubkey string // who the payload says owns the mesh; "" in the newer form
	PeerPubkey  string // in lowercase
	DisplayName string

	// TokenReason is why the token is no good; "" if it may be. It counts only
	// where the registry finds no such invite, which is certain since InviteHash
	// is then empty: existing clients know a foreign mesh or owner by its own
	// reason, and that one goes first.
	TokenReason string
}

// Canonical is the text that the newcomer's key signs in the newer form.
func (r *JoinRequest) Canonical() []byte {
	return canonical(joinDomain, r.MeshID, r.InviteProof, r.PeerPubkey, r.Timestamp.String())
}

// NewJoinRequest returns a signed request in the newer form.
func NewJoinRequest(i *Invite, token, name string, peer ed25519.PrivateKey, now time.Time) *JoinRequest {
	r := &JoinRequest{
		InviteProof: InviteProof(token),
		MeshID:      i.MeshID,
		PeerPubkey:  PublicKey(peer),
		DisplayName: name,
		Timestamp:   MillisAt(now),
	}
	r.Signature = sign(peer, r.Canonical())
	return r
}

// Check checks all that needs no registry.
func (r *JoinRequest) Check(now time.Time) (JoinClaim, *JoinRefusal) {
	check := r.checkToken
	if r.InviteProof != "" {
		check = func() (JoinClaim, string) { return r.checkProof(now) }
	}
	claim, reason := check()
	if reason != "" {
		return JoinClaim{}, &JoinRefusal{Status: http.StatusBadRequest, Reason: reason}
	}
	claim.PeerPubkey = strings.ToLower(r.PeerPubkey)
	claim.DisplayName = r.DisplayName
	return claim, nil
}

// checkToken checks the older form. The reference never compares the payload
// with the token, so that any payload of the owner's brings its role along.
func (r *JoinRequest) checkToken() (JoinClaim, string) {
	if r.InviteToken == "" || len(r.InvitePayload) == 0 || string(r.InvitePayload) == "null" {
		return JoinClaim{}, JoinFieldsMissing
	}
	if reason := r.checkPeer(JoinFieldsMissing); reason != "" {
		return JoinClaim{}, reason
	}
	payload, err := ParseInvitePayload(r.InvitePayload)
	if err != nil || payload.VerifySignature() != nil {
		return JoinClaim{}, JoinBadSignature
	}
	claim := JoinClaim{MeshID: payload.MeshID, OwnerPubkey: strings.ToLower(payload.OwnerPubkey)}
	switch inside, err := ParseInviteToken(r.InviteToken); {
	case err != nil:
		claim.TokenReason = JoinNotFound
	case inside != payload:
		claim.TokenReason = JoinPayloadMismatch
	default:
		claim.InviteHash = TokenHash(r.InviteToken)
	}
	return claim, ""
}

func (r *JoinRequest) checkProof(now time.Time) (JoinClaim, string) {
	if r.MeshID == "" || r.Signature == "" {
		return JoinClaim{}, JoinProofMissing
	}
	if reason := r.checkPeer(JoinProofMissing); reason != "" {
		return JoinClaim{}, reason
	}
	switch {
	case !IsTokenHash(r.InviteProof):
		return JoinClaim{}, JoinNotFound
	case !r.Timestamp.Within(ClockSkew, now):
		return JoinClaim{}, JoinTimestampSkew
	case !verify(r.PeerPubkey, r.Signature, r.Canonical()):
		return JoinClaim{}, JoinProofSignature
	}
	return JoinClaim{MeshID: r.MeshID, InviteHash: InviteHash(r.InviteProof)}, ""
}

func (r *JoinRequest) checkPeer(missing string) string {
	if r.PeerPubkey == "" || r.DisplayName == "" {
		return missing
	}
	if !IsKey(r.PeerPubkey) {
		return JoinBadPubkey
	}
	if err := CheckDisplayName(r.DisplayName); err != nil {
		return err.Error()
	}
	return ""
}
