package peer

import (
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// laterID begins the client message ids that are signed into messages which
	// are sent later. The broker sends them under ids of its own, since one may go
	// out many times.
	laterID = "later-"
	// scheduleID begins those ids of the broker.
	scheduleID = "schedule-"
)

// SealLater seals a message that the broker is to send at a later time, once or
// again and again. What it can do with other messages it can do with this one,
// and more: choose when, and how often.
func (c *Client) SealLater(m Message) (*wire.SealedBody, error) {
	m.ID = laterID + NewMessageID()
	if seal.IsKey(strings.ToLower(m.To)) {
		m.To = strings.ToLower(m.To)
	}
	box, err := c.seal(&m)
	if err != nil {
		return nil, err
	}
	body := &wire.SealedBody{Nonce: box.Nonce, Ciphertext: box.Ciphertext}
	if m.Topic != nil {
		s := wire.Send{}
		addTopic(&s, &m)
		body.BodyVersion = s.BodyVersion
	}
	if s := (wire.Send{TargetSpec: m.To, Nonce: body.Nonce, Ciphertext: body.Ciphertext}); s.Size() > wire.MaxSend {
		return nil, ErrTooLarge
	}
	return body, nil
}

// sentLater reports whether a push brings a message that was sealed to be sent
// later, and not one that its author sent.
func sentLater(in, push string) bool {
	return strings.HasPrefix(in, laterID) && strings.HasPrefix(push, scheduleID)
}

// isClearSchedule reports whether a direct push is a scheduled message that was
// left with the broker in clear, as existing clients do. Sealed ones have a
// nonce.
func isClearSchedule(m *wire.Push) bool {
	return m.Nonce == "" && m.Subtype == "" && m.Ciphertext != ""
}
