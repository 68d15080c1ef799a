package wire

import (
	"crypto/ed25519"
	"strconv"
)

// InviteV2 is what the owner signs for an invite of version 2, whose link holds
// a code and no key.
type InviteV2 struct {
	MeshID      string
	InviteID    string
	ExpiresAt   int64 // whole seconds
	Role        string
	OwnerPubkey string
}

// CapabilityV2 is how a signed invite of version 2 is kept.
type CapabilityV2 struct {
	Canonical string `json:"canonical"`
	Signature string `json:"signature"`
}

// Canonical is the text that the owner key signs.
func (i *InviteV2) Canonical() []byte {
	return canonical("v=2", i.MeshID, i.InviteID, strconv.FormatInt(i.ExpiresAt, 10), i.Role, i.OwnerPubkey)
}

// Sign returns i as the word of that owner.
func (i *InviteV2) Sign(owner ed25519.PrivateKey) CapabilityV2 {
	return CapabilityV2{Canonical: string(i.Canonical()), Signature: sign(owner, i.Canonical())}
}

// Verify reports whether c is the owner's word about exactly this invite.
func (i *InviteV2) Verify(c CapabilityV2) bool {
	text := i.Canonical()
	return c.Canonical == string(text) && verify(i.OwnerPubkey, c.Signature, text)
}
