package command

import (
	"context"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// shutOptions are those of the verbs that shut a member out, or let it in.
type shutOptions struct {
	*app
	yes   bool
	asks  string // a sentence with the member's name; empty for what harms nobody
	told  string
	back  bool // lets a member in again
	apply func(context.Context, *administered, string) error
}

type shutAnswer struct {
	Pubkey string `json:"pubkey"`
	Name   string `json:"name"`
	State  string `json:"state"`
}

func newMemberRevoke(a *app) *cobra.Command {
	o := &shutOptions{
		app:  a,
		asks: "this shuts %s out, closes its connections, and takes an invite made from now on to undo",
		told: "%s is no member any more; an invite made from now on can let it in again",
		apply: func(ctx context.Context, m *administered, key string) error {
			return m.Revoke(ctx, key)
		},
	}
	return o.command("revoke MEMBER", "Shut a member out, until a new invite lets it in",
		"Shut a member out and close its connections. An invite made later lets the same key in again, as a new member;\n"+
			"invites that are out already do not. For good: claudemesh member ban. (claudemesh revoke, without member, is\n"+
			"about what a peer may do to you.)",
		"  claudemesh member revoke bob")
}

func newBan(a *app) *cobra.Command {
	o := &shutOptions{
		app:  a,
		asks: "this shuts %s out for good, and closes its connections; unban lets it in again",
		told: "%s is banned; claudemesh member unban lets it in again",
		apply: func(ctx context.Context, m *administered, key string) error {
			return m.Ban(ctx, key)
		},
	}
	return o.command("ban MEMBER", "Shut a member out for good",
		"Shut a member out for good: its connections are closed within a second, and no invite lets its key in again.\n"+
			"Admins are moderated by the owner only.",
		"  claudemesh member ban mallory")
}

func newUnban(a *app) *cobra.Command {
	o := &shutOptions{
		app:  a,
		told: "%s is a member again",
		back: true,
		apply: func(ctx context.Context, m *administered, key string) error {
			return m.Unban(ctx, key)
		},
	}
	return o.command("unban MEMBER", "Let a banned or revoked member in again",
		"Let a banned or revoked member in again, as the member it was.",
		"  claudemesh member unban bob")
}

func (o *shutOptions) command(use, what, long, example string) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: what, Long: long + " MEMBER is a name, or the first digits of a key.", Example: example,
		Args:              exactly("MEMBER"),
		ValidArgsFunction: o.completeMember,
		RunE:              func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0]) },
	}
	if o.asks != "" {
		addYesFlag(c, &o.yes)
	}
	return c
}

func (o *shutOptions) run(ctx context.Context, typed string) error {
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	m, err := all.member(typed, o.back)
	if err != nil {
		return err
	}
	name := ui.CleanLine(m.DisplayName) + " (" + short(m.Pubkey) + ")"
	switch {
	case o.back && m.RevokedAt == nil:
		return ui.Failf("%s is not shut out", name).Hinted("claudemesh member list shows who is")
	case !o.back && m.Pubkey == all.self:
		return ui.Usagef("%s is you", name).Hinted("claudemesh leave forgets a mesh")
	}
	if o.asks != "" {
		if err := o.sure(ctx, o.yes, o.asks, name); err != nil {
			return err
		}
	}
	if err := o.apply(ctx, mesh, m.Pubkey); err != nil {
		return err
	}
	if !o.out.JSON {
		o.out.Say(o.told, name)
		return nil
	}
	return o.answer(ctx, mesh, m)
}

// answer tells the state that the member has now.
func (o *shutOptions) answer(ctx context.Context, mesh *administered, m wire.MeshMember) error {
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	for _, now := range all.members {
		if now.Pubkey == m.Pubkey {
			m = now
		}
	}
	return o.out.Answer(shutAnswer{Pubkey: m.Pubkey, Name: m.DisplayName, State: stateOf(m)})
}
