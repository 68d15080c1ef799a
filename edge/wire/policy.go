package wire

import (
	"crypto/ed25519"
	"strconv"
)

const policyDomain = "claudemesh-group-policy"

// GroupMode is how messages to groups and to everybody are written.
type GroupMode string

// The modes.
const (
	GroupSealed GroupMode = "sealed" // under a key that members derive from the root key
	GroupPlain  GroupMode = "plain"  // readable by the edge, for peers that cannot seal
)

// Valid reports whether m is one of the two.
func (m GroupMode) Valid() bool { return m == GroupSealed || m == GroupPlain }

// GroupPolicy is the owner's signed word on how groups are written. Clients
// keep the highest counter they have seen, so that nobody can bring an older
// policy back.
type GroupPolicy struct {
	Mode        GroupMode `json:"mode"`
	Counter     int64     `json:"counter"`
	SignedAt    Millis    `json:"signedAt"`
	Signature   string    `json:"signature"`
	OwnerPubkey string    `json:"ownerPubkey"`
}

// Canonical is the text that the owner key signs.
func (p *GroupPolicy) Canonical(meshID string) []byte {
	return canonical(policyDomain, meshID, string(p.Mode), strconv.FormatInt(p.Counter, 10), p.SignedAt.String())
}

// Sign signs p for a mesh, and names the signer.
func (p *GroupPolicy) Sign(meshID string, owner ed25519.PrivateKey) {
	p.OwnerPubkey = PublicKey(owner)
	p.Signature = sign(owner, p.Canonical(meshID))
}

// Verify reports whether p is the word of that owner about that mesh.
func (p *GroupPolicy) Verify(meshID, ownerPubkey string) bool {
	return p.Mode.Valid() && p.Counter > 0 && p.SignedAt.IsNumber() &&
		verify(ownerPubkey, p.Signature, p.Canonical(meshID))
}
