package command

import (
	"context"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type sendOptions struct {
	*app
	target   string
	text     string
	priority string
}

func newSend(a *app) *cobra.Command {
	o := &sendOptions{app: a}
	c := &cobra.Command{
		Use:   "send TARGET TEXT",
		Short: "Send a message",
		Long: "Send a message. TARGET is a name, a key or its first digits, @group, or * for everybody.\n" +
			"With - as TEXT the message is read from stdin.\n\n" +
			"A message to somebody who is away waits for them. What you write is sealed before it leaves.",
		Args: exactly("TARGET", "TEXT"),
		RunE: func(c *cobra.Command, args []string) error {
			o.target, o.text = args[0], args[1]
			return o.run(c.Context())
		},
	}
	c.Flags().StringVar(&o.priority, "priority", string(wire.LaneNext),
		"`now|next|low`: now reaches a busy peer too, the others wait until it is idle")
	return c
}

type sendAnswer struct {
	MessageID string `json:"messageId"`
	Queued    bool   `json:"queued"`
	ID        string `json:"clientMessageId"`
	Target    string `json:"target"`
}

func (o *sendOptions) run(ctx context.Context) error {
	if !wire.Lane(o.priority).Valid() {
		return ui.Usagef("priority %q is none", o.priority).Hinted("--priority now, next or low")
	}
	if _, _, err := plainTarget(o.target); err != nil {
		return err
	}
	text, err := o.read()
	if err != nil {
		return err
	}
	m, err := o.chosen()
	if err != nil {
		return err
	}
	var to recipient
	var receipt peer.Receipt
	err = m.once(ctx, o.env.Dir, func(ctx context.Context, c *peer.Client) error {
		if to, err = resolve(ctx, c, m.mesh.PublicKey, o.target); err != nil {
			return err
		}
		receipt, err = c.Send(ctx, peer.Message{
			To: to.key, Typed: o.target, Text: text, Priority: wire.Lane(o.priority),
		})
		return err
	})
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(sendAnswer{
			MessageID: receipt.MessageID, Queued: receipt.Queued, ID: receipt.ID, Target: to.key,
		})
	}
	o.out.Say("sent to %s", ui.CleanLine(to.name))
	return o.out.Line(receipt.MessageID)
}

// read returns the text, from stdin where it is -.
func (o *sendOptions) read() (string, error) {
	text := o.text
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(o.env.Stdin, wire.MaxSend+1))
		if err != nil {
			return "", ui.Failf("cannot read stdin: %v", err)
		}
		text = strings.TrimSuffix(string(data), "\n") // which echo adds
	}
	if len(text) > wire.MaxSend {
		return "", peer.ErrTooLarge
	}
	if !utf8.ValidString(text) {
		return "", ui.Usagef("the message is not UTF-8 text")
	}
	return text, nil
}
