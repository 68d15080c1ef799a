package command

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newWebhook(a *app) *cobra.Command {
	return family("webhook", "Let programs elsewhere speak to the mesh",
		"Let programs elsewhere speak to the mesh, with a POST to an address. Everybody who is present hears what they\n"+
			"say; it is a stranger's word, is not sealed, and is not kept.",
		newWebhookCreate(a), newWebhookList(a), newWebhookDelete(a))
}

type webhookAnswer struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

func newWebhookCreate(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "create NAME", short: "Make an address for a program elsewhere",
		long: "Make an address for a program elsewhere. Whoever knows it can speak to the mesh, so treat it as a password.\n" +
			"It is shown this once: the broker does not keep it.",
		example: "claudemesh webhook create ci", args: exactly("NAME"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			made, err := share.Ask[*wire.WebhookAck](ctx, m, &wire.CreateWebhook{Name: args[0]})
			if err != nil {
				return err
			}
			made.URL = a.webhookURL(made.URL)
			if a.out.JSON {
				return a.out.Answer(webhookAnswer{made.Name, made.URL, made.Secret})
			}
			a.out.Say("keep this address as you keep a password; it is not shown again")
			return a.out.Line(ui.CleanLine(made.URL))
		},
	})
}

func newWebhookList(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "list", short: "Show the webhooks", long: "Show the webhooks of the mesh. Their addresses are shown when they are made, and never again.",
		example: "claudemesh webhook list",
		run:     func(ctx context.Context, m *share.Mesh, _ []string) error { return a.webhookList(ctx, m) },
	})
}

func (a *app) webhookList(ctx context.Context, m *share.Mesh) error {
	answer, err := share.Ask[*wire.WebhookList](ctx, m, &wire.ListWebhooks{})
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Webhooks []wire.Webhook `json:"webhooks"`
		}{notNone(answer.Webhooks)})
	}
	if len(answer.Webhooks) == 0 {
		a.out.Say("there is no webhook; claudemesh webhook create NAME")
		return nil
	}
	var rows [][]string
	for _, w := range answer.Webhooks {
		rows = append(rows, []string{ui.CleanLine(w.Name), a.when(w.CreatedAt.Time)})
	}
	return a.table([]string{"WEBHOOK", "SINCE"}, rows)
}

func newWebhookDelete(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "delete NAME", short: "End a webhook", long: "End a webhook: its address answers no more.",
		example: "claudemesh webhook delete ci", args: exactly("NAME"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			answer, err := share.Ask[*wire.WebhookAck](ctx, m, &wire.DeleteWebhook{Name: args[0]})
			if err != nil {
				return err
			}
			if a.out.JSON {
				return a.out.Answer(struct {
					Name string `json:"name"`
				}{answer.Name})
			}
			a.out.Say("the address of %s answers no more", ui.CleanLine(args[0]))
			return nil
		},
	})
}

// webhookURL is an address as programs elsewhere need it. A broker that does not
// know its own name leaves that out.
func (a *app) webhookURL(url string) string {
	if !strings.HasPrefix(url, "/") {
		return url
	}
	m, err := a.chosen()
	if err != nil {
		return url
	}
	base, err := wire.HTTPAddress(m.mesh.BrokerURL)
	if err != nil {
		return url
	}
	return strings.TrimSuffix(base, "/") + url
}
