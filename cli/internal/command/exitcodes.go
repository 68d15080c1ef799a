package command

import (
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

type exitCode struct {
	Code    int    `json:"code"`
	Meaning string `json:"meaning"`
}

var exitCodes = []exitCode{
	{ui.ExitOK, "done"},
	{ui.ExitFailed, "failed: the broker, the network or a file did not play along"},
	{ui.ExitUsage, "wrong usage: the command line says something that cannot be"},
	{ui.ExitNotMember, "not a member: no mesh joined, or not admitted to it"},
	{ui.ExitAway, "peer away: nobody is there to take it, or there is no room left for it"},
	{ui.ExitKept, "not sent yet: the message waits in the outbox and is sent later"},
}

func newExitCodes(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "Say what the exit codes mean",
		Long: "Say what the exit codes mean.\n\n" +
			"Answers are on stdout; what is said besides, and refusals with their hints, is on stderr. launch exits with\n" +
			"the code of what it starts.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.exitCodes() },
	}
}

func (a *app) exitCodes() error {
	if a.out.JSON {
		return a.out.Answer(map[string]any{"exitCodes": exitCodes})
	}
	var b strings.Builder
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "%d\t%s\n", e.Code, e.Meaning)
	}
	return a.out.Text(b.String())
}
