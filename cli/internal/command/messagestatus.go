package command

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// States beyond those of the outbox, and the broker's own.
const (
	stateDelivered = "delivered"
	stateSurfaced  = "surfaced"
	brokerHolds    = "holds it"
	brokerClaims   = "says delivered (unproven)"
	brokerForgot   = "does not know it any more"
)

// messageState is what is known of a message. State says only what is proven:
// the broker's word stands beside it.
type messageState struct {
	MessageID   string     `json:"messageId,omitempty"`
	ID          string     `json:"clientMessageId,omitempty"`
	Target      string     `json:"target,omitempty"`
	Name        string     `json:"targetName,omitempty"`
	State       string     `json:"state"`
	Reason      string     `json:"reason,omitempty"`
	Broker      string     `json:"broker,omitempty"`
	AcceptedAt  *time.Time `json:"acceptedAt,omitempty"`
	StoredAt    *time.Time `json:"storedAt,omitempty"`
	DeliveredAt *time.Time `json:"deliveredAt,omitempty"`
	SurfacedAt  *time.Time `json:"surfacedAt,omitempty"`
}

type messageStatusOptions struct {
	*app
	session string
}

func newMessageStatus(a *app) *cobra.Command {
	o := &messageStatusOptions{app: a}
	c := &cobra.Command{
		Use:   "message-status ID",
		Short: "Say how far a message got",
		Long: "Say how far a message got. ID is the one that send printed, or its first 8 characters or more.\n\n" +
			"waiting: in the outbox here · stored: the broker has it · delivered: the recipient's program has it ·\n" +
			"surfaced: it was shown there. Delivered and surfaced are signed by the recipient. What the broker says\n" +
			"beyond that is shown as its word: a message sent without a session, or to a program that signs no\n" +
			"receipts, stays stored for ever.",
		Args: exactly("ID"),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0]) },
	}
	addSessionFlag(c, &o.session)
	return c
}

func (o *messageStatusOptions) run(ctx context.Context, id string) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	var s messageState
	err = o.ask(ctx, m, o.session, opMessageStatus, id, &s)
	if errors.Is(err, local.ErrNobody) {
		s, err = o.alone(ctx, m, id)
	}
	if err != nil {
		return err
	}
	return o.answer(s)
}

// alone finds out without a session. Receipts that wait are fetched first.
func (o *messageStatusOptions) alone(ctx context.Context, m *membership, id string) (messageState, error) {
	posts, err := outbox.Open(m.store.Dir(), m.mesh.MeshID)
	if err != nil {
		return messageState{}, err
	}
	e, err := posts.Find(id)
	if err == nil && e.State == outbox.Stored && receipt.Asked(e.ID) && e.SurfacedAt == nil {
		h, err := o.openHost(m, e.Session)
		if err == nil {
			defer h.close()
			var s messageState
			err := h.borrow(ctx, func(ctx context.Context) error {
				s, err = h.messageStatus(ctx, id)
				return err
			})
			return s, err
		}
	}
	var s messageState
	if err == nil && e.State != outbox.Stored {
		return newMessageState(e), nil
	}
	err = m.once(ctx, o.env.Dir, func(ctx context.Context, c *peer.Client) error {
		s, err = messageStatus(ctx, posts, c, id)
		return err
	})
	return s, err
}

func (h *host) messageStatus(ctx context.Context, id string) (messageState, error) {
	return messageStatus(ctx, h.posts, h.client, id)
}

// messageStatus puts together what we can prove and what the broker says.
func messageStatus(ctx context.Context, posts *outbox.Store, c *peer.Client, id string) (messageState, error) {
	e, err := posts.Find(id)
	s := newMessageState(e)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
		s = messageState{MessageID: id, State: string(outbox.Stored)}
	case err != nil:
		return s, err
	case e.State != outbox.Stored || e.DeliveredAt != nil:
		return s, nil
	}
	said, err := c.MessageStatus(ctx, s.MessageID)
	var refused *peer.RefusedError
	switch known := e.ID != ""; {
	case errors.As(err, &refused) && known:
		s.Broker = brokerForgot
	case errors.As(err, &refused):
		return s, ui.Failf("no message %q is known", ui.CleanLine(id)).
			Hinted("claudemesh outbox --all lists yours; give 8 characters of an id or more")
	case err != nil:
		return s, err
	case said.Delivered:
		s.Broker = brokerClaims
	default:
		s.Broker = brokerHolds
	}
	if err == nil && s.Target == "" {
		s.Target = said.TargetSpec
	}
	if s.Target != "" && wire.ClassifyTarget(s.Target).Class != wire.ClassDirect {
		s.Broker = "" // it knows nothing about the many
	}
	return s, nil
}

func newMessageState(e outbox.Entry) messageState {
	s := messageState{
		MessageID: e.MessageID, ID: e.ID, Target: e.To, Name: e.Name, State: string(e.State), Reason: plain(e.Reason),
		StoredAt: e.StoredAt, DeliveredAt: e.DeliveredAt, SurfacedAt: e.SurfacedAt,
	}
	if !e.AcceptedAt.IsZero() {
		s.AcceptedAt = &e.AcceptedAt
	}
	switch {
	case e.SurfacedAt != nil:
		s.State = stateSurfaced
	case e.DeliveredAt != nil:
		s.State = stateDelivered
	}
	return s
}

func (o *messageStatusOptions) answer(s messageState) error {
	if o.out.JSON {
		return o.out.Answer(s)
	}
	state := s.State
	if s.Broker != "" {
		state += "; the broker " + s.Broker
	}
	if s.Reason != "" {
		state += ": " + ui.CleanLine(s.Reason)
	}
	return o.out.Line(s.MessageID, state)
}
