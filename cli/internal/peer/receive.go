package peer

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Delivery is what arrived: a message or an event.
type Delivery struct {
	Event     wire.Event      // empty for a message
	Data      json.RawMessage // of an event
	MessageID string
	ID        string // the sender's client message id, if known
	From      string // the key that sealed it
	Member    string // the sender's member key, by the broker's word
	Name      string // the sender's name, by the broker's word
	Target    string // as the broker reports it; empty on older ones
	To        string // the key of ours that opened it; empty for groups
	ReplyTo   string // the message it answers, by the broker's word
	Text      string
	Priority  wire.Lane
	CreatedAt time.Time
	// Verified says that the message was sealed by From. Clear text is not.
	Verified bool
	// Err says why a message could not be opened. Its Text is then empty: what
	// cannot be opened is reported, never guessed at.
	Err error

	// TopicID is that of the topic in which it was said; Target then has its
	// name.
	TopicID string
	// Webhook is the name of the webhook through which a stranger said it. Data
	// has what he said, as JSON.
	Webhook string

	receipts []byte // what came instead of a text
}

// Key names a message across its repeats, also those of another connection.
func (d Delivery) Key() string { return seenKey(d) }

// deliver hands over what the read loop queues, until ctx ends or the socket
// closes. What is left in the queue then comes again.
func (n *conn) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.closed:
			return
		case frame := <-n.frames:
			if ctx.Err() != nil {
				return // frames before this one may have been discarded
			}
			if err := n.handle(ctx, frame); err != nil {
				n.failed <- err
				return
			}
		}
	}
}

func (n *conn) handle(ctx context.Context, frame wire.Message) error {
	switch m := frame.(type) {
	case *wire.HelloAck:
		return n.c.handleHello(ctx, m)
	case *wire.Synced:
		n.c.setCursor(m.Cursor)
		n.c.answer(m.ReqID, m)
	case *wire.Push:
		return n.handlePush(ctx, m)
	default:
		if n.c.o.Frame != nil {
			return n.c.o.Frame(ctx, m)
		}
	}
	return nil
}

// handleHello takes the place from which the journal is read on. If that is
// behind what we last knew, the gap is an event.
func (c *Client) handleHello(ctx context.Context, m *wire.HelloAck) error {
	c.setCursor(m.Cursor)
	if !m.Resync {
		return nil
	}
	return c.hand(ctx, Delivery{Event: wire.EventResync, Data: json.RawMessage("{}"), CreatedAt: time.Now().UTC()})
}

// handlePush hands a push over once, and acks it as often as it comes. A client
// without a handler takes nothing: a command that only asks something must not
// swallow what waits for the member.
func (n *conn) handlePush(ctx context.Context, m *wire.Push) error {
	if n.c.o.Handle == nil && n.c.o.Receipts == nil && m.Event != wire.EventGroupPolicy {
		return nil
	}
	d := n.c.open(m)
	if d.Err == nil && isTopic(m) {
		n.c.openTopic(ctx, &d, m)
	}
	if n.c.o.Handle == nil && d.receipts == nil && m.Event != wire.EventGroupPolicy {
		return nil
	}
	key := seenKey(d)
	if !n.c.seen.has(key) && !n.c.isOwnEvent(d) {
		if err := n.c.hand(ctx, d); err != nil {
			return err
		}
		n.c.seen.add(key)
	}
	if m.Cursor != "" {
		n.c.setCursor(m.Cursor)
		return nil // the cursor is the ack of the journal
	}
	if m.IsEvent() {
		return nil
	}
	frame, err := wire.Encode(&wire.ClientAck{ClientMessageID: m.ClientMessageID, BrokerMessageID: m.MessageID})
	if err == nil && !n.tryPut(frame) {
		n.c.log.DebugContext(ctx, "ack left out, the message will come again", "message", m.MessageID)
	}
	return nil
}

func (c *Client) hand(ctx context.Context, d Delivery) error {
	if d.Event == wire.EventGroupPolicy {
		var p wire.GroupPolicy
		if c.o.Policy != nil && json.Unmarshal(d.Data, &p) == nil {
			c.o.Policy(&p)
		}
		return nil
	}
	if d.receipts != nil {
		return c.handReceipts(ctx, d)
	}
	if c.o.Handle == nil {
		return nil // a resync that nobody asked about
	}
	return c.o.Handle(ctx, d)
}

