package command

import (
	"context"
	"errors"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

// shareVerb describes a verb that asks the mesh something, or has it keep
// something.
type shareVerb struct {
	use, short, long, example string

	args   cobra.PositionalArgs // nil: none
	writes bool                 // it writes texts, so it has --clear
	owned  bool                 // what it makes belongs to a session, so it needs one
	run    func(context.Context, *share.Mesh, []string) error
}

// verb makes the command of a shareVerb.
func (o *sharing) verb(v shareVerb) *cobra.Command {
	c := &cobra.Command{
		Use: v.use, Short: v.short, Long: v.long, Example: "  " + v.example, Args: v.args,
		RunE: func(c *cobra.Command, args []string) error {
			with := o.shared
			if v.owned {
				with = o.ofSession
			}
			return with(c.Context(), func(ctx context.Context, m *share.Mesh) error { return v.run(ctx, m, args) })
		},
	}
	if v.args == nil {
		c.Args = noArgs
	}
	o.addFlags(c, v.writes)
	return c
}

// family is a command that only has others below it.
func family(use, short, long string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(verbs...)
	return c
}

// ofSession calls f with what the mesh shares, through the session that runs in
// this directory. Without one it refuses: what f makes would end with the
// connection of this command.
func (o *sharing) ofSession(ctx context.Context, f func(context.Context, *share.Mesh) error) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	if err := o.ask(ctx, m, o.session, opAsk, question{}, nil); err != nil {
		return sessionNeeded(err)
	}
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	mesh, err := m.sharedMesh(sessionAsker{o.app, m, o.session})
	if err != nil {
		return err
	}
	mesh.Clear = mesh.Clear || o.clear
	return f(ctx, mesh)
}

func sessionNeeded(err error) error {
	if !errors.Is(err, local.ErrNobody) {
		return err
	}
	return ui.Failf("this belongs to a session, and none runs for this directory").
		Hinted("claudemesh listen, in another terminal; where it runs with --session NAME, give the same here").Coded(ui.ExitAway)
}
