package command

import (
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show the meshes you have joined",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return a.list() },
	}
}

type listAnswer struct {
	Meshes []listedMesh `json:"meshes"`
}

type listedMesh struct {
	membershipAnswer
	Name   string         `json:"name"`
	Owner  bool           `json:"owner"`  // we hold the owner's key
	Keyed  bool           `json:"keyed"`  // we hold the root key
	Groups wire.GroupMode `json:"groups"` // how groups are written to
}

func (a *app) list() error {
	store, err := a.store()
	if err != nil {
		return err
	}
	config, err := store.Load()
	if err != nil {
		return err
	}
	answer := listAnswer{Meshes: []listedMesh{}}
	var rows [][]string
	for _, m := range config.Meshes {
		l := listedMesh{
			membershipAnswer: membershipAnswer{
				MeshID: m.MeshID, Slug: m.Slug, MemberID: m.MemberID, Pubkey: m.PublicKey, BrokerURL: m.BrokerURL,
			},
			Name: m.Name, Owner: m.OwnerSecretKey != "", Keyed: m.RootKey != "", Groups: m.GroupMode(),
		}
		answer.Meshes = append(answer.Meshes, l)
		groups := string(l.Groups)
		if !l.Keyed && l.Groups == wire.GroupSealed {
			groups = "no key"
		}
		rows = append(rows, []string{
			ui.CleanLine(m.Slug), ui.CleanLine(m.Name), role(l.Owner), groups, a.key(m.PublicKey), ui.CleanLine(m.BrokerURL),
		})
	}
	switch {
	case a.out.JSON:
		return a.out.Answer(answer)
	case len(rows) == 0:
		a.out.Say("no mesh joined yet; claudemesh join LINK, or claudemesh create NAME")
		return nil
	}
	return a.out.Table([]string{"SLUG", "NAME", "YOU ARE", "GROUPS", "KEY", "BROKER"}, rows)
}

func role(owner bool) string {
	if owner {
		return "owner"
	}
	return "member"
}
