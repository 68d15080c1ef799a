package command

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type sendOptions struct {
	*app
	target   string
	text     string
	priority string
	replyTo  string
	session  string
	wait     string
	timeout  time.Duration
	clear    bool
}

func newSend(a *app) *cobra.Command {
	o := &sendOptions{app: a}
	c := &cobra.Command{
		Use:   "send TARGET TEXT",
		Short: "Send a message",
		Long: "Send a message. TARGET is a name, a key or its first digits, @group, '#topic', or * for everybody.\n" +
			"With - as TEXT the message is read from stdin.\n\n" +
			"A message to somebody who is away waits for them. What you write is sealed before it leaves. While the\n" +
			"broker is away it waits in the outbox here, and the exit code is 5: claudemesh outbox.\n\n" +
			"It is sent by the session that runs in this directory, if one does, else by the member. --wait sends as this\n" +
			"directory's session in any case, because the recipient's receipt needs an inbox that nobody else reads;\n" +
			"what else arrives meanwhile is kept for claudemesh inbox.",
		Args: exactly("TARGET", "TEXT"),
		RunE: func(c *cobra.Command, args []string) error {
			o.target, o.text = args[0], args[1]
			return o.run(c.Context())
		},
	}
	c.Flags().StringVar(&o.priority, "priority", string(wire.LaneNext),
		"`WHEN` it may disturb: now reaches a busy peer too, next and low wait until it is idle")
	c.Flags().StringVar(&o.replyTo, "reply-to", "", "the `ID` of the message that this one answers")
	c.Flags().StringVar(&o.wait, "wait", "", "wait until the recipient has it, or with --wait=surfaced has shown it (`STATE`)")
	c.Flags().Lookup("wait").NoOptDefVal = string(receipt.Delivered)
	c.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how `LONG` --wait waits")
	o.addClearFlag(c)
	addSessionFlag(c, &o.session)
	return c
}

func (o *sendOptions) addClearFlag(c *cobra.Command) {
	c.Flags().BoolVar(&o.clear, "clear", false, "to a topic: write it so that the broker can read it")
}

type sendAnswer struct {
	MessageID   string       `json:"messageId"`
	Queued      bool         `json:"queued"`
	ID          string       `json:"clientMessageId"`
	Target      string       `json:"target"`
	State       outbox.State `json:"state"`
	DeliveredAt *time.Time   `json:"deliveredAt,omitempty"`
	SurfacedAt  *time.Time   `json:"surfacedAt,omitempty"`
}

// check looks at what can be known without a broker.
func (d *draft) check() error {
	if d.Priority == "" {
		d.Priority = wire.LaneNext
	}
	if !d.Priority.Valid() {
		return ui.Usagef("there is no priority %q", string(d.Priority)).Hinted("--priority now, next or low")
	}
	if _, _, err := plainTarget(d.Target); err != nil {
		return err
	}
	if d.Clear && !isTopicName(d.Target) {
		return ui.Usagef("--clear is for topics: everything else is sealed").Hinted("leave --clear out")
	}
	if strings.TrimSpace(d.Text) == "" {
		return ui.Usagef("the message is empty").Hinted("TEXT says what to send; - reads it from stdin")
	}
	if len(d.Text) > wire.MaxSend {
		return peer.ErrTooLarge
	}
	if !utf8.ValidString(d.Text) {
		return ui.Usagef("the message is not UTF-8 text").Hinted("send a link to what is not text")
	}
	return nil
}

func (o *sendOptions) run(ctx context.Context) error {
	d := draft{Target: o.target, Text: o.text, Priority: wire.Lane(o.priority), ReplyTo: o.replyTo, Clear: o.clear}
	if err := d.check(); err != nil {
		return err
	}
	if o.wait != "" && o.wait != string(receipt.Delivered) && o.wait != string(receipt.Surfaced) {
		return ui.Usagef("--wait %q is neither delivered nor surfaced", o.wait).Hinted("--wait, or --wait=surfaced")
	}
	var err error
	if d.Text, err = o.read(); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	m, err := o.chosen()
	if err != nil {
		return err
	}
	return o.send(ctx, m, d)
}

// send hands the message to the running session; without one, it goes out from
// here.
func (o *sendOptions) send(ctx context.Context, m *membership, d draft) error {
	posts, err := outbox.Open(m.store.Dir(), m.mesh.MeshID)
	if err != nil {
		return err
	}
	var a postAnswer
	err = o.ask(ctx, m, o.session, opSend, d, &a)
	switch {
	case errors.Is(err, local.ErrNobody) && o.wait != "":
		return o.borrowed(ctx, m, d)
	case errors.Is(err, local.ErrNobody):
		e, err := o.asMember(ctx, m, posts, d)
		return o.answer(e, err)
	case err != nil:
		return err
	}
	if a.Refusal != nil {
		return o.answer(a.Entry, a.Refusal)
	}
	return o.await(ctx, posts, a.Entry)
}