// seenKey names a message across its repeats. Client ids are the sender's to
// choose, so they count for that sender only.
func seenKey(d Delivery) string {
	sender := d.Member
	if sender == "" {
		sender = d.From
	}
	if d.ID == "" || d.Err != nil {
		return "m|" + d.MessageID
	}
	return "c|" + sender + "|" + d.ID
}

// isOwnEvent reports whether an event is about ourselves.
func (c *Client) isOwnEvent(d Delivery) bool {
	if d.Event == "" {
		return false
	}
	var about struct {
		Pubkey string `json:"pubkey"`
	}
	return json.Unmarshal(d.Data, &about) == nil && c.self[about.Pubkey]
}

// open reads a push.
func (c *Client) open(m *wire.Push) Delivery {
	d := Delivery{
		MessageID: m.MessageID, ID: m.ClientMessageID, From: m.SenderPubkey, Member: m.SenderMemberPubkey,
		Name: m.SenderName, Target: m.TargetSpec, Priority: m.Priority, CreatedAt: m.CreatedAt.Time, ReplyTo: m.ReplyToID,
	}
	switch {
	case m.MeshID != c.o.MeshID:
		d.Err = fmt.Errorf("%w: meant for another mesh", seal.ErrTampered)
	case m.IsWebhook():
		d.Webhook, d.Name, d.Data, d.Text = string(m.Event), string(m.Event), m.EventData, string(m.EventData)
	case m.Event != "":
		d.Event, d.Data, d.Verified = m.Event, m.EventData, false
	case isTopic(m):
		// Its key may have to be asked for first.
	case isClearSchedule(m) && !c.isGroup(m):
		d.Text, d.Err = seal.OpenPlain(seal.Box{Ciphertext: m.Ciphertext})
	case c.isGroup(m):
		c.openGroup(&d, m)
	default:
		c.openDirect(&d, m)
	}
	return d
}

// isGroup reports whether a push went to several. Older brokers do not name the
// target, but name the member of exactly these.
func (c *Client) isGroup(m *wire.Push) bool {
	if m.TargetSpec == "" {
		return m.SenderMemberPubkey != ""
	}
	return wire.ClassifyTarget(m.TargetSpec).Class != wire.ClassDirect
}

func (c *Client) openGroup(d *Delivery, m *wire.Push) {
	sender, err := hex.DecodeString(m.SenderPubkey)
	if err != nil {
		sender = nil // opens nothing; clear text may still be shown
	}
	group := seal.Group{Mesh: c.o.MeshID, Target: m.TargetSpec, Root: c.o.Root}
	in, err := seal.OpenGroup(group, sender, seal.Box{Nonce: m.Nonce, Ciphertext: m.Ciphertext})
	switch {
	case err != nil:
		d.Err = err
	case in.Verified && sentLater(in.ID, m.ClientMessageID):
		d.Text, d.Verified = in.Text, true
		return // its id and its time are the broker's
	case in.Verified && m.ClientMessageID != "" && m.ClientMessageID != in.ID:
		d.Err = fmt.Errorf("%w: its id was exchanged", seal.ErrTampered)
	default:
		d.Text, d.Verified = in.Text, in.Verified
	}
	if d.Err == nil && in.Verified {
		d.ID, d.CreatedAt = in.ID, in.Time
	}
}

func (c *Client) openDirect(d *Delivery, m *wire.Push) {
	sender, err := seal.ParsePublic(m.SenderPubkey)
	if err != nil {
		d.Err = err
		return
	}
	text, to, err := c.tryKeys(sender, seal.Box{Nonce: m.Nonce, Ciphertext: m.Ciphertext})
	d.To = to
	switch {
	case err != nil:
		d.Err = err
	case receipt.Is(text):
		d.receipts, d.Verified = text, true
	case !utf8.Valid(text):
		d.Err = seal.ErrMalformed
	default:
		d.Text, d.Verified = string(text), true
	}
}

// tryKeys opens a box with the session's key, then with the member's. It returns
// the key that fitted.
func (c *Client) tryKeys(sender ed25519.PublicKey, b seal.Box) (text []byte, to string, err error) {
	err = seal.ErrNotForUs
	for _, key := range []ed25519.PrivateKey{c.o.Session, c.o.Member} {
		if key == nil {
			continue
		}
		text, openErr := seal.OpenDirect(key, sender, b)
		if openErr == nil {
			return text, wire.PublicKey(key), nil
		}
		if !errors.Is(openErr, seal.ErrNotForUs) {
			err = openErr
		}
	}
	return nil, "", err
}
