package command

import (
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

const (
	plainWidth  = 80  // of help where the terminal does not tell
	widestLines = 100 // longer ones are hard to read
)

// chapters part the verbs as a newcomer meets them.
var chapters = []struct{ id, title, verbs string }{
	{"begin", "Begin:", "create join invite install launch"},
	{"talk", "Talk:", "peers groups send inbox listen mcp summary status outbox message-status top"},
	{"share", "Share:", "state remember recall forget context task skill vault info topic notifications stream schedule " +
		"remind watch clock webhook apikey file tools"},
	{"mesh", "Your meshes:", "list verify grant revoke block unblock grants rename leave backup restore"},
	{"rule", "Run a mesh:", "mesh member kick disconnect ban unban bans queue audit fleet"},
	{"program", "This program:", "doctor uninstall completion exit-codes help version"},
}

// arrangeHelp parts the verbs into chapters, and fits all help to the terminal.
func arrangeHelp(root *cobra.Command, out *ui.Printer) {
	of := make(map[string]string)
	for _, c := range chapters {
		root.AddGroup(&cobra.Group{ID: c.id, Title: c.title})
		for verb := range strings.FieldsSeq(c.verbs) {
			of[verb] = c.id
		}
	}
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		c.GroupID = of[c.Name()]
		if c.Name() == "completion" {
			c.Args = noArgs // or an unknown shell would be answered with help, and content
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	width := out.Width()
	if width == 0 {
		width = plainWidth
	}
	width = min(width, widestLines)
	wrapHelp(root, width)
	wrapped := ".FlagUsagesWrapped " + strconv.Itoa(width)
	root.SetUsageTemplate(strings.NewReplacer(".FlagUsages", wrapped, "more information about", "more about").Replace(root.UsageTemplate()))
}

// newHelp refuses what there is no help for.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Help about any command",
		Long:              "Help about any command. It is the same as --help behind it.",
		ValidArgsFunction: completeCommand,
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return ui.Usagef("unknown command %q", strings.Join(args, " ")).Hinted("claudemesh --help")
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}

// completeCommand offers the commands below those that are typed already.
func completeCommand(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if of, rest, err := c.Root().Find(args); err == nil && len(rest) == 0 {
		for _, sub := range of.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name()+"\t"+sub.Short)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func wrapHelp(c *cobra.Command, width int) {
	c.Long = ui.Wrap(c.Long, width)
	for _, sub := range c.Commands() {
		wrapHelp(sub, width)
	}
}
