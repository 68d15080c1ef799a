package command

import (
	"context"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// kickOptions are those of kick and disconnect.
type kickOptions struct {
	*app
	all   bool
	stale string // kick only
	yes   bool
	every string // what is done to everybody
	apply func(context.Context, *administered, string) (wire.KickResponse, error)
}

func newKick(a *app) *cobra.Command {
	o := &kickOptions{
		app: a, every: "this ends the session of everybody in %s",
		apply: func(ctx context.Context, m *administered, target string) (wire.KickResponse, error) {
			return m.Kick(ctx, target)
		},
	}
	c := o.command("kick", "End the sessions of a peer",
		"End the sessions of a peer. Their clients are told that they were kicked, and ours stay away until a person\n"+
			"starts them again. It is no ban: who wants to can come back. Connections in the background are left;\n"+
			"disconnect closes them too.",
		"  claudemesh kick bob")
	c.Flags().StringVar(&o.stale, "stale", "", "who was not heard of for so `LONG`, such as 30m")
	return c
}

func newDisconnect(a *app) *cobra.Command {
	o := &kickOptions{
		app: a, every: "this closes every connection of %s",
		apply: func(ctx context.Context, m *administered, target string) (wire.KickResponse, error) {
			return m.Disconnect(ctx, target)
		},
	}
	return o.command("disconnect", "Close the connections of a peer",
		"Close the connections of a peer, those in the background too. Clients may come back at once, which helps where\n"+
			"one hangs. To keep somebody out: claudemesh member ban.",
		"  claudemesh disconnect bob")
}

func (o *kickOptions) command(verb, what, long, example string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " PEER", Short: what, Example: example,
		Long:              long + "\n\nPEER is the name of a member or of a session, or the first digits of a key. --all is the owner's to do.",
		Args:              atMost("PEER"),
		ValidArgsFunction: o.completeMember,
		RunE: func(c *cobra.Command, args []string) error {
			typed := ""
			switch {
			case o.stale != "" && (len(args) > 0 || o.all):
				return ui.Usagef("--stale stands alone").Hinted("claudemesh kick --stale 30m")
			case o.stale != "":
				return o.kickStale(c.Context())
			case len(args) > 0 && o.all:
				return ui.Usagef("name a peer, or say --all").Hinted("%s", c.UseLine())
			case len(args) > 0:
				typed = args[0]
			case !o.all:
				return ui.Usagef("PEER is missing").Hinted("%s", c.UseLine())
			}
			o.all = o.all || typed == wire.TargetAll
			return o.run(c.Context(), typed)
		},
	}
	c.Flags().BoolVar(&o.all, "all", false, "everybody")
	addYesFlag(c, &o.yes)
	return c
}

func (o *kickOptions) run(ctx context.Context, typed string) error {
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	target := recipient{key: wire.TargetAll}
	if o.all {
		err = o.sure(ctx, o.yes, o.every, mesh.m.mesh.Slug)
	} else {
		var all *roll
		if all, err = mesh.roll(ctx); err == nil {
			target, err = all.connection(typed)
		}
	}
	if err != nil {
		return err
	}
	closed, err := o.apply(ctx, mesh, target.key)
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(closed)
	}
	if n := len(closed.Skipped); n > 0 {
		o.out.Say("left %d %s in the background; claudemesh disconnect closes %s too",
			n, plural(n, "connection", "connections"), plural(n, "it", "them"))
	}
	if len(closed.Affected) == 0 {
		o.out.Say("there was nothing to close")
		return nil
	}
	var rows [][]string
	for _, p := range closed.Affected {
		rows = append(rows, []string{ui.CleanLine(p.DisplayName), ui.CleanLine(p.PeerRole), o.key(p.Pubkey)})
	}
	return o.table([]string{"CLOSED", "ROLE", "KEY"}, rows)
}
