package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newInfo(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.sub(&cobra.Command{
		Use:     "info",
		Short:   "Show the mesh at a glance",
		Long:    "Show the mesh at a glance: who is here, and what it shares.",
		Example: "  claudemesh info --json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.info(c.Context()) },
	}, false)
}

func (o *sharing) info(ctx context.Context) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		i, err := share.Ask[*wire.MeshInfoResult](ctx, m, &wire.MeshInfo{})
		if err != nil {
			return err
		}
		if o.out.JSON {
			return o.out.Answer(i)
		}
		var mine []string
		for _, g := range i.YourGroups {
			mine = append(mine, "@"+g.Name)
		}
		return o.out.Facts([][2]string{
			{"mesh", ui.CleanLine(i.Mesh)},
			{"peers", strconv.Itoa(i.Peers)},
			{"groups", listOf(i.Groups)},
			{"state", listOf(i.StateKeys)},
			{"memories", strconv.Itoa(i.MemoryCount)},
			{"tasks", fmt.Sprintf("%d open, %d claimed, %d done", i.Tasks.Open, i.Tasks.Claimed, i.Tasks.Done)},
			{"streams", listOf(i.Streams)},
			{"you", ui.CleanLine(strings.Join(append([]string{i.YourName}, mine...), " "))},
		})
	})
}

// listOf puts names on one line; a person is spared more than a few.
func listOf(names []string) string {
	const few = 12
	if len(names) == 0 {
		return "none"
	}
	line := ui.CleanLine(strings.Join(names[:min(len(names), few)], ", "))
	if left := len(names) - few; left > 0 {
		line += fmt.Sprintf(" and %d more", left)
	}
	return line
}
