package command

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newBans(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "bans", short: "Show who is banned", long: "Show who is banned. claudemesh unban lets them in again.",
		example: "claudemesh bans --json",
		run:     func(ctx context.Context, m *share.Mesh, _ []string) error { return a.bans(ctx, m) },
	})
}

func (a *app) bans(ctx context.Context, m *share.Mesh) error {
	answer, err := share.Ask[*wire.ListBansResult](ctx, m, &wire.ListBans{})
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Bans []wire.BannedMember `json:"bans"`
		}{notNone(answer.Bans)})
	}
	if len(answer.Bans) == 0 {
		a.out.Say("nobody is banned")
		return nil
	}
	var rows [][]string
	for _, b := range answer.Bans {
		rows = append(rows, []string{ui.CleanLine(b.Name), a.when(b.RevokedAt.Time), a.key(b.Pubkey)})
	}
	return a.table([]string{"BANNED", "SINCE", "KEY"}, rows)
}

// kickStale ends the sessions that were not heard of for so long.
func (o *kickOptions) kickStale(ctx context.Context) error {
	span, err := parseLong(o.stale)
	if err != nil || span <= 0 {
		return ui.Usagef("--stale %q is no span of time", o.stale).Hinted("--stale 30m")
	}
	s := &sharing{app: o.app}
	return s.shared(ctx, func(ctx context.Context, m *share.Mesh) error {
		ack, err := share.Ask[*wire.KickAck](ctx, m, &wire.Kick{Selector: wire.Selector{Stale: wire.Millis(span.Milliseconds())}})
		switch {
		case err != nil:
			return err
		case o.out.JSON:
			return o.out.Answer(struct {
				Kicked []string `json:"kicked"`
			}{notNone(ack.Kicked)})
		case len(ack.Kicked) == 0:
			o.out.Say("everybody was heard of within %v", span.Round(time.Second))
			return nil
		}
		var rows [][]string
		for _, name := range ack.Kicked {
			rows = append(rows, []string{ui.CleanLine(name)})
		}
		return o.table([]string{"CLOSED"}, rows)
	})
}
