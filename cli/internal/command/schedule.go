package command

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// laterDraft is a message that is to be sent later. Without a target it is for
// whoever asks.
type laterDraft struct {
	Target string      `json:"target,omitempty"`
	Text   string      `json:"text"`
	At     wire.Millis `json:"at,omitempty"`
	Cron   string      `json:"cron,omitempty"`
	Clear  bool        `json:"clear,omitempty"`
}

// laterAnswer is what --json shows of one that the broker has.
type laterAnswer struct {
	ID        string    `json:"id"`
	To        string    `json:"to"`
	Name      string    `json:"name,omitempty"`
	DeliverAt wire.Time `json:"deliverAt"`
	Cron      string    `json:"cron,omitempty"`
	Sealed    bool      `json:"sealed"`
}

// later seals a message and leaves it with the broker until its time.
func (c courier) later(ctx context.Context, d laterDraft) (laterAnswer, error) {
	to := struct{ Key, Name string }{Key: c.Pubkey(), Name: "yourself"}
	if d.Target != "" {
		found, err := c.Resolve(ctx, d.Target)
		if err != nil {
			return laterAnswer{}, err
		}
		to.Key, to.Name = found.Key, found.Name
	}
	r := &wire.Schedule{To: to.Key, Cron: d.Cron}
	if d.Target == "" {
		r.Subtype = wire.SubtypeReminder
	}
	if d.Cron == "" {
		r.DeliverAt = &d.At
	}
	if err := c.sealLater(ctx, r, d); err != nil {
		return laterAnswer{}, err
	}
	ack, err := share.Ask[*wire.ScheduledAck](ctx, c.Client, r)
	if err != nil {
		return laterAnswer{}, err
	}
	return laterAnswer{
		ID: ack.ScheduledID, To: to.Key, Name: to.Name, DeliverAt: wire.At(time.UnixMilli(int64(ack.DeliverAt))), Cron: ack.Cron,
		Sealed: r.Sealed != nil,
	}, nil
}

func (c courier) sealLater(ctx context.Context, r *wire.Schedule, d laterDraft) (err error) {
	class := wire.ClassifyTarget(r.To).Class
	if d.Clear || c.m.groupMode() == wire.GroupPlain && class != wire.ClassDirect {
		r.Message = d.Text
		return nil
	}
	m := peer.Message{To: r.To, Text: d.Text}
	if class == wire.ClassTopic {
		if m.Topic, err = c.topicBody(ctx, r.To); err != nil {
			return err
		}
	}
	r.Sealed, err = c.SealLater(m)
	return err
}

type scheduleOptions struct {
	sharing
	at, in, cron string
	self         bool
}

const whenHelp = "\n\n--at takes 2026-12-24T18:00:00+01:00, \"2026-12-24 18:00\" or 18:00, --in a span such as 90m or 3d, --cron five\n" +
	"fields: minute, hour, day of month, month, day of week, by the clock of UTC. The broker sends it then, whether\n" +
	"you are here or not, once; with --cron again and again. It is sealed before it leaves."

func newSchedule(a *app) *cobra.Command {
	o := &scheduleOptions{sharing: sharing{app: a}}
	c := &cobra.Command{
		Use: "schedule TARGET TEXT", Short: "Have a message sent later",
		Long:    "Have a message sent later. TARGET is as for claudemesh send." + whenHelp,
		Example: `  claudemesh schedule @ops "the certificate ends today" --at "2026-12-24 09:00"`,
		Args:    exactly("TARGET", "TEXT"),
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0], args[1]) },
	}
	o.addWhen(c)
	c.AddCommand(newScheduleList(a), newScheduleCancel(a))
	return c
}

func newRemind(a *app) *cobra.Command {
	o := &scheduleOptions{sharing: sharing{app: a}, self: true}
	c := &cobra.Command{
		Use: "remind TEXT", Short: "Be reminded later",
		Long: "Be reminded later: the session that runs in this directory, or else the member." + whenHelp +
			"\n\nclaudemesh schedule list shows reminders too.",
		Example: `  claudemesh remind "look at the build" --in 20m`,
		Args:    exactly("TEXT"),
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), "", args[0]) },
	}
	o.addWhen(c)
	return c
}

func (o *scheduleOptions) addWhen(c *cobra.Command) {
	c.Flags().StringVar(&o.at, "at", "", "the `TIME`")
	c.Flags().StringVar(&o.in, "in", "", "how `LONG` from now")
	c.Flags().StringVar(&o.cron, "cron", "", "again and again, at the times of this `EXPRESSION`")
	o.addFlags(c, true)
}

func (o *scheduleOptions) run(ctx context.Context, target, words string) error {
	d := laterDraft{Target: target, Text: words, Cron: o.cron, Clear: o.clear}
	if err := o.check(d); err != nil {
		return err
	}
	at, err := o.when(time.Now())
	if err != nil {
		return err
	}
	d.At = at
	m, err := o.chosen()
	if err != nil {
		return err
	}
	var made laterAnswer
	if err = o.ask(ctx, m, o.session, opLater, d, &made); errors.Is(err, local.ErrNobody) {
		err = m.once(ctx, o.env.Dir, func(ctx context.Context, c *peer.Client) (err error) {
			made, err = courier{c, m}.later(ctx, d)
			return err
		})
	}
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(made)
	}
	o.out.Say("to %s, %s", ui.CleanLine(made.Name), made.DeliverAt.Local().Format("Mon 2006-01-02 15:04:05"))
	return o.out.Line(made.ID)
}

