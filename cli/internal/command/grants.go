package command

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// allCaps are the capabilities in the order in which they are shown.
var allCaps = []wire.Capability{
	wire.CapRead, wire.CapDM, wire.CapBroadcast, wire.CapStateRead, wire.CapStateWrite, wire.CapFileRead,
}

// whatGrants explains them, in the help of each verb about them.
const whatGrants = "What a peer may do to you are capabilities: read, dm, broadcast, state-read, state-write, file-read. Whom you\n" +
	"have said nothing about has the first four. dm lets it send you messages, broadcast lets you get what it sends\n" +
	"to everybody and to groups; brokers act on these two. They hold for all your sessions."

// grantOptions are those of the verbs that change what a peer may do to us.
type grantOptions struct {
	*app
	change func(has, named []wire.Capability) []wire.Capability
}

func newGrant(a *app) *cobra.Command {
	o := &grantOptions{app: a, change: func(has, named []wire.Capability) []wire.Capability { return append(has, named...) }}
	return o.command("grant PEER CAPABILITY...", true, "Let a peer do more to you",
		"Let a peer do more to you: grant dm, for example, lets it send you messages.", "  claudemesh grant bob dm broadcast")
}

func newRevoke(a *app) *cobra.Command {
	o := &grantOptions{app: a, change: func(has, named []wire.Capability) []wire.Capability {
		return slices.DeleteFunc(has, func(c wire.Capability) bool { return slices.Contains(named, c) })
	}}
	return o.command("revoke PEER CAPABILITY...", true, "Let a peer do less to you",
		"Let a peer do less to you: revoke broadcast, for example, spares you what it sends to everybody. (To take a\n"+
			"membership away: claudemesh member revoke.)", "  claudemesh revoke bob broadcast")
}

func newBlock(a *app) *cobra.Command {
	o := &grantOptions{app: a, change: func([]wire.Capability, []wire.Capability) []wire.Capability { return []wire.Capability{} }}
	return o.command("block PEER", false, "Take nothing from a peer any more",
		"Take nothing from a peer any more. It is told when it writes to you; what it sends to everybody is left out for\n"+
			"you. Others get it as before.", "  claudemesh block mallory")
}

func newUnblock(a *app) *cobra.Command {
	o := &grantOptions{app: a, change: func([]wire.Capability, []wire.Capability) []wire.Capability { return nil }}
	return o.command("unblock PEER", false, "Treat a peer like everybody else again",
		"Treat a peer like everybody else again: what you have granted to it and revoked from it is forgotten.",
		"  claudemesh unblock mallory")
}

func (o *grantOptions) command(use string, caps bool, what, long, example string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: what, Long: long + "\n\n" + whatGrants, Example: example,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case !caps:
				return exactly("PEER")(c, args)
			case len(args) < 2:
				return exactly("PEER", "CAPABILITY")(c, args)
			}
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if caps && len(args) > 0 {
				return capNames(), cobra.ShellCompDirectiveNoFileComp
			}
			return o.completeMember(c, args, typed)
		},
		RunE: func(c *cobra.Command, args []string) error {
			named, err := parseCaps(args[1:])
			if err != nil {
				return err
			}
			return o.run(c.Context(), args[0], named)
		},
	}
}

func capNames() []string {
	names := []string{"all"}
	for _, c := range allCaps {
		names = append(names, string(c))
	}
	return names
}

func parseCaps(words []string) ([]wire.Capability, error) {
	var caps []wire.Capability
	for _, word := range words {
		for name := range strings.SplitSeq(word, ",") {
			switch c := wire.Capability(strings.ToLower(strings.TrimSpace(name))); {
			case c == "all":
				caps = append(caps, allCaps...)
			case slices.Contains(allCaps, c):
				caps = append(caps, c)
			default:
				return nil, ui.Usagef("there is no capability %q", name).Hinted("one of %s", strings.Join(capNames(), ", "))
			}
		}
	}
	return caps, nil
}

// granted is what one peer may do to us.
type granted struct {
	Name         string            `json:"name"`
	Pubkey       string            `json:"pubkey"`
	Capabilities []wire.Capability `json:"capabilities"`
	Usual        bool              `json:"usual"` // nothing was said about it
}

func grantedTo(name, key string, grants wire.Grants) granted {
	g := granted{Name: name, Pubkey: key, Capabilities: []wire.Capability{}}
	_, said := grants[key]
	g.Usual = !said
	for _, c := range allCaps {
		if grants.Allows(key, "", c) {
			g.Capabilities = append(g.Capabilities, c)
		}
	}
	return g
}

func (o *grantOptions) run(ctx context.Context, typed string, named []wire.Capability) error {
	mesh, err := o.asMember()
	if err != nil {
		return err
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	peer, err := all.member(typed, false)
	if err != nil {
		return err
	}
	if peer.Pubkey == all.self {
		return ui.Usagef("%s is you", typed).Hinted("claudemesh member list shows the others")
	}
	grants, err := mesh.Grants(ctx)
	if err != nil {
		return err
	}
	caps := o.change(grantedTo("", peer.Pubkey, grants).Capabilities, named)
	if caps != nil {
		caps = ordered(caps)
	}
	if grants, err = mesh.SetGrants(ctx, wire.Grants{peer.Pubkey: caps}); err != nil {
		return err
	}
	now := grantedTo(peer.DisplayName, peer.Pubkey, grants)
	if o.out.JSON {
		return o.out.Answer(now)
	}
	o.out.Say("%s", sentence(now))
	return nil
}

// ordered removes repetitions.
func ordered(caps []wire.Capability) []wire.Capability {
	out := []wire.Capability{}
	for _, c := range allCaps {
		if slices.Contains(caps, c) {
			out = append(out, c)
		}
	}
	return out
}

func sentence(g granted) string {
	name := ui.CleanLine(g.Name)
	switch {
	case g.Usual:
		return name + " may do to you what everybody may: " + capList(g.Capabilities)
	case len(g.Capabilities) == 0:
		return name + " is blocked; claudemesh unblock " + name + " takes that back"
	}
	return name + " may: " + capList(g.Capabilities)
}

func capList(caps []wire.Capability) string {
	words := make([]string, len(caps))
	for i, c := range caps {
		words[i] = string(c)
	}
	return strings.Join(words, " ")
}

func newGrants(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "grants",
		Short:   "Show what you let peers do that is not the usual",
		Long:    "Show whom you have granted more, or less, than everybody has.\n\n" + whatGrants,
		Example: "  claudemesh grants",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.grants(c.Context()) },
	}
}

type grantsAnswer struct {
	Grants []granted `json:"grants"`
}

func (a *app) grants(ctx context.Context) error {
	mesh, err := a.asMember()
	if err != nil {
		return err
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	grants, err := mesh.Grants(ctx)
	if err != nil {
		return err
	}
	answer := grantsAnswer{Grants: []granted{}}
	var rows [][]string
	for _, key := range slices.Sorted(maps.Keys(grants)) {
		g := grantedTo(all.name(key), key, grants)
		answer.Grants = append(answer.Grants, g)
		may := capList(g.Capabilities)
		if may == "" && a.out.Terminal() {
			may = "nothing: blocked"
		}
		rows = append(rows, []string{ui.CleanLine(g.Name), a.key(key), may})
	}
	switch {
	case a.out.JSON:
		return a.out.Answer(answer)
	case len(rows) == 0:
		a.out.Say("everybody may do the usual: read dm broadcast state-read")
		return nil
	}
	return a.table([]string{"NAME", "KEY", "MAY"}, rows)
}
