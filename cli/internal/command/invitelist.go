package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newInviteList(a *app) *cobra.Command {
	all := false
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the invites that are out",
		Long: "Show the invites that are out. The links themselves are stored nowhere, so that they cannot be shown again.\n" +
			"With --all also those that are over, used up or taken back.",
		Example: "  claudemesh invite list --all",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.inviteList(c.Context(), all) },
	}
	c.Flags().BoolVar(&all, "all", false, "show also invites that have ended")
	return c
}

type invitesAnswer struct {
	Invites []listedInvite `json:"invites"`
}

type listedInvite struct {
	wire.MeshInvite
	State string `json:"state"` // open, used up, over, or taken back
}

const inviteOpen = "open"

func inviteState(i wire.MeshInvite, now time.Time) string {
	switch {
	case i.RevokedAt != nil:
		return "taken back"
	case i.Uses >= i.MaxUses:
		return "used up"
	case i.ExpiresAt < now.Unix():
		return "over"
	}
	return inviteOpen
}

func (a *app) inviteList(ctx context.Context, all bool) error {
	mesh, err := a.administer()
	if err != nil {
		return err
	}
	found, err := mesh.Invites(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(x, y wire.MeshInvite) int { return cmp.Compare(x.ExpiresAt, y.ExpiresAt) })
	answer := invitesAnswer{Invites: []listedInvite{}}
	var rows [][]string
	for _, i := range found {
		l := listedInvite{i, inviteState(i, time.Now())}
		if l.State != inviteOpen && !all {
			continue
		}
		answer.Invites = append(answer.Invites, l)
		kind := "long"
		if i.ShortLink {
			kind = "short, long"
		}
		rows = append(rows, []string{
			a.inviteID(i.InviteID), a.usual(l.State, inviteOpen), ui.CleanLine(i.Role), fmt.Sprintf("%d/%d", i.Uses, i.MaxUses),
			a.when(time.Unix(i.ExpiresAt, 0)), a.usual(kind, "short, long"), ui.CleanLine(i.InvitedBy),
		})
	}
	switch {
	case a.out.JSON:
		return a.out.Answer(answer)
	case len(rows) == 0:
		a.out.Say("no invites are out; claudemesh invite makes one")
		return nil
	}
	return a.table([]string{"ID", "STATE", "ROLE", "USED", "GOOD UNTIL", "LINKS", "BY"}, rows)
}

// inviteID is shortened for people only.
func (a *app) inviteID(id string) string {
	if a.out.Terminal() {
		return short(ui.CleanLine(id))
	}
	return ui.CleanLine(id)
}

func newInviteRevoke(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Take an invite back",
		Long: "Take an invite back: nobody joins by it any more. Who has joined already stays; claudemesh member revoke.\n" +
			"ID is the first characters of what claudemesh invite list shows.",
		Example: "  claudemesh invite revoke 4XyQ",
		Args:    exactly("ID"),
		RunE:    func(c *cobra.Command, args []string) error { return a.inviteRevoke(c.Context(), args[0]) },
	}
}

type revokedAnswer struct {
	InviteID string `json:"inviteId"`
}

func (a *app) inviteRevoke(ctx context.Context, typed string) error {
	mesh, err := a.administer()
	if err != nil {
		return err
	}
	found, err := mesh.Invites(ctx)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(i wire.MeshInvite) bool { return !strings.HasPrefix(i.InviteID, typed) })
	found = narrowed(found, func(i wire.MeshInvite) bool { return inviteState(i, time.Now()) == inviteOpen })
	switch {
	case typed == "" || len(found) == 0:
		return ui.Failf("no invite begins with %q", typed).Hinted("claudemesh invite list shows all that are out")
	case len(found) > 1:
		return ui.Failf("%d invites begin with %q", len(found), typed).Hinted("give more of the id")
	}
	if err := mesh.RevokeInvite(ctx, found[0].InviteID); err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(revokedAnswer{found[0].InviteID})
	}
	o := found[0]
	a.out.Say("nobody joins by %s any more; %d %s", short(o.InviteID), o.Uses, plural(o.Uses, "has joined by it", "have joined by it"))
	return nil
}