func (o *scheduleOptions) check(d laterDraft) error {
	if !o.self {
		if _, _, err := plainTarget(d.Target); err != nil {
			return err
		}
	}
	if d.Text == "" {
		return ui.Usagef("TEXT is empty").Hinted("say what is to be sent")
	}
	if len(d.Text) > wire.MaxScheduled {
		return peer.ErrTooLarge
	}
	return nil
}

// when reads the one flag that says so.
func (o *scheduleOptions) when(now time.Time) (wire.Millis, error) {
	given := 0
	for _, flag := range []string{o.at, o.in, o.cron} {
		if flag != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return 0, ui.Usagef("say when, in one way").Hinted("--in 20m, --at 18:00, or --cron \"0 9 * * 1\"")
	case o.in != "":
		span, err := parseLong(o.in)
		if err != nil || span <= 0 {
			return 0, ui.Usagef("--in %q is no span of time", o.in).Hinted("--in 90s, 20m, 12h or 3d")
		}
		return wire.MillisAt(now.Add(span)), nil
	case o.at != "":
		at, err := parseMoment(o.at, now)
		return wire.MillisAt(at), err
	}
	return 0, nil // of cron the broker knows
}

// parseMoment reads a time as people write it. An hour alone is the next one.
func parseMoment(typed string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(layout, typed, now.Location()); err == nil {
			if at.Before(now) {
				return at, ui.Usagef("--at %q is over", typed).Hinted("--in 20m, or a time to come")
			}
			return at, nil
		}
	}
	hour, err := time.Parse("15:04", typed)
	if err != nil {
		return time.Time{}, ui.Usagef("--at %q is no time", typed).Hinted("--at 18:00, or \"2026-12-24 18:00\"")
	}
	at := time.Date(now.Year(), now.Month(), now.Day(), hour.Hour(), hour.Minute(), 0, 0, now.Location())
	if !at.After(now) {
		at = at.AddDate(0, 0, 1)
	}
	return at, nil
}

func newScheduleList(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "list", short: "Show what is to be sent", example: "claudemesh schedule list --json",
		long: "Show what your member has left with the broker, to be sent later. What a session has sealed only its recipient\n" +
			"can open.",
		run: func(ctx context.Context, m *share.Mesh, _ []string) error { return a.scheduleList(ctx, m) },
	})
}

type scheduledLine struct {
	ID         string    `json:"id"`
	To         string    `json:"to"`
	Text       string    `json:"text,omitempty"`
	Sealed     bool      `json:"sealed"`
	DeliverAt  wire.Time `json:"deliverAt"`
	CreatedAt  wire.Time `json:"createdAt"`
	Cron       string    `json:"cron,omitempty"`
	FiredCount int       `json:"firedCount"`
}

func (a *app) scheduleList(ctx context.Context, m *share.Mesh) error {
	answer, err := share.Ask[*wire.ScheduledList](ctx, m, &wire.ListScheduled{})
	if err != nil {
		return err
	}
	lines := []scheduledLine{}
	for _, s := range answer.Messages {
		lines = append(lines, scheduledLine{
			ID: s.ID, To: s.To, Text: m.ScheduledText(s), Sealed: s.Sealed != nil, Cron: s.Cron, FiredCount: s.FiredCount,
			DeliverAt: wire.At(time.UnixMilli(int64(s.DeliverAt))), CreatedAt: wire.At(time.UnixMilli(int64(s.CreatedAt))),
		})
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Messages []scheduledLine `json:"messages"`
		}{lines})
	}
	if len(lines) == 0 {
		a.out.Say("nothing is to be sent later; claudemesh schedule TARGET TEXT --in 20m")
		return nil
	}
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{
			ui.CleanLine(l.ID), a.when(l.DeliverAt.Time), a.target(l.To), ui.CleanLine(l.Cron), cmp.Or(ui.CleanLine(l.Text), "(sealed)"),
		})
	}
	return a.table([]string{"ID", "NEXT", "TO", "CRON", "TEXT"}, rows)
}

// target is a key, or whom else a message can go to.
func (a *app) target(to string) string {
	if wire.ClassifyTarget(to).Class == wire.ClassDirect {
		return a.key(to)
	}
	return ui.CleanLine(to)
}

func newScheduleCancel(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "cancel ID", short: "Do not send it", long: "Do not send it. ID is what schedule list shows.",
		example: "claudemesh schedule cancel 0mb3", args: exactly("ID"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			answer, err := share.Ask[*wire.CancelScheduledAck](ctx, m, &wire.CancelScheduled{ScheduledID: args[0]})
			switch {
			case err != nil:
				return err
			case !answer.OK:
				return ui.Failf("nothing with the id %q is to be sent", args[0]).Hinted("claudemesh schedule list shows what is")
			case a.out.JSON:
				return a.out.Answer(struct {
					ID        string `json:"id"`
					Cancelled bool   `json:"cancelled"`
				}{args[0], true})
			}
			a.out.Say("it will not be sent")
			return nil
		},
	})
}
