package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func newMesh(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "mesh",
		Short: "Show, change, keep and end meshes",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newMeshList(a), newMeshSettings(a), newMeshArchive(a), newMeshBackup(a), newMeshRestore(a))
	return c
}

func newMeshList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show what brokers say of the meshes you have joined",
		Long: "Show what brokers say of the meshes you have joined: what you are there, since when, and whether you are\n" +
			"still let in. claudemesh list shows what is on this machine, without asking anybody.",
		Example: "  claudemesh mesh list --json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.meshList(c.Context()) },
	}
}

type meshListAnswer struct {
	Meshes []meshStanding `json:"meshes"`
}

// meshStanding is how we stand with a mesh.
type meshStanding struct {
	Slug      string     `json:"slug"` // ours for it
	MeshID    string     `json:"meshId"`
	Name      string     `json:"name"`
	Role      string     `json:"role,omitempty"`
	IsOwner   bool       `json:"isOwner"`
	JoinedAt  *wire.Time `json:"joinedAt,omitempty"`
	State     string     `json:"state"` // of standings
	BrokerURL string     `json:"brokerUrl"`
}

// How we stand with a mesh.
const (
	standsMember = "member"
	standsBanned = "banned"
	standsGone   = "gone" // archived, or never known there
	standsAway   = "broker away"
)

// askedAtOnce bounds how many brokers are asked at the same time.
const askedAtOnce = 8

func (a *app) meshList(ctx context.Context) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	config, err := store.Load()
	if err != nil {
		return err
	}
	answer := meshListAnswer{Meshes: make([]meshStanding, len(config.Meshes))}
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	for i, m := range config.Meshes {
		g.Go(func() (err error) {
			answer.Meshes[i], err = a.standing(ctx, m)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(answer)
	}
	if len(answer.Meshes) == 0 {
		a.out.Say("no mesh joined yet; claudemesh join LINK, or claudemesh create NAME")
		return nil
	}
	var rows [][]string
	for _, s := range answer.Meshes {
		joined := ""
		if s.JoinedAt != nil {
			joined = a.when(s.JoinedAt.Time)
		}
		you := s.Role
		if s.IsOwner {
			you = strings.TrimPrefix(you+", owner", ", ")
		}
		rows = append(rows, []string{
			ui.CleanLine(s.Slug), ui.CleanLine(s.Name), s.State, ui.CleanLine(you), joined, ui.CleanLine(s.BrokerURL),
		})
	}
	return a.table([]string{"SLUG", "NAME", "STATE", "YOU ARE", "JOINED", "BROKER"}, rows)
}

// standing asks the mesh's broker. That it does not answer is an answer too;
// only damaged keys are a failure.
func (a *app) standing(ctx context.Context, m identity.Mesh) (meshStanding, error) {
	s := meshStanding{Slug: m.Slug, MeshID: m.MeshID, Name: m.Name, BrokerURL: m.BrokerURL, IsOwner: m.OwnerSecretKey != ""}
	key, err := m.MemberKey()
	if err != nil {
		return s, err
	}
	client := a.client(m.BrokerURL, key)
	mine, err := client.Meshes(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
		s.State = standsAway
		return s, nil
	}
	if i := slices.IndexFunc(mine, func(o wire.MeshOfMine) bool { return o.MeshID == m.MeshID }); i >= 0 {
		s.State, s.Name, s.Role, s.JoinedAt = standsMember, mine[i].Name, mine[i].Role, mine[i].JoinedAt
		return s, nil
	}
	// The list leaves out whoever is shut out; the mesh itself says why.
	mesh := a.over(&membership{mesh: m}, key)
	_, err = mesh.Get(ctx)
	var refused *peer.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Code == wire.CodeRevoked:
		s.State = standsBanned
	case errors.Is(err, peer.ErrUnreachable):
		s.State = standsAway
	default:
		s.State = standsGone
	}
	return s, nil
}

type archiveOptions struct {
	*app
	yes bool
}

func newMeshArchive(a *app) *cobra.Command {
	o := &archiveOptions{app: a}
	c := &cobra.Command{
		Use:   "archive [SLUG]",
		Short: "End a mesh you own, for everybody and for good",
		Long: "End a mesh you own, for everybody and for good: all connections are closed, nobody is let in any more, and\n" +
			"what waits is never delivered. Your keys stay on this machine; claudemesh leave forgets them.",
		Example:           "  claudemesh mesh archive demo",
		Args:              atMost("SLUG"),
		ValidArgsFunction: a.completeSlug,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.mesh = args[0]
			}
			return o.run(c.Context())
		},
	}
	addYesFlag(c, &o.yes)
	return c
}

type archiveAnswer struct {
	Slug   string `json:"slug"`
	MeshID string `json:"meshId"`
}

func (o *archiveOptions) run(ctx context.Context) error {
	mesh, err := o.asOwner()
	if err != nil {
		return err
	}
	slug := mesh.m.mesh.Slug
	if err := o.confirm(ctx, slug); err != nil {
		return err
	}
	if err := mesh.Archive(ctx); err != nil {
		return err
	}
	o.out.Say("%s is archived: nobody is let in any more; claudemesh leave %s forgets its keys here", slug, slug)
	if o.out.JSON {
		return o.out.Answer(archiveAnswer{Slug: slug, MeshID: mesh.ID})
	}
	return nil
}

// confirm has the person type the name, because nothing brings a mesh back.
func (o *archiveOptions) confirm(ctx context.Context, slug string) error {
	if o.yes {
		return nil
	}
	if !o.interactive() {
		return ui.Usagef("archiving %s ends it for everybody and for good; nobody is here to be asked", slug).
			Hinted("claudemesh mesh archive %s --yes; a copy of its registry first: claudemesh mesh backup", slug)
	}
	o.out.Say("this ends %s for everybody and for good; nothing brings it back", slug)
	typed, err := o.askLine(ctx, "type "+slug+" to archive it: ")
	if err != nil {
		return err
	}
	if typed != slug {
		return ui.Failf("that is not %s; nothing was changed", slug)
	}
	return nil
}
