package identity

import (
	"errors"

	"github.com/claudemesh/claudemesh/edge/wire"
)

var (
	// ErrPolicyForged says that a group policy does not carry the signature of
	// the mesh's owner. It must be ignored, and said aloud.
	ErrPolicyForged = errors.New("identity: group policy is not signed by the mesh's owner")
	// ErrPolicyOld says that a group policy is older than the one pinned, or
	// contradicts it: somebody replays it. It must be ignored, and said aloud.
	ErrPolicyOld = errors.New("identity: group policy is older than the one known")
)

// PolicyPin is the newest group policy that we have seen.
type PolicyPin struct {
	Counter int64          `json:"counter"`
	Mode    wire.GroupMode `json:"mode"`
}

// GroupMode says how this mesh's groups are written to. Without a pinned policy
// they are sealed.
func (m Mesh) GroupMode() wire.GroupMode {
	if m.GroupPolicy != nil && m.GroupPolicy.Mode == wire.GroupPlain {
		return wire.GroupPlain
	}
	return wire.GroupSealed
}

// Pin takes a policy that a broker handed out and reports whether the pin
// changed. The owner key that counts is the one we know from our invite; the
// key inside a policy proves nothing.
func (m *Mesh) Pin(p *wire.GroupPolicy) (bool, error) {
	if m.OwnerPublicKey == "" || !p.Verify(m.MeshID, m.OwnerPublicKey) {
		return false, ErrPolicyForged
	}
	next := PolicyPin{Counter: p.Counter, Mode: p.Mode}
	if now := m.GroupPolicy; now != nil {
		if next == *now {
			return false, nil
		}
		if next.Counter <= now.Counter {
			return false, ErrPolicyOld
		}
	}
	m.GroupPolicy = &next
	return true, nil
}
