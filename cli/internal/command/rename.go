package command

import (
	"errors"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newRename(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rename SLUG NEW",
		Short: "Give a mesh another name on this machine",
		Long: "Give a mesh another name on this machine: the one for --mesh. Others do not see it. The sessions' keys go\n" +
			"with it, so none of its listeners may be running.",
		Args:              exactly("SLUG", "NEW"),
		ValidArgsFunction: a.completeSlug,
		RunE:              func(_ *cobra.Command, args []string) error { return a.rename(args[0], args[1]) },
	}
}

func (a *app) rename(from, to string) error {
	if wire.Slug(to) != to || to == "" {
		f := ui.Usagef("%q cannot be a mesh's name here", to)
		if better := wire.Slug(to); better != "" {
			return f.Hinted("claudemesh rename %s %s", from, better)
		}
		return f.Hinted("it is made of a-z, 0-9 and -")
	}
	a.mesh = from
	m, err := a.chosen()
	if err != nil {
		return err
	}
	if m.mesh.Slug == to {
		a.out.Say("%s is called that already", to)
		return a.answer(m.mesh)
	}
	switch err := m.store.Rename(m.mesh.Slug, to); {
	case errors.Is(err, identity.ErrTaken):
		return ui.Failf("another mesh is called %s already", to).Hinted("claudemesh list shows all")
	case errors.Is(err, identity.ErrHeld):
		return ui.Failf("a session of %s is running", m.mesh.Slug).Hinted("end its listener, or its Claude Code, first")
	case err != nil:
		return err
	}
	a.out.Say("%s is called %s now", m.mesh.Slug, to)
	m.mesh.Slug = to
	return a.answer(m.mesh)
}

// completeSlug offers the slugs of joined meshes to a shell.
func (a *app) completeSlug(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	store, err := a.store()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	config, err := store.Load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var slugs []string
	for _, m := range config.Meshes {
		slugs = append(slugs, m.Slug)
	}
	return slugs, cobra.ShellCompDirectiveNoFileComp
}
