package peer

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Fact is what we can say about a message that we were sent.
type Fact struct {
	ID     string // the sender's client message id
	To     string // the key of ours that the message was sealed for
	Digest string // of its text
	State  receipt.State
	At     time.Time
}

// SendReceipts signs what we can say about messages of one sender, and sends
// it. They travel in the urgent lane: whoever waits for one is often busy.
func (c *Client) SendReceipts(ctx context.Context, sender string, facts []Fact) error {
	var receipts []receipt.Receipt
	for _, f := range facts {
		key := c.own(f.To)
		if key == nil {
			continue // sealed for a key that we had before; nobody can vouch for it now
		}
		receipts = append(receipts, receipt.Sign(c.o.MeshID, sender, f.ID, f.Digest, f.State, f.At, key))
	}
	if len(receipts) == 0 {
		return nil
	}
	text, err := receipt.Encode(receipts)
	if err != nil {
		return err
	}
	_, err = c.Send(ctx, Message{To: sender, Text: string(text), Priority: wire.LaneNow})
	return err
}

// own returns the secret half of a key of ours, or nil.
func (c *Client) own(public string) ed25519.PrivateKey {
	for _, key := range []ed25519.PrivateKey{c.o.Session, c.o.Member} {
		if key != nil && wire.PublicKey(key) == public {
			return key
		}
	}
	return nil
}

// handReceipts takes what came instead of a text. What cannot be read is
// dropped: it was no message, so nobody misses it.
func (c *Client) handReceipts(ctx context.Context, d Delivery) error {
	if c.o.Receipts == nil {
		return nil
	}
	receipts, err := receipt.Decode(d.receipts)
	if err != nil {
		c.log.WarnContext(ctx, "receipts ignored", "from", d.From, "err", fmt.Sprint(err))
		return nil
	}
	return c.o.Receipts(ctx, d.From, receipts)
}
