package peer

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Message is what somebody wants to send.
type Message struct {
	ID       string    // the client message id; made when empty
	To       string    // a key, "*" or "@group"
	Typed    string    // what the user typed for To, if that differs
	Text     string    // UTF-8
	Priority wire.Lane // next when empty
	ReplyTo  string
	Topic    *TopicBody // where To is a topic
}

// Receipt says what became of a message.
type Receipt struct {
	ID        string // the client message id
	MessageID string // the broker's
	Queued    bool
}

// NewMessageID makes a client message id, which asks for no receipts.
func NewMessageID() string { return rand.Text() }

// outgoing is a send that was not acked yet.
type outgoing struct {
	id    string
	frame []byte
	done  chan struct{} // closed with ack and err set

	// Guarded by Client.mu.
	on   *conn // the connection it was last written to
	at   time.Time
	ack  wire.Ack
	err  error
	over bool
}

// finish is called with Client.mu held.
func (p *outgoing) finish(ack wire.Ack, err error) {
	if p.over {
		return
	}
	p.ack, p.err, p.over = ack, err, true
	close(p.done)
}

// unavailableTries is how often a message is tried that the broker could not
// store just then.
const unavailableTries = 3

// Send seals m and returns once the broker has it. Without a connection it
// waits for one; a message that went out before a connection was lost goes out
// again, under the same id.
func (c *Client) Send(ctx context.Context, m Message) (Receipt, error) {
	if m.ID == "" {
		m.ID = NewMessageID()
	}
	frame, err := c.sealSend(&m)
	if err != nil {
		return Receipt{ID: m.ID}, err
	}
	for try := 1; ; try++ {
		receipt, err := c.sendOnce(ctx, m.ID, frame)
		if !errors.Is(err, ErrUnavailable) || try == unavailableTries {
			return receipt, err
		}
		select {
		case <-ctx.Done():
			return receipt, err
		case <-time.After(c.t.backoff):
		}
	}
}

func (c *Client) sendOnce(ctx context.Context, id string, frame []byte) (Receipt, error) {
	p := &outgoing{id: id, frame: frame, done: make(chan struct{})}
	if err := c.enqueue(p); err != nil {
		return Receipt{ID: id}, err
	}
	defer c.forget(p)
	select {
	case <-ctx.Done():
		return Receipt{ID: id}, fmt.Errorf("%w: %w", ErrNoAck, ctx.Err())
	case <-p.done:
	}
	return Receipt{ID: id, MessageID: p.ack.MessageID, Queued: p.ack.Queued}, p.err
}

func (c *Client) enqueue(p *outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended != nil:
		return c.ended
	case len(c.pending) >= maxPending:
		return ErrTooManyPending
	}
	c.pending = append(c.pending, p)
	if c.live != nil {
		c.live.kick()
	}
	return nil
}

func (c *Client) forget(p *outgoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = slices.DeleteFunc(c.pending, func(q *outgoing) bool { return q == p })
}

// nextUnsent returns the oldest send that was not written to n yet. Nothing is
// written before the broker has admitted us.
func (c *Client) nextUnsent(n *conn) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != n {
		return nil
	}
	for _, p := range c.pending {
		if p.on != n && !p.over {
			p.on, p.at = n, time.Now()
			return p.frame
		}
	}
	return nil
}

// acked resolves a send or a setter.
func (c *Client) acked(m *wire.Ack) {
	if m.ReqID != "" && c.answer(m.ReqID, m) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.pending, func(p *outgoing) bool { return p.id == m.ID && !p.over })
	if i < 0 {
		return
	}
	var err error
	if !m.Queued {
		err = sendError(m.Error)
	}
	c.pending[i].finish(*m, err)
}

// expire gives up sends that n was given but did not answer.
func (c *Client) expire(n *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pending {
		if p.on == n && time.Since(p.at) > c.t.ack {
			p.finish(wire.Ack{}, ErrNoAck)
		}
	}
}

// signer is the key that the broker reports as our senderPubkey.
func (c *Client) signer() ed25519.PrivateKey {
	if c.o.Session != nil {
		return c.o.Session
	}
	return c.o.Member
}

// sealSend makes the frame of a message. What is not a group leaves sealed or
// not at all.
func (c *Client) sealSend(m *Message) ([]byte, error) {
	typed := m.Typed
	if typed == "" {
		typed = m.To
	}
	fingerprint, err := (&wire.SendRequest{
		Destination: typed, ReplyToID: m.ReplyTo, Priority: m.Priority, Message: []byte(m.Text),
	}).Fingerprint()
	if err != nil {
		return nil, fmt.Errorf("peer: fingerprint: %w", err)
	}
	if seal.IsKey(strings.ToLower(m.To)) {
		m.To = strings.ToLower(m.To)
	}
	box, err := c.seal(m)
	if err != nil {
		return nil, err
	}
	s := &wire.Send{
		ID: m.ID, ClientMessageID: m.ID, RequestFingerprint: fingerprint, TargetSpec: m.To,
		Priority: m.Priority, Nonce: box.Nonce, Ciphertext: box.Ciphertext, ReplyToID: m.ReplyTo,
	}
	if m.Topic != nil {
		addTopic(s, m)
	}
	if s.Priority == "" {
		s.Priority = wire.LaneNext
	}
	if s.Size() > wire.MaxSend {
		return nil, fmt.Errorf("%w: %d of at most %d characters once sealed", ErrTooLarge, s.Size(), wire.MaxSend)
	}
	return wire.Encode(s)
}

func (c *Client) seal(m *Message) (seal.Box, error) {
	switch wire.ClassifyTarget(m.To).Class {
	case wire.ClassBroadcast, wire.ClassGroup:
		return c.sealGroup(m)
	case wire.ClassDirect:
		if !seal.IsKey(m.To) {
			return seal.Box{}, ErrClear
		}
		to, err := hex.DecodeString(m.To)
		if err != nil {
			return seal.Box{}, ErrClear
		}
		return seal.Direct(c.signer(), to, []byte(m.Text))
	case wire.ClassTopic:
		return topicBox(m)
	case wire.ClassNobody:
	}
	return seal.Box{}, fmt.Errorf("%w: %s", ErrNoRecipient, m.To)
}

func (c *Client) sealGroup(m *Message) (seal.Box, error) {
	if c.o.GroupMode != nil && c.o.GroupMode() == wire.GroupPlain {
		return seal.Plain(m.Text), nil
	}
	return seal.ForGroup(seal.Group{Mesh: c.o.MeshID, Target: m.To, Root: c.o.Root}, c.signer(),
		seal.GroupMessage{ID: m.ID, Time: time.Now(), Text: m.Text})
}
