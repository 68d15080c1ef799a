package command

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type verifyOptions struct {
	*app
	typed string
	ok    bool
}

func newVerify(a *app) *cobra.Command {
	o := &verifyOptions{app: a}
	c := &cobra.Command{
		Use:   "verify [PEER]",
		Short: "Show the safety number that you share with a peer",
		Long: "Show the safety number that you share with a peer; without PEER, with everybody.\n\n" +
			"It is made of both members' keys, and both of you see the same digits. Compare them over a way that is\n" +
			"not this mesh: in person, or by voice. If they differ, somebody stands between you. PEER is a name, or the\n" +
			"first digits of a key. With --ok you note down that you have compared.",
		Args: atMost("PEER"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.typed = args[0]
			} else if o.ok {
				return ui.Usagef("PEER is missing").Hinted("claudemesh verify PEER --ok")
			}
			return o.run(c.Context())
		},
	}
	c.Flags().BoolVar(&o.ok, "ok", false, "note that the digits are the same on both sides")
	return c
}

type verifyAnswer struct {
	Peers []safety `json:"peers"`
}

// safety is what binds us to another member.
type safety struct {
	Name     string `json:"name"`
	Pubkey   string `json:"pubkey"` // the member's
	Number   string `json:"safetyNumber"`
	Verified bool   `json:"verified"`
}

func (o *verifyOptions) run(ctx context.Context) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	var others []wire.MemberInfo
	err = m.once(ctx, o.env.Dir, func(ctx context.Context, c *peer.Client) error {
		others, err = otherMembers(ctx, c, m.mesh.PublicKey)
		if err == nil && o.typed != "" {
			others, err = chosenMembers(ctx, c, others, m.mesh.PublicKey, o.typed)
		}
		return err
	})
	if err != nil {
		return err
	}
	answer := verifyAnswer{Peers: []safety{}}
	for _, other := range others {
		number, err := wire.SafetyNumber(m.mesh.PublicKey, other.Pubkey)
		if err != nil {
			return ui.Failf("the broker's list of members is not what was expected").Hinted("is %s a claudemesh broker?", m.mesh.BrokerURL)
		}
		answer.Peers = append(answer.Peers, safety{
			Name: other.DisplayName, Pubkey: other.Pubkey, Number: number,
			Verified: o.ok || slices.Contains(m.mesh.Verified, other.Pubkey),
		})
	}
	if o.ok {
		if err := m.noteVerified(answer.Peers); err != nil {
			return err
		}
	}
	return o.answer(answer)
}

// noteVerified keeps in the config whose number was compared.
func (m *membership) noteVerified(all []safety) error {
	return m.store.Update(func(c *identity.Config) error {
		entry := c.Joined(m.mesh.MeshID)
		if entry == nil {
			return identity.ErrNoMesh
		}
		for _, s := range all {
			if !slices.Contains(entry.Verified, s.Pubkey) {
				entry.Verified = append(entry.Verified, s.Pubkey)
			}
		}
		return nil
	})
}

func (o *verifyOptions) answer(answer verifyAnswer) error {
	switch {
	case o.out.JSON:
		return o.out.Answer(answer)
	case len(answer.Peers) == 0:
		o.out.Say("you are the only member")
		return nil
	case o.typed != "" && o.out.Terminal():
		return o.card(answer.Peers[0])
	}
	var rows [][]string
	for _, s := range answer.Peers {
		rows = append(rows, []string{ui.CleanLine(s.Name), s.Number, compared(s.Verified), o.key(s.Pubkey)})
	}
	return o.out.Table([]string{"NAME", "SAFETY NUMBER", "COMPARED", "MEMBER KEY"}, rows)
}

func compared(verified bool) string {
	if verified {
		return "yes"
	}
	return "no"
}

// card shows one number large enough to be compared.
func (o *verifyOptions) card(s safety) error {
	code, err := o.out.QR(s.Number)
	if err != nil {
		return err
	}
	if err := o.out.Text("\n  " + o.out.Bold(s.Number) + "\n\n" + code + "\n"); err != nil {
		return err
	}
	name := ui.CleanLine(s.Name)
	if s.Verified {
		o.out.Say("you have compared this with %s", name)
	} else {
		o.out.Say("%s sees the same digits, or somebody stands between you; once compared: claudemesh verify %s --ok", name, name)
	}
	return nil
}

// otherMembers returns everybody but us, by name. An older broker lists only
// who is here.
func otherMembers(ctx context.Context, c directory, self string) ([]wire.MemberInfo, error) {
	members, err := listMembers(ctx, c)
	if err != nil {
		return nil, err
	}
	if members == nil {
		peers, err := c.ListPeers(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range peers {
			members = append(members, wire.MemberInfo{Pubkey: p.MemberPubkey, DisplayName: p.DisplayName})
		}
	}
	members = slices.DeleteFunc(members, func(m wire.MemberInfo) bool { return m.Pubkey == self })
	slices.SortFunc(members, func(a, b wire.MemberInfo) int {
		return cmp.Or(strings.Compare(a.DisplayName, b.DisplayName), strings.Compare(a.Pubkey, b.Pubkey))
	})
	return slices.CompactFunc(members, func(a, b wire.MemberInfo) bool { return a.Pubkey == b.Pubkey }), nil
}

// chosenMembers returns the member whom a name or a key means, be it the
// member's own or that of a session: a safety number is always the members'.
func chosenMembers(ctx context.Context, c directory, members []wire.MemberInfo, self, typed string) ([]wire.MemberInfo, error) {
	if strings.HasPrefix(typed, "@") || typed == "*" {
		return nil, ui.Usagef("a safety number is shared with one peer, not with a group").Hinted("claudemesh verify shows all")
	}
	r, err := resolve(ctx, c, self, typed)
	if err != nil {
		return nil, err
	}
	peers, err := c.ListPeers(ctx)
	if err != nil {
		return nil, err
	}
	key := r.key
	for _, p := range peers {
		if p.Pubkey == key {
			key = p.MemberPubkey
		}
	}
	if key == self {
		return nil, ui.Usagef("%s is you", typed).Hinted("claudemesh verify shows all others")
	}
	for _, m := range members {
		if m.Pubkey == key {
			return []wire.MemberInfo{m}, nil
		}
	}
	return nil, ui.Failf("nobody in the mesh has that key").Hinted("claudemesh verify shows all members").Coded(ui.ExitAway)
}
