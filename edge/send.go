package edge

import (
	"context"
	"errors"

	"github.com/claudemesh/claudemesh/edge/commons"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// send stores a message and answers. The ack is written after the script has
// run, never before: it means that the message is kept.
func (c *conn) send(ctx context.Context, m *wire.Send) {
	ack := &wire.Ack{ID: m.ID}
	receipt, err := c.store(ctx, m)
	switch {
	case err == nil:
		ack.MessageID, ack.Queued = receipt.MessageID, true
	default:
		ack.Error = c.sendRefusal(ctx, m, err)
	}
	c.socket.send(ack)
	if errors.Is(err, queue.ErrRate) {
		wait(ctx, hastePause) // a refused send costs a script too
	}
}

var errSize = errors.New("edge: message too large")

func (c *conn) store(ctx context.Context, m *wire.Send) (queue.Receipt, error) {
	target := wire.ClassifyTarget(m.TargetSpec)
	if m.Size() > wire.MaxSend {
		return queue.Receipt{}, errSize
	}
	priority := m.Priority // a broadcast without one carries none, as it always was
	if target.Class == wire.ClassDirect {
		priority = m.Lane()
	}
	body := wire.PushBody{
		MeshID: c.peer.Mesh, SenderPubkey: c.key, SenderMemberID: c.member.ID, SenderName: c.copyRecord().DisplayName,
		TargetSpec: m.TargetSpec, Priority: priority, Nonce: m.Nonce, Ciphertext: m.Ciphertext,
		ClientMessageID: m.ClientMessageID, RequestFingerprint: m.RequestFingerprint, ReplyToID: m.ReplyToID,
	}.Encode()
	sender := queue.Sender{Peer: c.peer.ID, Member: c.member.Key, Key: c.key}
	switch target.Class {
	case wire.ClassTopic:
		return c.server.commons.Speak(ctx, c.asker(), m)
	case wire.ClassDirect:
		return c.server.queue.Send(ctx, queue.Direct{
			Mesh: c.peer.Mesh, Lease: c.lease(), Sender: sender, Target: target.Name, Lane: queue.Lane(m.Lane()),
			ClientID: m.ClientMessageID, Fingerprint: m.RequestFingerprint, Body: body,
		})
	default:
		return c.server.queue.Post(ctx, queue.Post{
			Mesh: c.peer.Mesh, Lease: c.lease(), Sender: sender, Target: audienceOf(target),
			ClientID: m.ClientMessageID, Fingerprint: m.RequestFingerprint, Body: body,
		})
	}
}

// audienceOf is how the journal names a target. A group without a name is
// accepted, as it always was, and reaches nobody.
func audienceOf(t wire.Target) string {
	if a := t.Audience(); a != "" {
		return a
	}
	return "@"
}

// sendRefusal is the text of a refused send, which existing clients match by
// pattern.
func (c *conn) sendRefusal(ctx context.Context, m *wire.Send, err error) string {
	s := c.server
	var refused *commons.Refusal
	switch {
	case errors.Is(err, queue.ErrRate):
		s.metrics.hit(boundSend)
		return wire.AckRateLimited(s.cfg.SendRate, s.cfg.SendBurst)
	case errors.Is(err, errSize):
		s.metrics.hit(boundPayload)
		return wire.AckTooLarge(m.Size())
	case errors.Is(err, queue.ErrNoRecipient):
		return wire.AckNoRecipient
	case errors.Is(err, queue.ErrBlocked):
		return wire.AckBlocked
	case errors.Is(err, queue.ErrInboxFull):
		s.metrics.hit(boundInbox)
		return wire.AckInboxFull
	case errors.Is(err, queue.ErrMeshFull):
		s.metrics.hit(boundMesh)
		return wire.AckMeshFull
	case errors.Is(err, queue.ErrFingerprint):
		return wire.AckFingerprint
	case errors.As(err, &refused):
		return wire.AckInvalid(refused.Message)
	case errors.Is(err, queue.ErrInvalid):
		return wire.AckInvalid("target or id holds characters that it must not")
	case isLost(err):
		c.lost()
	default:
		c.log.WarnContext(ctx, "send", "err", err)
	}
	return wire.AckUnavailable
}
