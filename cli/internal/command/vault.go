package command

import (
	"context"
	"encoding/base64"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type vaultOptions struct {
	sharing
	secret share.Secret
	kind   string
	yes    bool
}

func newVault(a *app) *cobra.Command {
	o := &vaultOptions{sharing: sharing{app: a}}
	c := &cobra.Command{
		Use:   "vault",
		Short: "Keep secrets that only you can read back",
		Long: "Keep secrets that only you can read back, on any machine where you are this member. Values are sealed to your\n" +
			"member key, in every mesh; keys, paths and descriptions can be read by the broker. A value that is shown as\n" +
			"not proven need not be yours: an older client wrote it, or a broker made it up or moved it.",
		Example: "  claudemesh vault set STRIPE_KEY < key.txt\n  claudemesh vault get STRIPE_KEY",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		o.newSet(),
		o.sub(&cobra.Command{
			Use: "get KEY", Short: "Show a secret's value", Args: exactly("KEY"),
			RunE: func(c *cobra.Command, args []string) error { return o.get(c.Context(), args[0]) },
		}, false),
		o.sub(&cobra.Command{
			Use: "list", Short: "Show your secrets, without their values", Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error { return o.list(c.Context()) },
		}, false),
		o.sub(&cobra.Command{
			Use: "delete KEY", Short: "Remove a secret", Args: exactly("KEY"),
			RunE: func(c *cobra.Command, args []string) error { return o.remove(c.Context(), args[0]) },
		}, false),
		o.newClear(),
	)
	return c
}

func (o *vaultOptions) newClear() *cobra.Command {
	c := o.sub(&cobra.Command{
		Use: "clear [MEMBER]", Short: "Drop the secrets of members that were shut out", Args: atMost("MEMBER"),
		Long: "Drop the secrets of a member that was banned or revoked, by its name or key, or of all of those. Nobody else can\n" +
			"read or remove them, and they count against what the mesh may hold. For admins.",
		Example: "  claudemesh vault clear bob",
		RunE:    func(c *cobra.Command, args []string) error { return o.clearVaults(c.Context(), strings.Join(args, "")) },
	}, false)
	addYesFlag(c, &o.yes)
	return c
}

func (o *vaultOptions) newSet() *cobra.Command {
	c := o.sub(&cobra.Command{
		Use: "set KEY", Short: "Keep a secret", Args: exactly("KEY"),
		Long: "Keep a secret, in place of the one of that key. Its value is read from standard input, or asked for: a command\n" +
			"line can be read by others. One line feed at the end does not count.",
		RunE: func(c *cobra.Command, args []string) error { return o.set(c.Context(), args[0]) },
	}, false)
	c.Flags().StringVar(&o.kind, "type", string(wire.VaultEnv), "what it becomes where it is used: `env` or file")
	c.Flags().StringVar(&o.secret.MountPath, "mount", "", "the `PATH` of a file")
	c.Flags().StringVar(&o.secret.Description, "description", "", "what it is for, in a `SENTENCE`; not secret")
	return c
}

func (o *vaultOptions) set(ctx context.Context, key string) error {
	o.secret.Key, o.secret.Type = key, wire.VaultType(o.kind)
	if o.secret.Type != wire.VaultEnv && o.secret.Type != wire.VaultFile {
		return ui.Usagef("there is no type %q", o.kind).Hinted("--type env or file")
	}
	var err error
	if o.secret.Value, err = o.value(ctx); err != nil {
		return err
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		if err := m.SetSecret(ctx, o.secret); err != nil {
			return err
		}
		return o.changed(map[string]any{"ok": true, "key": key, "sealed": true})
	})
}

func (o *vaultOptions) value(ctx context.Context) ([]byte, error) {
	if o.interactive() {
		value, err := o.askSecret(ctx, "value: ")
		return []byte(value), err
	}
	value, err := io.ReadAll(io.LimitReader(o.env.Stdin, wire.MaxVaultValue+1))
	if err != nil {
		return nil, err
	}
	if n := len(value); n > 0 && value[n-1] == '\n' {
		value = value[:n-1]
	}
	if len(value) == 0 {
		return nil, ui.Usagef("the value is empty").Hinted("claudemesh vault set KEY < FILE")
	}
	return value, nil
}

// secretAnswer is a secret with its value, for programs.
type secretAnswer struct {
	share.Secret
	Value       string `json:"value,omitempty"`
	ValueBase64 string `json:"valueBase64,omitempty"` // of what is no text
	Proven      bool   `json:"proven"`
}

func (o *vaultOptions) get(ctx context.Context, key string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		s, ok, err := m.Secret(ctx, key)
		switch {
		case err == nil && !ok:
			return noSecret(key)
		case ok && err != nil:
			return ui.Failf("the secret %q cannot be opened with this member's key", key).
				Hinted("was it written by another key of yours? keep it anew: claudemesh vault set KEY")
		case err != nil:
			return err
		}
		if o.out.JSON {
			a := secretAnswer{Secret: s, Proven: s.Proven}
			if utf8.Valid(s.Value) {
				a.Value = string(s.Value)
			} else {
				a.ValueBase64 = base64.StdEncoding.EncodeToString(s.Value)
			}
			return o.out.Answer(a)
		}
		if !s.Proven {
			o.out.Say("not proven: the broker can have made this up, or moved it here; set it anew to have it proven")
		}
		if o.out.Terminal() {
			return o.out.Text(ui.Clean(string(s.Value)) + "\n")
		}
		return o.out.Text(string(s.Value) + "\n")
	})
}

func noSecret(key string) error {
	return ui.Failf("there is no secret %q", key).Hinted("claudemesh vault list shows those there are")
}

func (o *vaultOptions) list(ctx context.Context) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		secrets, err := m.Secrets(ctx)
		if err != nil {
			return err
		}
		if o.out.JSON {
			return o.out.Answer(map[string]any{"secrets": secrets})
		}
		var rows [][]string
		for i := range secrets {
			s := &secrets[i]
			rows = append(rows, []string{
				ui.CleanLine(s.Key), ui.CleanLine(string(s.Type)), o.when(*s.At), ui.CleanLine(s.MountPath), ui.CleanLine(s.Description),
			})
		}
		return o.listed([]string{"KEY", "TYPE", "WHEN", "MOUNT", "DESCRIPTION"}, rows, "your vault is empty")
	})
}

func (o *vaultOptions) clearVaults(ctx context.Context, member string) error {
	whose := "all members that were shut out"
	if member != "" {
		whose = ui.CleanLine(member)
	}
	if err := o.sure(ctx, o.yes, "this throws the secrets of %s away, which nothing brings back", whose); err != nil {
		return err
	}
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		cleared, err := m.ClearVaults(ctx, member)
		if err != nil {
			return err
		}
		if !cleared {
			o.out.Say("there was nothing to clear")
		}
		return o.changed(map[string]any{"ok": true, "cleared": cleared})
	})
}

func (o *vaultOptions) remove(ctx context.Context, key string) error {
	return o.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		was, err := m.DeleteSecret(ctx, key)
		if err != nil {
			return err
		}
		if !was {
			return noSecret(key)
		}
		return o.changed(map[string]any{"ok": true, "key": key})
	})
}
