package command

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

type launchOptions struct {
	*app
	name    string
	role    string
	session string
	groups  []string
	args    []string
}

func newLaunch(a *app) *cobra.Command {
	o := &launchOptions{app: a}
	c := &cobra.Command{
		Use:   "launch [flags] [-- ARGUMENT...]",
		Short: "Start Claude Code as a session of a mesh",
		Long: "Start Claude Code as a session of a mesh. What follows -- is passed to it; its exit code is ours.\n\n" +
			"The session is the directory's, so that whoever starts it again is the same peer; --session tells several\n" +
			"of one directory apart. Claude Code has to know claudemesh: claudemesh install.",
		Example: "  claudemesh launch --name api --group backend -- --continue",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if at := c.ArgsLenAtDash(); at > 0 || at < 0 && len(args) > 0 {
				return ui.Usagef("arguments of Claude Code follow --").Hinted("claudemesh launch -- %s", args[0])
			}
			o.args = args
			return o.run()
		},
	}
	addSessionFlag(c, &o.session)
	c.Flags().StringVar(&o.name, "name", "", "the `NAME` that others see (default the member's)")
	c.Flags().StringVar(&o.role, "role", "", "what the session is there for, as others see it: `TITLE`")
	c.Flags().StringSliceVar(&o.groups, "group", nil, "be in this `GROUP`, or GROUP:ROLE (may be repeated; default the member's groups)")
	return c
}

func (o *launchOptions) run() error {
	groups, err := parseGroupList(strings.Join(o.groups, ","))
	if err != nil {
		return err
	}
	m, err := o.chosen()
	if err != nil {
		return err
	}
	program, err := exec.LookPath("claude")
	if err != nil {
		return ui.Failf("there is no claude on the PATH").
			Hinted("install Claude Code: npm install -g @anthropic-ai/claude-code")
	}
	o.tellUnregistered()
	l := launched{
		Mesh: m.mesh.Slug, Session: o.session, Name: ui.CleanLine(o.name), Role: ui.CleanLine(o.role), Groups: groups,
	}
	env := withEnv(os.Environ(), l.environ())
	// Claude Code takes our place: its signals, its terminal and its exit code
	// are nobody else's business.
	err = syscall.Exec(program, append([]string{"claude"}, o.args...), env)
	return ui.Failf("%s cannot be started: %v", program, plainErrno(err))
}

// withEnv returns the environment with other values. Doing it twice would leave
// it to the reader which one counts. An empty value takes the variable away.
func withEnv(env, values []string) []string {
	for _, assignment := range values {
		name, value, _ := strings.Cut(assignment, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if value != "" {
			env = append(env, assignment)
		}
	}
	return env
}

// tellUnregistered says when the session will not be on the mesh.
func (o *launchOptions) tellUnregistered() {
	home, err := o.claudeHome()
	if err != nil {
		return
	}
	if scopes, _, err := home.Registered(o.env.Dir); err == nil && len(scopes) == 0 {
		o.out.Say("Claude Code does not know claudemesh yet, so it will not be on the mesh; claudemesh install changes that")
	}
}

func plainErrno(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
