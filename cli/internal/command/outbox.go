package command

import (
	"context"

	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

type outboxOptions struct {
	*app
	all     bool
	session string
}

func newOutbox(a *app) *cobra.Command {
	o := &outboxOptions{app: a}
	c := &cobra.Command{
		Use:   "outbox",
		Short: "Show what was accepted and not sent yet",
		Long: "Show what was accepted and not sent yet. Messages wait here while the broker is away; a running session, or\n" +
			"the next command that sends from the same directory, sends them, under the same id, for 23 hours.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return o.list() },
	}
	c.Flags().BoolVar(&o.all, "all", false, "show also what was sent, given up or cancelled, of the last 7 days")
	c.AddCommand(
		&cobra.Command{
			Use: "cancel ID", Short: "Take back a message that was not sent yet", Args: exactly("ID"),
			Long: "Take back a message that was not sent yet. ID is the first characters of its id. One that is just on its\n" +
				"way may arrive nevertheless; message-status tells.",
			RunE: func(_ *cobra.Command, args []string) error { return o.cancel(args[0]) },
		},
		newFlush(o),
	)
	return c
}

func newFlush(o *outboxOptions) *cobra.Command {
	c := &cobra.Command{
		Use: "flush", Short: "Send now what waits in this directory", Args: noArgs,
		Long: "Send now what waits in this directory. A running session does so by itself.",
		RunE: func(c *cobra.Command, _ []string) error { return o.flush(c.Context()) },
	}
	addSessionFlag(c, &o.session)
	return c
}

type outboxAnswer struct {
	Messages []outbox.Entry `json:"messages"`
}

func (o *outboxOptions) open() (*membership, *outbox.Store, error) {
	m, err := o.chosen()
	if err != nil {
		return nil, nil, err
	}
	posts, err := outbox.Open(m.store.Dir(), m.mesh.MeshID)
	return m, posts, err
}

func (o *outboxOptions) list() error {
	_, posts, err := o.open()
	if err != nil {
		return err
	}
	all, err := posts.List()
	if err != nil {
		return err
	}
	answer := outboxAnswer{Messages: []outbox.Entry{}}
	var rows [][]string
	for _, e := range all {
		if e.State != outbox.Waiting && !o.all {
			continue
		}
		e.Reason = plain(e.Reason)
		answer.Messages = append(answer.Messages, e)
		rows = append(rows, []string{
			shortID(e.ID), string(e.State), ui.CleanLine(e.Typed), o.when(e.AcceptedAt), ui.CleanLine(e.Reason),
		})
	}
	switch {
	case o.out.JSON:
		return o.out.Answer(answer)
	case len(rows) == 0:
		o.out.Say("nothing waits to be sent")
		return nil
	}
	return o.out.Table([]string{"ID", "STATE", "TO", "ACCEPTED", "WHY"}, rows)
}

func plain(reason string) string { return packageNames.Replace(reason) }

func (o *outboxOptions) cancel(id string) error {
	_, posts, err := o.open()
	if err != nil {
		return err
	}
	e, err := posts.Cancel(id)
	if err != nil {
		return err
	}
	e.Reason = plain(e.Reason)
	if o.out.JSON {
		return o.out.Answer(e)
	}
	o.out.Say("%s to %s is %s", shortID(e.ID), ui.CleanLine(e.Typed), e.State)
	return nil
}

type flushAnswer struct {
	Sent    int `json:"sent"`
	Waiting int `json:"waiting"`
}

func (o *outboxOptions) flush(ctx context.Context) error {
	m, posts, err := o.open()
	if err != nil {
		return err
	}
	id := o.sessionIDs(o.session)[0]
	before, err := posts.Due(id)
	if err != nil {
		return err
	}
	if len(before) > 0 {
		if err := o.flushNow(ctx, m, id); err != nil {
			return err
		}
	}
	after, err := posts.Due(id)
	if err != nil {
		return err
	}
	answer := flushAnswer{Sent: len(before) - len(after), Waiting: len(after)}
	if o.out.JSON {
		return o.out.Answer(answer)
	}
	o.out.Say("%d sent, %d waiting", answer.Sent, answer.Waiting)
	return nil
}

// flushNow sends as the session, whose messages they are.
func (o *outboxOptions) flushNow(ctx context.Context, m *membership, id string) error {
	h, err := o.openHost(m, id)
	if err != nil {
		return err // a running session sends by itself, and the error says so
	}
	defer h.close()
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	err = h.borrow(ctx, func(ctx context.Context) error {
		_, err := h.sendDue(ctx, "")
		return err
	})
	if err != nil && !outbox.Final(err) {
		return ui.Failf("not sent yet: %s", o.explain(err).Message).
			Hinted("what was not sent waits still: claudemesh outbox").Coded(ui.ExitKept)
	}
	return err
}
