package command

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/spf13/cobra"
)

type stateOptions struct {
	sharing
	text bool
}

func newState(a *app) *cobra.Command {
	o := &stateOptions{sharing: sharing{app: a}}
	c := &cobra.Command{
		Use:   "state",
		Short: "Read and set values that the whole mesh shares",
		Long: "Read and set values that the whole mesh shares. The last one to set a value wins.\n\n" +
			"Values are sealed for the members of the mesh; keys can be read by the broker.",
		Example: "  claudemesh state set deploy/frozen true\n  claudemesh state get deploy/frozen",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	set := o.sub(&cobra.Command{
		Use: "set KEY VALUE", Short: "Set a value", Args: exactly("KEY", "VALUE"),
		Long: "Set a value. What is JSON is taken as such, all else as a text; - reads it from standard input.",
		RunE: func(c *cobra.Command, args []string) error { return o.set(c.Context(), args[0], args[1]) },
	}, true)
	set.Flags().BoolVar(&o.text, "text", false, "take the value as a text, even if it is JSON")
	c.AddCommand(
		set,
		o.sub(&cobra.Command{
			Use: "get KEY", Short: "Show a value", Args: exactly("KEY"),
			Long: "Show a value: a text as it is, all else as JSON.",
			RunE: func(c *cobra.Command, args []string) error { return o.get(c.Context(), args[0]) },
		}, false),
		o.sub(&cobra.Command{
			Use: "list", Short: "Show all values", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error { return o.list(c.Context()) },
		}, false),
		o.sub(&cobra.Command{
			Use: "delete KEY", Short: "Remove a value", Args: exactly("KEY"),
			RunE: func(c *cobra.Command, args []string) error { return o.remove(c.Context(), args[0]) },
		}, false),
		newStateWatch(a),
	)
	return c
}

func (o *stateOptions) set(ctx context.Context, key, typed string) error {
	typed, err := o.typed(typed)
	if err != nil {
		return err
	}
	value := json.RawMessage(typed)
	if o.text || !json.Valid(value) {
		if value, err = json.Marshal(typed); err != nil {
			return err
		}
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		if err := m.SetState(ctx, key, value); err != nil {
			return err
		}
		return o.wrote(m, map[string]any{"ok": true, "key": key, "sealed": !m.Clear})
	})
}

func (o *stateOptions) get(ctx context.Context, key string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		v, ok, err := m.State(ctx, key)
		switch {
		case err != nil:
			return err
		case !ok:
			return ui.Failf("nothing is set under %q", key).Hinted("claudemesh state list shows the keys")
		case o.out.JSON:
			return o.out.Answer(v)
		case v.Problem != "":
			return unreadable("the value", v.Origin)
		}
		o.sayClear(v.Origin)
		return o.out.Text(ui.Clean(words(v.Value)) + "\n")
	})
}

func (o *stateOptions) list(ctx context.Context) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		values, err := m.States(ctx)
		if err != nil {
			return err
		}
		if o.out.JSON {
			return o.out.Answer(map[string]any{"state": values})
		}
		var rows [][]string
		for i := range values {
			v := &values[i]
			rows = append(rows, []string{
				ui.CleanLine(v.Key), ui.CleanLine(v.By), o.when(v.At), clearWord(v.Origin), shown(words(v.Value), v.Origin),
			})
		}
		return o.listed([]string{"KEY", "BY", "WHEN", "CLEAR", "VALUE"}, rows, "no value is set")
	})
}

func (o *stateOptions) remove(ctx context.Context, key string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		was, err := m.DeleteState(ctx, key)
		if err != nil {
			return err
		}
		if !was {
			return ui.Failf("nothing is set under %q", key).Hinted("claudemesh state list shows the keys")
		}
		return o.changed(map[string]any{"ok": true, "key": key})
	})
}

// words is a value as a person reads it: texts without their quotes.
func words(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
