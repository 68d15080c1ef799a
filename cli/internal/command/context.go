package command

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

type contextOptions struct {
	sharing
	context share.Context
}

func newContext(a *app) *cobra.Command {
	o := &contextOptions{sharing: sharing{app: a}}
	c := &cobra.Command{
		Use:   "context",
		Short: "Share what you found out, and read what others did",
		Long: "Share what you found out, and read what others did. Each member has one context; sharing again replaces it.\n" +
			"It is sealed for the members of the mesh.",
		Example: "  claudemesh context share \"The bug is in the parser\" --file auth/cookie.go\n" +
			"  claudemesh context get login",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	set := o.sub(&cobra.Command{
		Use: "share SUMMARY", Short: "Replace your context", Args: exactly("SUMMARY"),
		Long: "Replace your context. - reads the summary from standard input.",
		RunE: func(c *cobra.Command, args []string) error { return o.share(c.Context(), args[0]) },
	}, true)
	set.Flags().StringArrayVar(&o.context.Files, "file", nil, "a `PATH` that you read (may be repeated)")
	set.Flags().StringArrayVar(&o.context.Findings, "finding", nil, "a `FACT` that others should know (may be repeated)")
	set.Flags().StringSliceVar(&o.context.Tags, "tag", nil, "a `WORD` to find it by (may be repeated)")
	c.AddCommand(
		set,
		o.sub(&cobra.Command{
			Use: "get [QUERY]", Short: "Search contexts and show them whole", Args: atMost("QUERY"),
			RunE: func(c *cobra.Command, args []string) error { return o.get(c.Context(), strings.Join(args, "")) },
		}, false),
		o.sub(&cobra.Command{
			Use: "list", Short: "Show everybody's context in a line", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error { return o.list(c.Context()) },
		}, false),
	)
	return c
}

func (o *contextOptions) share(ctx context.Context, typed string) error {
	var err error
	if o.context.Summary, err = o.typed(typed); err != nil {
		return err
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		if err := m.ShareContext(ctx, o.context); err != nil {
			return err
		}
		return o.wrote(m, map[string]any{"ok": true, "sealed": !m.Clear})
	})
}

func (o *contextOptions) get(ctx context.Context, query string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		found, err := m.FindContexts(ctx, query, usualFinds)
		if err != nil {
			return err
		}
		switch {
		case o.out.JSON:
			return o.out.Answer(map[string]any{"contexts": found})
		case len(found) == 0:
			o.out.Say("nobody has shared anything of that")
			return nil
		case !o.out.Terminal():
			return o.out.Table(nil, contextRows(o.app, found))
		}
		for i := range found {
			if err := o.show(&found[i], i == 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// show prints a context whole.
func (o *contextOptions) show(c *share.Context, first bool) error {
	head := o.out.Bold(ui.CleanLine(c.By)) + "  " + o.out.Dim(o.when(c.At))
	if word := clearWord(c.Origin); word != "" {
		head += "  in clear"
	}
	lines := []string{head, "  " + indent2(shownText(c.Summary, c.Origin))}
	for _, list := range []struct {
		name  string
		items []string
	}{{"files", c.Files}, {"found", c.Findings}, {"tags", c.Tags}} {
		for _, item := range list.items {
			lines = append(lines, "  "+o.out.Dim(list.name)+"  "+indent2(ui.Clean(item)))
		}
	}
	if !first {
		lines = append([]string{""}, lines...)
	}
	return o.out.Text(strings.Join(lines, "\n") + "\n")
}

func indent2(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

func (o *contextOptions) list(ctx context.Context) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		all, err := m.Contexts(ctx)
		if err != nil {
			return err
		}
		if o.out.JSON {
			return o.out.Answer(map[string]any{"contexts": all})
		}
		return o.listed([]string{"BY", "WHEN", "TAGS", "CLEAR", "SUMMARY"}, contextRows(o.app, all), "nobody has shared a context")
	})
}

func contextRows(a *app, all []share.Context) [][]string {
	var rows [][]string
	for i := range all {
		c := &all[i]
		rows = append(rows, []string{
			ui.CleanLine(c.By), a.when(c.At), ui.CleanLine(strings.Join(c.Tags, ", ")), clearWord(c.Origin), shown(c.Summary, c.Origin),
		})
	}
	return rows
}
