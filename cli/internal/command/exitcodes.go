package command

import "github.com/spf13/cobra"

// newExitCodes is a topic of help, no verb.
func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: "What the exit codes mean:\n\n" +
			"  0  done\n" +
			"  1  failed: the broker, the network or a file did not play along\n" +
			"  2  wrong usage: the command line says something that cannot be\n" +
			"  3  not a member: no mesh joined, or not admitted to it\n" +
			"  4  peer away: nobody is there to take it, or there is no room left for it\n" +
			"  5  not sent yet: the message waits in the outbox and is sent later\n\n" +
			"Answers are on stdout; what is said besides, and refusals with their hints, is on stderr. launch exits with\n" +
			"the code of what it starts.",
	}
}
