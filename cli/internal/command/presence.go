package command

import (
	"context"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newSummary(a *app) *cobra.Command {
	var session string
	c := &cobra.Command{
		Use:   "summary TEXT",
		Short: "Say what this directory's session works on",
		Args:  exactly("TEXT"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args[0]) > wire.MaxSummary {
				return ui.Usagef("a summary holds at most %d bytes", wire.MaxSummary).Hinted("say it shorter")
			}
			return a.tell(c.Context(), session, opSummary, args[0])
		},
	}
	addSessionFlag(c, &session)
	return c
}

func newStatus(a *app) *cobra.Command {
	var session string
	c := &cobra.Command{
		Use:   "status idle|working|dnd",
		Short: "Say whether this directory's session is busy",
		Long: "Say whether this directory's session is busy. One that is working or not to be disturbed (dnd) gets\n" +
			"urgent messages only; the others wait until it is idle.",
		Args:      exactly("idle, working or dnd"),
		ValidArgs: []string{string(wire.StatusIdle), string(wire.StatusWorking), string(wire.StatusDND)},
		RunE: func(c *cobra.Command, args []string) error {
			status := wire.Status(args[0])
			if !status.Valid() {
				return ui.Usagef("there is no status %q", args[0]).Hinted("claudemesh status idle, working or dnd")
			}
			return a.tell(c.Context(), session, opStatus, status)
		},
	}
	addSessionFlag(c, &session)
	return c
}

// tell has the session of this directory do something: the presence is its.
func (a *app) tell(ctx context.Context, session, op string, args any) error {
	m, err := a.chosen()
	if err != nil {
		return err
	}
	if err := a.ask(ctx, m, session, op, args, nil); err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(map[string]bool{"ok": true})
	}
	return nil
}