// asMember sends without a session, after what waits here already.
func (o *sendOptions) asMember(ctx context.Context, m *membership, posts *outbox.Store, d draft) (outbox.Entry, error) {
	session := o.sessionIDs(o.session)[0]
	mine, err := posts.Add(d.entry(session, false))
	if err != nil {
		return mine, err
	}
	due, err := posts.Due(session)
	if err != nil {
		return mine, err
	}
	kept := due[:0]
	for _, e := range due {
		if !receipt.Asked(e.ID) { // those go out with the session's key
			kept = append(kept, e)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, postPatience)
	defer cancel()
	sent := mine
	err = m.once(ctx, o.env.Dir, func(ctx context.Context, c *peer.Client) error {
		var err error
		sent, err = sendAll(ctx, posts, courier{c, m}, kept, mine.ID)
		return err
	})
	if err != nil && sent.State == outbox.Waiting {
		sent, err = posts.GaveUp(ctx, mine.ID, err)
	}
	return sent, err
}

// borrowed sends as the session of this directory, and waits there.
func (o *sendOptions) borrowed(ctx context.Context, m *membership, d draft) error {
	h, err := o.openHost(m, o.sessionIDs(o.session)[0])
	if err != nil {
		return err
	}
	defer h.close()
	e, err := h.posts.Add(d.entry(h.session.ID, true))
	if err != nil {
		return err
	}
	connect, cancel := context.WithTimeout(ctx, postPatience+o.timeout)
	defer cancel()
	err = h.borrow(connect, func(ctx context.Context) error {
		e, err = h.sendDue(ctx, e.ID)
		if err != nil {
			return err
		}
		return o.await(ctx, h.posts, e)
	})
	if err != nil && e.State == outbox.Waiting {
		e, err = h.posts.GaveUp(ctx, e.ID, err)
		return o.answer(e, err)
	}
	return err
}

// await waits for the receipt that was asked for.
func (o *sendOptions) await(ctx context.Context, posts *outbox.Store, e outbox.Entry) error {
	if o.wait == "" || e.State != outbox.Stored {
		return o.answer(e, nil)
	}
	if !receipt.Asked(e.ID) {
		o.out.Say("a message to several gets no receipts")
		return o.answer(e, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	told := o.out.Busy("stored; waiting for the receipt")
	err := waitFor(ctx, func() (bool, error) {
		var err error
		e, err = posts.Get(e.ID)
		return e.SurfacedAt != nil || e.DeliveredAt != nil && o.wait == string(receipt.Delivered), err
	})
	told()
	if errors.Is(err, context.DeadlineExceeded) {
		return ui.Failf("%s is stored, but was not %s within %v", e.MessageID, o.wait, o.timeout).
			Hinted("claudemesh message-status %s tells how far it got", e.MessageID).Coded(ui.ExitAway)
	}
	if err != nil {
		return err
	}
	return o.answer(e, nil)
}

// answer says what became of the message: it is on its way, or waits here, or
// was given up.
func (o *sendOptions) answer(e outbox.Entry, err error) error {
	if err != nil && e.State == outbox.Waiting {
		reason := o.explain(err)
		kept := ui.Failf("not sent yet: %s", reason.Message).
			Hinted("it waits in the outbox as %s; claudemesh outbox shows it, outbox flush sends it", shortID(e.ID)).Coded(ui.ExitKept)
		if o.out.JSON {
			return errors.Join(o.out.Answer(newSendAnswer(e)), kept)
		}
		return kept
	}
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(newSendAnswer(e))
	}
	o.out.Say("sent to %s", ui.CleanLine(e.Name))
	return o.out.Line(e.MessageID)
}

func newSendAnswer(e outbox.Entry) sendAnswer {
	return sendAnswer{
		MessageID: e.MessageID, Queued: e.State == outbox.Stored, ID: e.ID, Target: e.To, State: e.State,
		DeliveredAt: e.DeliveredAt, SurfacedAt: e.SurfacedAt,
	}
}

// shortID is as much of a client message id as a person needs.
func shortID(id string) string {
	id = strings.TrimPrefix(id, outbox.ShortPrefix)
	return id[:min(len(id), 12)]
}

// read returns the text, from stdin where it is -.
func (o *sendOptions) read() (string, error) {
	if o.text != "-" {
		return o.text, nil
	}
	data, err := io.ReadAll(io.LimitReader(o.env.Stdin, wire.MaxSend+2))
	if err != nil {
		return "", ui.Failf("cannot read stdin: %v", err)
	}
	return strings.TrimSuffix(string(data), "\n"), nil // which echo adds
}
