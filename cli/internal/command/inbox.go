package command

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/spf13/cobra"
	"golang.org/x/time/rate"
)

// oldBrokerWait is how long an inbox stays open at a broker that cannot say
// when everything was delivered.
const oldBrokerWait = 2 * time.Second

type inboxOptions struct {
	*app
	session string
	shown   int
}

func newInbox(a *app) *cobra.Command {
	o := &inboxOptions{app: a}
	c := &cobra.Command{
		Use:   "inbox",
		Short: "Show what waits, and leave",
		Long: "Show what waits for this directory's session and for the member, and leave. What was shown is\n" +
			"acknowledged and not shown again, here or anywhere else: a running session hands over what it has not shown.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	addSessionFlag(c, &o.session)
	return c
}

func (o *inboxOptions) run(ctx context.Context) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	err = o.fromSession(ctx, m)
	if errors.Is(err, local.ErrNobody) {
		err = o.fromBroker(ctx, m)
	}
	if err == nil && o.shown == 0 {
		o.out.Say("nothing waits for you")
	}
	return err
}

// fromSession shows what the running session was sent and has not shown.
func (o *inboxOptions) fromSession(ctx context.Context, m *membership) error {
	for {
		var a inboxAnswer
		if err := o.ask(ctx, m, o.session, opInbox, nil, &a); err != nil {
			return err
		}
		var keys []string
		for _, message := range a.Messages {
			if err := o.show(fromMail(message)); err != nil {
				return err
			}
			keys = append(keys, message.Key)
			o.shown++
		}
		if err := o.ask(ctx, m, o.session, opShown, keys, nil); err != nil || a.Left == 0 {
			return err
		}
	}
}

// fromBroker fetches what waits there, and shows it with what an earlier
// session has left.
func (o *inboxOptions) fromBroker(ctx context.Context, m *membership) error {
	h, err := o.openHost(m, o.sessionIDs(o.session)[0])
	if err != nil {
		return err
	}
	defer h.close()
	return h.borrow(ctx, func(ctx context.Context) error {
		o.shown = h.box.Unread()
		if err := h.showMail(); err != nil {
			return err
		}
		return h.payReceipts(ctx)
	})
}

// payReceipts sends the receipts that are due, for commands that will not be
// there later. Whoever comes next sends what does not get through now.
func (h *host) payReceipts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, postPatience)
	defer cancel()
	for range receiptBurst {
		if len(h.box.Owed()) == 0 || ctx.Err() != nil {
			return nil
		}
		if err := h.tellSender(ctx, rate.NewLimiter(rate.Inf, 1)); err != nil {
			return err
		}
	}
	return nil
}

// drain returns once everything that waited was handled. A broker that tells no
// lease is an older one, which cannot say.
func drain(ctx context.Context, c *peer.Client) error {
	ack, err := c.Admitted(ctx)
	if err != nil {
		return err
	}
	if ack.LeaseMs > 0 {
		return c.Sync(ctx)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(oldBrokerWait):
		return nil
	}
}
