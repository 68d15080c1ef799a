package peer

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

type received struct {
	from     string
	receipts []receipt.Receipt
}

// listening makes a client take receipts, and messages only if told so.
func listening(got chan received, messages bool) func(*Client) {
	return func(c *Client) {
		c.o.Receipts = func(_ context.Context, from string, receipts []receipt.Receipt) error {
			got <- received{from, receipts}
			return nil
		}
		if !messages {
			c.o.Handle = nil
		}
	}
}

func TestReceiptsAreNoMessagesAndAreAcked(t *testing.T) {
	t.Parallel()
	for _, messages := range []bool{true, false} {
		f, got := newFake(t), make(chan received, 1)
		o := start(t, f, listening(got, messages))
		c, _ := f.greet(t, wire.HelloAck{})
		id := receipt.NewID()
		r := receipt.Sign(testMesh, o.Pubkey(), id, receipt.Digest("hi"), receipt.Delivered, time.Now(), theirKey)
		plain, err := receipt.Encode([]receipt.Receipt{r})
		if err != nil {
			t.Fatal(err)
		}
		c.say(direct(t, ourSession, "01J", string(plain)))
		select {
		case in := <-got:
			if in.from != wire.PublicKey(theirKey) || len(in.receipts) != 1 || in.receipts[0] != r {
				t.Errorf("got %+v", in)
			}
		case <-time.After(patience):
			t.Fatal("no receipts")
		}
		if ack := expect[*wire.ClientAck](t, c); ack.BrokerMessageID != "d-01J" {
			t.Errorf("acks %+v", ack)
		}
		if len(o.got) != 0 {
			t.Error("the user is shown a receipt")
		}
	}
}

func TestAClientForReceiptsOnlyLeavesMessagesWhereTheyWait(t *testing.T) {
	t.Parallel()
	f, got := newFake(t), make(chan received, 1)
	start(t, f, listening(got, false))
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(direct(t, ourSession, "01A", "a message"))
	c.say(direct(t, ourSession, "01B", "\xffCMR\x01 damaged"))
	if ack := expect[*wire.ClientAck](t, c); ack.BrokerMessageID != "d-01B" {
		t.Errorf("acks %+v", ack)
	}
}

func TestReceiptsAreSignedByTheKeyThatTheMessageWasSealedFor(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	sender, id := wire.PublicKey(theirKey), receipt.NewID()
	fact := Fact{ID: id, Digest: receipt.Digest("hi"), State: receipt.Surfaced, At: time.Now()}
	facts := []Fact{fact, fact, fact}
	facts[0].To, facts[1].To, facts[2].To = wire.PublicKey(ourSession), wire.PublicKey(ourMember), "another's"
	done := make(chan error, 1)
	go func() { done <- o.SendReceipts(context.Background(), sender, facts) }()
	sent := expect[*wire.Send](t, c)
	if sent.Priority != wire.LaneNow || sent.TargetSpec != sender || receipt.Asked(sent.ClientMessageID) {
		t.Errorf("sent %+v", sent)
	}
	plain, err := seal.OpenDirect(theirKey, pub(ourSession), seal.Box{Nonce: sent.Nonce, Ciphertext: sent.Ciphertext})
	if err != nil {
		t.Fatal(err)
	}
	receipts, err := receipt.Decode(plain)
	if err != nil || len(receipts) != 2 {
		t.Fatalf("%d receipts, %v", len(receipts), err)
	}
	for i := range receipts {
		if !receipts[i].Verify(testMesh, sender, facts[i].To, fact.Digest) {
			t.Errorf("%+v proves nothing", receipts[i])
		}
	}
	c.say(&wire.Ack{ID: sent.ID, MessageID: "d1", Queued: true})
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}
