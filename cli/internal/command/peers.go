package command

import (
	"context"
	"errors"
	"slices"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newPeers(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "peers",
		Short: "Show who is here",
		Long: "Show who is here. ✓ marks peers whose safety number you have compared: claudemesh verify PEER. In a pipe the\n" +
			"last column says verified.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.peers(c.Context()) },
	}
}

func (a *app) peers(ctx context.Context) error {
	m, err := a.chosen()
	if err != nil {
		return err
	}
	peers, err := a.listPeers(ctx, m)
	if err != nil {
		return err
	}
	if a.out.JSON {
		listed := []listedPeer{}
		for _, p := range peers {
			listed = append(listed, listedPeer{p, m.verified(p.MemberPubkey)})
		}
		return a.out.Answer(map[string]any{"peers": listed})
	}
	if len(peers) == 0 {
		a.out.Say("nobody is here")
		return nil
	}
	var rows [][]string
	for _, p := range peers {
		summary := ""
		if p.Summary != nil {
			summary = *p.Summary
		}
		name, verified := ui.CleanLine(p.DisplayName), ""
		if m.verified(p.MemberPubkey) {
			verified = "verified"
			if a.out.Terminal() {
				name, verified = name+" ✓", ""
			}
		}
		rows = append(rows, []string{
			name, string(p.Status), p.PeerRole, groupNames(p.Groups), a.key(p.Pubkey), ui.CleanLine(summary), verified,
		})
	}
	return a.table([]string{"NAME", "STATUS", "ROLE", "GROUPS", "KEY", "SUMMARY", ""}, rows)
}

// listedPeer is a peer, and whether its member's safety number was compared.
type listedPeer struct {
	wire.PeerInfo
	Verified bool `json:"verified"`
}

func (m *membership) verified(member string) bool { return slices.Contains(m.mesh.Verified, member) }

// listPeers asks through the session that runs here, else on its own.
func (a *app) listPeers(ctx context.Context, m *membership) ([]wire.PeerInfo, error) {
	var answer peersAnswer
	err := a.ask(ctx, m, "", opPeers, nil, &answer)
	if errors.Is(err, local.ErrNobody) {
		err = m.once(ctx, a.env.Dir, func(ctx context.Context, c *peer.Client) error {
			answer.Peers, err = c.ListPeers(ctx)
			return err
		})
	}
	return answer.Peers, err
}

// key is shortened for people only.
func (a *app) key(key string) string {
	if a.out.Terminal() {
		return short(ui.CleanLine(key))
	}
	return ui.CleanLine(key)
}

func groupNames(groups []wire.Group) string {
	names := ""
	for i, g := range groups {
		if i > 0 {
			names += " "
		}
		names += "@" + ui.CleanLine(g.Name)
	}
	return names
}
