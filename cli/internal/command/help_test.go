package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

// TestHelpFitsAnOrdinaryTerminal looks at the help of every command, as wide as
// it is where a terminal does not tell.
func TestHelpFitsAnOrdinaryTerminal(t *testing.T) {
	t.Parallel()
	a := &app{env: Env{Getenv: func(string) string { return "" }, Dir: "/somewhere"}}
	a.out = ui.New(new(bytes.Buffer), new(bytes.Buffer), a.env.Getenv)
	if seen := fits(t, newRoot(a)); seen < 50 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

func fits(t *testing.T, c *cobra.Command) (seen int) {
	t.Helper()
	var help bytes.Buffer
	c.SetOut(&help)
	c.InitDefaultHelpFlag()
	if err := c.Help(); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(help.String()) {
		if line = strings.TrimSuffix(line, "\n"); ui.Width(line) > plainWidth {
			t.Errorf("%s: %d columns: %s", c.CommandPath(), ui.Width(line), line)
		}
	}
	for _, sub := range c.Commands() {
		seen += fits(t, sub)
	}
	return seen + 1
}
