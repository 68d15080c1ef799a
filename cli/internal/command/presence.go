package command

import (
	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newSummary(a *app) *cobra.Command {
	var session string
	c := &cobra.Command{
		Use:   "summary TEXT",
		Short: "Say what this directory's listener works on",
		Args:  exactly("TEXT"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args[0]) > wire.MaxSummary {
				return ui.Usagef("a summary holds at most %d bytes", wire.MaxSummary)
			}
			return a.tell(session, controlRequest{Summary: &args[0]})
		},
	}
	addSessionFlag(c, &session)
	return c
}

func newStatus(a *app) *cobra.Command {
	var session string
	c := &cobra.Command{
		Use:   "status idle|working|dnd",
		Short: "Say whether this directory's listener is busy",
		Long: "Say whether this directory's listener is busy. One that is working or not to be disturbed (dnd) gets\n" +
			"urgent messages only; the others wait until it is idle.",
		Args:      exactly("idle, working or dnd"),
		ValidArgs: []string{string(wire.StatusIdle), string(wire.StatusWorking), string(wire.StatusDND)},
		RunE: func(_ *cobra.Command, args []string) error {
			status := wire.Status(args[0])
			if !status.Valid() {
				return ui.Usagef("status %q is none", args[0]).Hinted("claudemesh status idle, working or dnd")
			}
			return a.tell(session, controlRequest{Status: &status})
		},
	}
	addSessionFlag(c, &session)
	return c
}

// tell has the listener of this directory do something: the presence is its.
func (a *app) tell(session string, r controlRequest) error {
	m, err := a.chosen()
	if err != nil {
		return err
	}
	path, err := m.store.SocketPath(m.mesh.Slug, identity.SessionID(a.env.Dir, session))
	if err != nil {
		return err
	}
	if err := tellListener(path, r); err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(controlAnswer{OK: true})
	}
	return nil
}
