package command

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/mailbox"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/edge/wire"
	"golang.org/x/time/rate"
)

const (
	// postPatience is how long somebody who sends is kept waiting for the broker.
	// After that the message stays in the outbox, and he is told so.
	postPatience = 6 * time.Second
	postEvery    = 5 * time.Second        // between two looks at what waits
	coalesce     = 150 * time.Millisecond // receipts that fall due together travel together
	// Receipts count against the member's sending limit (60 a minute), so they
	// leave most of it to messages.
	receiptEvery = 3 * time.Second
	receiptBurst = 4
)

// draft is a message as the user wrote it.
type draft struct {
	Target   string    `json:"target"`
	Text     string    `json:"text"`
	Priority wire.Lane `json:"priority"`
	ReplyTo  string    `json:"replyTo,omitempty"`
	Clear    bool      `json:"clear,omitempty"` // to a topic, so that the broker can read it
}

// entry makes the draft a message of the outbox. Only a session asks for
// receipts, and only from one recipient: a group would answer as a storm.
func (d draft) entry(session string, ask bool) outbox.Entry {
	e := outbox.Entry{
		ID: peer.NewMessageID(), Session: session, Typed: d.Target, Text: d.Text, Priority: d.Priority, ReplyTo: d.ReplyTo,
		Clear: d.Clear,
	}
	to, plain, _ := plainTarget(d.Target) // the caller has checked it
	if plain {
		e.To, e.Name = to.key, to.name
	}
	if direct := wire.ClassifyTarget(e.To).Class == wire.ClassDirect || !plain; ask && direct && !isTopicName(d.Target) {
		e.ID = receipt.NewID()
	}
	return e
}

// courier sends over a connection, and resolves names there.
type courier struct {
	*peer.Client
	m *membership
}

// Resolve implements outbox.Courier.
func (c courier) Resolve(ctx context.Context, typed string) (outbox.Recipient, error) {
	if isTopicName(typed) {
		return c.topic(ctx, typed)
	}
	to, err := resolve(ctx, c.Client, c.m.mesh.PublicKey, typed)
	return outbox.Recipient{Key: to.key, Name: to.name}, err
}

func (h *host) courier() courier { return courier{h.client, h.m} }

// lasting is the courier of a session: it knows why there is no connection.
type lasting struct {
	courier
	h *host
}

// Resolve implements outbox.Courier.
func (l lasting) Resolve(ctx context.Context, typed string) (outbox.Recipient, error) {
	to, err := l.courier.Resolve(ctx, typed)
	return to, l.h.reach.why(err)
}

// Send implements outbox.Courier.
func (l lasting) Send(ctx context.Context, m peer.Message) (peer.Receipt, error) {
	receipt, err := l.courier.Send(ctx, m)
	return receipt, l.h.reach.why(err)
}

// post accepts a message and tries to send it now. The error is why it was not
// sent; the entry says whether it will be tried again.
func (h *host) post(ctx context.Context, d draft) (outbox.Entry, error) {
	e, err := h.posts.Add(d.entry(h.session.ID, true))
	if err != nil {
		return e, err
	}
	ctx, hangUp := h.reach.while(ctx)
	defer hangUp()
	ctx, cancel := context.WithTimeout(ctx, postPatience)
	defer cancel()
	sent, err := h.sendDue(ctx, e.ID)
	if err != nil && sent.State == outbox.Waiting {
		h.nudge()
	}
	return sent, err
}

func (h *host) nudge() {
	select {
	case h.posted <- struct{}{}:
	default:
	}
}

// sendDue sends what waits, oldest first, up to and including the message with
// that id; without an id, all. It stops at the first that has to wait.
func (h *host) sendDue(ctx context.Context, upTo string) (outbox.Entry, error) {
	select {
	case h.sending <- struct{}{}:
		defer func() { <-h.sending }()
	case <-ctx.Done():
		return h.unsent(ctx, upTo)
	}
	due, err := h.posts.Due(h.session.ID)
	if err != nil {
		return outbox.Entry{}, err
	}
	return sendAll(ctx, h.posts, lasting{h.courier(), h}, due, upTo)
}

// unsent is what became of a message whose turn did not come in time.
func (h *host) unsent(ctx context.Context, id string) (outbox.Entry, error) {
	err := h.reach.why(ctx.Err())
	var away *awayError
	if id != "" && errors.As(err, &away) {
		return h.posts.GaveUp(ctx, id, err)
	}
	e, getErr := h.posts.Get(id)
	return e, errors.Join(err, getErr)
}

// sendAll sends messages in order, up to and including one of them. One that has
// to wait because its recipient's inbox is full holds up those to the same
// recipient only; any other reason holds up all.
func sendAll(ctx context.Context, posts *outbox.Store, c outbox.Courier, due []outbox.Entry, upTo string) (outbox.Entry, error) {
	full := make(map[string]error)
	for _, e := range due {
		sent, err := e, full[e.Typed]
		if err == nil {
			sent, err = posts.Send(ctx, c, e.ID)
		}
		if e.ID == upTo {
			return sent, err
		}
		switch {
		case err == nil || sent.State != outbox.Waiting:
		case errors.Is(err, peer.ErrInboxFull):
			full[e.Typed] = err
		case upTo == "":
			return outbox.Entry{}, err
		default:
			mine, getErr := posts.Get(upTo)
			return mine, errors.Join(err, getErr)
		}
	}
	return outbox.Entry{}, nil
}

// sendPosts sends what waits, for as long as the session runs.
func (h *host) sendPosts(ctx context.Context) error {
	tick := time.NewTicker(postEvery)
	defer tick.Stop()
	for {
		if _, err := h.client.Admitted(ctx); err != nil {
			return nil // the client says why
		}
		attempt, cancel := context.WithTimeout(ctx, onceTimeout)
		_, err := h.sendDue(attempt, "")
		cancel()
		if err != nil && ctx.Err() == nil {
			h.out.Say("a message waits in the outbox: %s", plainWords(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-h.posted:
		}
	}
}

// sendReceipts tells senders who asked what became of their messages.
func (h *host) sendReceipts(ctx context.Context) error {
	limit := rate.NewLimiter(rate.Every(receiptEvery), receiptBurst)
	for {
		changed := h.box.Changed()
		if len(h.box.Owed()) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(coalesce):
		}
		if err := h.tellSender(ctx, limit); err != nil {
			return err
		}
	}
}

// tellSender sends the oldest sender what is due to him.
func (h *host) tellSender(ctx context.Context, limit *rate.Limiter) error {
	if _, err := h.client.Admitted(ctx); err != nil || limit.Wait(ctx) != nil {
		return nil // the session ends
	}
	owed := h.box.Owed()
	if len(owed) == 0 {
		return nil
	}
	sender := owed[0].Sender
	owed = slices.DeleteFunc(owed, func(o mailbox.Owed) bool { return o.Sender != sender })
	owed = owed[:min(len(owed), receipt.Max)]
	var facts []peer.Fact
	for _, o := range owed {
		facts = append(facts, peer.Fact{ID: o.ID, To: o.To, Digest: o.Digest, State: o.State, At: o.At})
	}
	attempt, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	err := h.client.SendReceipts(attempt, sender, facts)
	if err != nil && !outbox.Final(err) {
		select { // the broker is away, or has enough of us just now
		case <-ctx.Done():
		case <-time.After(receiptEvery):
		}
		return nil
	}
	return h.box.Told(owed) // or nobody is there to be told
}
