package command

import (
	"context"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newQueueDead(a *app) *cobra.Command {
	limit := 0
	c := &cobra.Command{
		Use:   "dead",
		Short: "Show dead letters: messages that nobody fetched in time",
		Long: "Show dead letters, oldest first: messages that nobody fetched in 7 days. They are kept for 30 days, and never\n" +
			"delivered unless queue requeue puts them back.",
		Example: "  claudemesh queue dead --json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.deadLetters(c.Context(), limit) },
	}
	addLimitFlag(c, &limit)
	return c
}

type deadAnswer struct {
	DeadLetters []wire.DeadLetter `json:"deadLetters"`
}

func (a *app) deadLetters(ctx context.Context, limit int) error {
	if err := checkLimit(limit); err != nil {
		return err
	}
	mesh, err := a.administer()
	if err != nil {
		return err
	}
	found, err := mesh.DeadLetters(ctx, limit)
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(deadAnswer{append([]wire.DeadLetter{}, found...)})
	}
	if len(found) == 0 {
		a.out.Say("there are no dead letters")
		return nil
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, d := range found {
		to := ui.CleanLine(d.Inbox)
		if a.out.Terminal() {
			to = all.who(d.Inbox)
		}
		e := a.envelope(all, &d.Envelope)
		rows = append(rows, []string{e[0], to, e[2], e[3], e[1], e[4], ui.CleanLine(d.Reason)})
	}
	if len(found) == limit {
		a.out.Say("there may be more: --limit")
	}
	return a.table([]string{"ID", "FOR", "FROM", "SENT", "PRIORITY", "SIZE", "WHY"}, rows)
}

// deadOptions are those of requeue and drop.
type deadOptions struct {
	*app
	all   bool
	yes   bool
	asks  bool
	did   string // in the past tense
	apply func(context.Context, *administered, string) error
}

func newRequeue(a *app) *cobra.Command {
	o := &deadOptions{
		app: a, did: "put back",
		apply: func(ctx context.Context, m *administered, id string) error { return m.Requeue(ctx, id) },
	}
	return o.command("requeue", "Put dead letters back into the inboxes they were for",
		"Put dead letters back into the inboxes they were for, for another 7 days.",
		"  claudemesh queue requeue d0000001\n  claudemesh queue requeue --all")
}

func newDrop(a *app) *cobra.Command {
	o := &deadOptions{
		app: a, did: "thrown away", asks: true,
		apply: func(ctx context.Context, m *administered, id string) error { return m.DropDead(ctx, id) },
	}
	return o.command("drop", "Throw dead letters away",
		"Throw dead letters away. Nothing brings them back.",
		"  claudemesh queue drop d0000001")
}

func (o *deadOptions) command(verb, what, long, example string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " ID...", Short: what, Example: example,
		Long: long + " ID is the first characters of what claudemesh queue\ndead shows; --all means every one.",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case o.all && len(args) > 0:
				return ui.Usagef("name dead letters, or say --all").Hinted("%s", c.UseLine())
			case !o.all && len(args) == 0:
				return ui.Usagef("ID is missing").Hinted("claudemesh queue dead shows them; --all means every one")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), args) },
	}
	c.Flags().BoolVar(&o.all, "all", false, "every dead letter")
	if o.asks {
		addYesFlag(c, &o.yes)
	}
	return c
}

type deadDone struct {
	MessageIDs []string `json:"messageIds"`
}

func (o *deadOptions) run(ctx context.Context, typed []string) error {
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	done := deadDone{MessageIDs: []string{}}
	ids, err := o.named(ctx, mesh, typed)
	if err != nil {
		return err
	}
	if o.asks && len(ids) > 0 {
		err := o.sure(ctx, o.yes, "this throws %d dead %s away, which nothing brings back", len(ids), plural(len(ids), "letter", "letters"))
		if err != nil {
			return err
		}
	}
	// With --all there may be more than one page of them.
	for len(ids) > 0 {
		for _, id := range ids {
			if err := o.apply(ctx, mesh, id); err != nil {
				return err
			}
			done.MessageIDs = append(done.MessageIDs, id)
		}
		if ids = nil; o.all {
			if ids, err = o.named(ctx, mesh, nil); err != nil {
				return err
			}
			// What comes back at once is not to be chased.
			ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(done.MessageIDs, id) })
		}
	}
	if o.out.JSON {
		return o.out.Answer(done)
	}
	n := len(done.MessageIDs)
	o.out.Say("%d dead %s %s", n, plural(n, "letter was", "letters were"), o.did)
	return nil
}

// named finds the dead letters whose ids begin like that; all of them where
// nothing was typed.
func (o *deadOptions) named(ctx context.Context, mesh *administered, typed []string) ([]string, error) {
	found, err := mesh.DeadLetters(ctx, admin.MaxPage)
	if err != nil {
		return nil, err
	}
	var ids []string
	if o.all {
		for _, d := range found {
			ids = append(ids, d.MessageID)
		}
		return ids, nil
	}
	for _, prefix := range typed {
		if _, _, whole := wire.ParseMessageID(prefix); whole && len(prefix) == wire.LongID {
			ids = append(ids, prefix)
			continue
		}
		var fit []string
		for _, d := range found {
			if prefix != "" && strings.HasPrefix(d.MessageID, prefix) {
				fit = append(fit, d.MessageID)
			}
		}
		switch len(fit) {
		case 0:
			return nil, ui.Failf("no dead letter begins with %q", prefix).Hinted("claudemesh queue dead shows them")
		case 1:
			ids = append(ids, fit[0])
		default:
			return nil, ui.Failf("%d dead letters begin with %q", len(fit), prefix).Hinted("give more of the id")
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
