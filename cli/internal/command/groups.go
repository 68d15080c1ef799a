package command

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newGroups(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "groups",
		Short: "Show groups, enter and leave them",
		Long: "Show the groups of those who are here. A group is there as long as somebody is in it; * is everybody.\n\n" +
			"A session enters groups as it starts, by --group of listen and launch, or later by join and leave below.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.groups(c.Context()) },
	}
	c.AddCommand(newGroupsJoin(a), newGroupsLeave(a))
	return c
}

func newGroupsJoin(a *app) *cobra.Command {
	var session string
	c := &cobra.Command{
		Use:   "join GROUP[:ROLE]",
		Short: "Have this directory's session enter a group",
		Args:  exactly("GROUP"),
		RunE: func(c *cobra.Command, args []string) error {
			groups, err := parseGroupList(args[0])
			if err != nil {
				return err
			}
			if len(groups) != 1 {
				return ui.Usagef("%q is not the name of one group", args[0]).Hinted("groups are written NAME, or NAME:ROLE")
			}
			return a.tell(c.Context(), session, opJoinGroup, groups[0])
		},
	}
	addSessionFlag(c, &session)
	return c
}

func newGroupsLeave(a *app) *cobra.Command {
	var session string
	c := &cobra.Command{
		Use:   "leave GROUP",
		Short: "Have this directory's session leave a group",
		Args:  exactly("GROUP"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.tell(c.Context(), session, opLeaveGroup, trimAt(args[0]))
		},
	}
	addSessionFlag(c, &session)
	return c
}

func (h *host) joinGroup(ctx context.Context, g wire.Group) error {
	if err := g.Check(); err != nil {
		return err
	}
	return h.client.JoinGroup(ctx, g.Name, g.Role)
}

type groupsAnswer struct {
	Groups []listedGroup `json:"groups"`
}

type listedGroup struct {
	Name  string        `json:"name"`
	Mine  bool          `json:"mine"` // one of our own sessions is in it
	Peers []groupMember `json:"peers"`
}

type groupMember struct {
	Name   string `json:"name"`
	Pubkey string `json:"pubkey"`
	Role   string `json:"role,omitempty"`
}

func (a *app) groups(ctx context.Context) error {
	m, err := a.chosen()
	if err != nil {
		return err
	}
	var peers []wire.PeerInfo
	err = m.once(ctx, a.env.Dir, func(ctx context.Context, c *peer.Client) error {
		peers, err = c.ListPeers(ctx)
		return err
	})
	if err != nil {
		return err
	}
	groups := groupsOf(peers, m.mesh.PublicKey)
	if a.out.JSON {
		return a.out.Answer(groupsAnswer{groups})
	}
	if len(groups) == 0 {
		a.out.Say("nobody here is in a group")
		return nil
	}
	var rows [][]string
	for _, g := range groups {
		mine := ""
		if g.Mine {
			mine = "yes"
		}
		var who []string
		for _, p := range g.Peers {
			who = append(who, titled(p))
		}
		rows = append(rows, []string{"@" + ui.CleanLine(g.Name), strconv.Itoa(len(g.Peers)), mine, strings.Join(who, ", ")})
	}
	return a.out.Table([]string{"GROUP", "PEERS", "YOU", "WHO"}, rows)
}

func titled(p groupMember) string {
	name := ui.CleanLine(p.Name)
	if p.Role != "" {
		name += " (" + ui.CleanLine(p.Role) + ")"
	}
	return name
}

// groupsOf collects the groups that peers are in, by name.
func groupsOf(peers []wire.PeerInfo, self string) []listedGroup {
	found := make(map[string]listedGroup)
	for _, p := range peers {
		for _, g := range p.Groups {
			l := found[g.Name]
			l.Name, l.Mine = g.Name, l.Mine || p.MemberPubkey == self
			l.Peers = append(l.Peers, groupMember{Name: p.DisplayName, Pubkey: p.Pubkey, Role: g.Role})
			found[g.Name] = l
		}
	}
	groups := slices.SortedFunc(maps.Values(found), func(a, b listedGroup) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range groups {
		slices.SortFunc(g.Peers, func(a, b groupMember) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Pubkey, b.Pubkey))
		})
	}
	if groups == nil {
		groups = []listedGroup{}
	}
	return groups
}
