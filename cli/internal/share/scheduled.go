package share

import (
	"encoding/hex"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// ScheduledText is what a message of ours says that is to be sent later, as far
// as our member can open it: what it has sealed itself, to one recipient.
func (m *Mesh) ScheduledText(s wire.Scheduled) string {
	if s.Sealed == nil {
		return s.Message
	}
	to, err := hex.DecodeString(s.To)
	if err != nil || !seal.IsKey(s.To) {
		return ""
	}
	// Both ends of a box open it.
	text, err := seal.OpenDirect(m.Member, to, seal.Box{Nonce: s.Sealed.Nonce, Ciphertext: s.Sealed.Ciphertext})
	if err != nil {
		return ""
	}
	return string(text)
}
