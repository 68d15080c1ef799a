package command

import (
	"context"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newAPIKey(a *app) *cobra.Command {
	return family("apikey", "Let programs that speak HTTP take part in topics",
		"Let programs that speak HTTP take part in topics. A key speaks for the member that made it.",
		newAPIKeyCreate(a), newAPIKeyList(a), newAPIKeyRevoke(a))
}

type apiKeyOptions struct {
	sharing
	can     []string
	topics  []string
	expires string
}

func newAPIKeyCreate(a *app) *cobra.Command {
	o := &apiKeyOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "create LABEL", short: "Make a key",
		long: "Make a key. It is printed here and never shown again. What its holder may do is read, send, state_write or\n" +
			"admin.",
		example: "claudemesh apikey create ci --can read,send --topic builds --expires 30d > key",
		args:    exactly("LABEL"),
		run:     func(ctx context.Context, m *share.Mesh, args []string) error { return o.create(ctx, m, args[0]) },
	})
	c.Flags().StringSliceVar(&o.can, "can", []string{string(wire.KeyRead)}, "`WHAT` the key is for: read, send, state_write, admin")
	c.Flags().StringSliceVar(&o.topics, "topic", nil, "the key is for this `TOPIC` only (may be repeated; default all)")
	c.Flags().StringVar(&o.expires, "expires", "", "how `LONG` the key lives, such as 12h or 30d (default until it is revoked)")
	return c
}

type apiKeyAnswer struct {
	ID           string               `json:"id"`
	Secret       string               `json:"secret"`
	Label        string               `json:"label"`
	Prefix       string               `json:"prefix"`
	Capabilities []wire.KeyCapability `json:"capabilities"`
	TopicScopes  []string             `json:"topicScopes"`
	CreatedAt    wire.Time            `json:"createdAt"`
}

func (o *apiKeyOptions) request(label string) (*wire.APIKeyCreate, error) {
	r := &wire.APIKeyCreate{Label: label}
	for _, name := range o.can {
		c := wire.KeyCapability(strings.TrimSpace(name))
		if !c.Valid() {
			return nil, ui.Usagef("there is no %q that a key could be for", name).Hinted("--can read,send,state_write,admin")
		}
		r.Capabilities = append(r.Capabilities, c)
	}
	for _, topic := range o.topics {
		r.TopicScopes = append(r.TopicScopes, share.TopicName(topic))
	}
	if o.expires != "" {
		life, err := parseLong(o.expires)
		if err != nil || life <= 0 {
			return nil, ui.Usagef("--expires %q is no time", o.expires).Hinted("--expires 12h, or 30d")
		}
		r.ExpiresAt = &wire.Expiry{Time: wire.At(time.Now().Add(life))}
	}
	return r, nil
}

func (o *apiKeyOptions) create(ctx context.Context, m *share.Mesh, label string) error {
	r, err := o.request(label)
	if err != nil {
		return err
	}
	made, err := share.Ask[*wire.APIKeyCreated](ctx, m, r)
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(apiKeyAnswer{
			made.ID, made.Secret, made.Label, made.Prefix, made.Capabilities, made.TopicScopes, made.CreatedAt,
		})
	}
	o.out.Say("keep this key: it is not shown again; claudemesh apikey revoke %s ends it", ui.CleanLine(made.ID))
	return o.out.Line(ui.CleanLine(made.Secret))
}

func newAPIKeyList(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "list", short: "Show the keys", long: "Show the keys that were made, without their secrets.",
		example: "claudemesh apikey list --json",
		run:     func(ctx context.Context, m *share.Mesh, _ []string) error { return a.apiKeyList(ctx, m) },
	})
}

func (a *app) apiKeyList(ctx context.Context, m *share.Mesh) error {
	answer, err := share.Ask[*wire.APIKeyListResponse](ctx, m, &wire.APIKeyList{})
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Keys []wire.APIKey `json:"keys"`
		}{notNone(answer.Keys)})
	}
	if len(answer.Keys) == 0 {
		a.out.Say("there is no key; claudemesh apikey create LABEL")
		return nil
	}
	var rows [][]string
	for _, k := range answer.Keys {
		rows = append(rows, []string{
			ui.CleanLine(k.Label), ui.CleanLine(k.Prefix), a.key(k.ID), joinWords(k.Capabilities), keyState(k),
			a.moment(k.LastUsedAt), a.moment(k.ExpiresAt), ui.CleanLine(k.Owner), ui.CleanLine(strings.Join(k.TopicScopes, " ")),
		})
	}
	return a.table([]string{"LABEL", "BEGINS", "ID", "FOR", "STATE", "USED", "EXPIRES", "OF", "TOPICS"}, rows)
}

func joinWords[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = ui.CleanLine(string(w))
	}
	return strings.Join(texts, " ")
}

func keyState(k wire.APIKey) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case k.ExpiresAt != nil && k.ExpiresAt.Before(time.Now()):
		return "expired"
	}
	return "valid"
}

// moment is when for what may not have been yet.
func (a *app) moment(t *wire.Time) string {
	if t == nil {
		return ""
	}
	return a.when(t.Time)
}

func newAPIKeyRevoke(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "revoke ID", short: "End a key", long: "End a key, at once and for good. The beginning of its id will do.",
		example: "claudemesh apikey revoke 3fK9", args: exactly("ID"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error { return a.apiKeyRevoke(ctx, m, args[0]) },
	})
}

func (a *app) apiKeyRevoke(ctx context.Context, m *share.Mesh, id string) error {
	answer, err := share.Ask[*wire.APIKeyRevokeResponse](ctx, m, &wire.APIKeyRevoke{ID: id})
	if err != nil {
		return err
	}
	switch {
	case answer.Status == wire.KeyNotUnique:
		return ui.Failf("%d keys have ids that begin with %q", answer.Matches, id).Hinted("claudemesh apikey list --json shows whole ids")
	case answer.Status != wire.KeyRevoked:
		return ui.Failf("there is no key with the id %q", id).Hinted("claudemesh apikey list shows those there are")
	case a.out.JSON:
		return a.out.Answer(struct {
			ID     string             `json:"id"`
			Status wire.KeyRevocation `json:"status"`
		}{answer.ID, answer.Status})
	}
	a.out.Say("the key is good for nothing now")
	return nil
}
