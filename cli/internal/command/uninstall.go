package command

import (
	"github.com/claudemesh/claudemesh/cli/internal/claudecode"
	"github.com/spf13/cobra"
)

type uninstallOptions struct {
	*app
	dry bool
}

func newUninstall(a *app) *cobra.Command {
	o := &uninstallOptions{app: a}
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Take out what install put in",
		Long: "Take out what install put in: the MCP server in all scopes of this directory, the status hooks and the\n" +
			"shell completion. Everything else in those files stays as it is.\n\n" +
			"Your meshes and keys are not touched: see claudemesh leave.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	c.Flags().BoolVar(&o.dry, "dry-run", false, "show what would be changed, and change nothing")
	return c
}

func (o *uninstallOptions) run() error {
	home, err := o.claudeHome()
	if err != nil {
		return err
	}
	var changes []claudecode.Change
	for _, scope := range []claudecode.Scope{claudecode.ScopeUser, claudecode.ScopeProject, claudecode.ScopeLocal} {
		change, err := home.Unregister(scope, o.env.Dir, o.dry)
		if err != nil {
			return err
		}
		if change.Action != "" {
			changes = append(changes, change)
		}
	}
	hooks, err := home.RemoveHooks(o.dry)
	if err != nil {
		return err
	}
	completion, err := o.removeCompletion(o.dry)
	if err != nil {
		return err
	}
	changes = append(append(changes, hooks...), completion...)
	if len(changes) == 0 {
		o.out.Say("nothing of claudemesh is installed here")
	}
	return o.showChanges(changes, o.dry)
}
