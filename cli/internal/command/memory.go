package command

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

const (
	usualFinds = 20
	mostFinds  = 2000 // as much as a mesh keeps
)

type memoryOptions struct {
	sharing
	tags  []string
	limit int
}

func newRemember(a *app) *cobra.Command {
	o := &memoryOptions{sharing: sharing{app: a}}
	c := o.sub(&cobra.Command{
		Use:   "remember TEXT",
		Short: "Have the mesh remember a text",
		Long: "Have the mesh remember a text, for everybody who asks later. It is sealed for the members of the mesh, tags\n" +
			"included. - reads it from standard input. Prints the id, for forget.",
		Example: "  claudemesh remember --tag deploy \"Staging is restored from prod on Mondays\"",
		Args:    exactly("TEXT"),
		RunE:    func(c *cobra.Command, args []string) error { return o.remember(c.Context(), args[0]) },
	}, true)
	c.Flags().StringSliceVar(&o.tags, "tag", nil, "a `WORD` to find it by (may be repeated)")
	return c
}

func newRecall(a *app) *cobra.Command {
	o := &memoryOptions{sharing: sharing{app: a}}
	c := o.sub(&cobra.Command{
		Use:   "recall [QUERY]",
		Short: "Search what the mesh remembers",
		Long: "Search what the mesh remembers, best first: by English words and their forms. Without QUERY, the newest.\n\n" +
			"The search happens here: the broker cannot read what is sealed.",
		Example: "  claudemesh recall \"restoring staging\"",
		Args:    atMost("QUERY"),
		RunE: func(c *cobra.Command, args []string) error {
			return o.recall(c.Context(), strings.Join(args, ""))
		},
	}, false)
	c.Flags().IntVar(&o.limit, "limit", usualFinds, "show at most `N`")
	return c
}

func newForget(a *app) *cobra.Command {
	o := &memoryOptions{sharing: sharing{app: a}}
	return o.sub(&cobra.Command{
		Use:     "forget ID",
		Short:   "Have the mesh forget a text",
		Long:    "Have the mesh forget a text. ID is the one that remember and recall print, or its first 4 characters or more.",
		Example: "  claudemesh forget 3kPz",
		Args:    exactly("ID"),
		RunE:    func(c *cobra.Command, args []string) error { return o.forget(c.Context(), args[0]) },
	}, false)
}

func (o *memoryOptions) remember(ctx context.Context, typed string) error {
	text, err := o.typed(typed)
	if err != nil {
		return err
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		id, err := m.Remember(ctx, text, o.tags)
		if err != nil {
			return err
		}
		return o.wrote(m, map[string]any{"id": id, "sealed": !m.Clear}, id)
	})
}

func (o *memoryOptions) recall(ctx context.Context, query string) error {
	if o.limit < 1 || o.limit > mostFinds {
		return ui.Usagef("--limit is from 1 to %d", mostFinds).Hinted("claudemesh recall QUERY --limit %d", usualFinds)
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		found, err := m.Recall(ctx, query, o.limit)
		if err != nil {
			return err
		}
		switch {
		case o.out.JSON:
			return o.out.Answer(map[string]any{"memories": found})
		case o.out.Terminal() && len(found) > 0:
			return o.out.Text(o.pages(found))
		}
		var rows [][]string
		for i := range found {
			f := &found[i]
			rows = append(rows, []string{
				o.brief(f.ID), ui.CleanLine(f.By), o.when(f.At), ui.CleanLine(strings.Join(f.Tags, ", ")),
				clearWord(f.Origin), shown(f.Content, f.Origin),
			})
		}
		return o.listed([]string{"ID", "BY", "WHEN", "TAGS", "CLEAR", "TEXT"}, rows, "the mesh remembers nothing of that")
	})
}

// pages shows memories whole: who searches wants to read.
func (o *memoryOptions) pages(found []share.Memory) string {
	var pages []string
	for i := range found {
		f := &found[i]
		head := o.out.Bold(o.brief(f.ID)) + "  " + ui.CleanLine(f.By) + "  " + o.out.Dim(o.when(f.At))
		if len(f.Tags) > 0 {
			head += "  " + o.out.Dim(ui.CleanLine(strings.Join(f.Tags, ", ")))
		}
		if !f.Sealed {
			head += "  in clear"
		}
		pages = append(pages, head+"\n  "+indent2(shownText(f.Content, f.Origin))+"\n")
	}
	return strings.Join(pages, "\n")
}

func (o *memoryOptions) forget(ctx context.Context, typed string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		all, err := m.Memories(ctx)
		if err != nil {
			return err
		}
		var ids []string
		for i := range all {
			ids = append(ids, all[i].ID)
		}
		id, err := byPrefix(typed, ids, "memory", "claudemesh recall")
		if err != nil {
			return err
		}
		if err := m.Forget(ctx, id); err != nil {
			return err
		}
		return o.changed(map[string]any{"ok": true, "id": id})
	})
}
