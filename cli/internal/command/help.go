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
	{"mesh", "Your meshes:", "list mesh verify rename leave backup restore"},
	{"program", "This program:", "doctor uninstall completion help version"},
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
	root.SetHelpCommandGroupID(of["help"])
	root.SetCompletionCommandGroupID(of["completion"])
	for _, c := range root.Commands() {
		c.GroupID = of[c.Name()]
	}
	width := out.Width()
	if width == 0 {
		width = plainWidth
	}
	width = min(width, widestLines)
	wrapHelp(root, width)
	wrapped := ".FlagUsagesWrapped " + strconv.Itoa(width)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", wrapped))
}

func wrapHelp(c *cobra.Command, width int) {
	c.Long = ui.Wrap(c.Long, width)
	for _, sub := range c.Commands() {
		wrapHelp(sub, width)
	}
}
