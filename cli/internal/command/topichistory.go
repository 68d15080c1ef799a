package command

import (
	"context"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

type topicHistoryOptions struct {
	sharing
	limit  int
	before string
}

func newTopicHistory(a *app) *cobra.Command {
	o := &topicHistoryOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "history TOPIC", short: "Show what was said in a topic",
		long: "Show what was said in a topic, the last of it, oldest first. Under a topic's key everybody who has it can\n" +
			"write: that the broker names a sender proves nothing.",
		example: "claudemesh topic history builds --limit 20", args: exactly("TOPIC"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			return o.history(ctx, m, share.TopicName(args[0]))
		},
	})
	c.Flags().IntVar(&o.limit, "limit", wire.TopicPage, "how `MANY` messages, at most 200")
	c.Flags().StringVar(&o.before, "before", "", "what was said before the message of this `ID`")
	return c
}

// saidLine is what --json shows of something that was said.
type saidLine struct {
	ID        string    `json:"id"`
	From      string    `json:"from"`
	FromName  string    `json:"fromName"`
	Text      string    `json:"text"`
	Sealed    bool      `json:"sealed"`
	ReplyTo   string    `json:"replyTo,omitempty"`
	Mentions  []string  `json:"mentions,omitempty"`
	CreatedAt wire.Time `json:"createdAt"`
	Error     string    `json:"error,omitempty"`
}

func newSaidLine(s share.Said) saidLine {
	l := saidLine{
		ID: s.ID, From: s.SenderPubkey, FromName: s.SenderName, Text: s.Text, Sealed: s.Sealed, ReplyTo: s.ReplyToID,
		Mentions: s.Mentions, CreatedAt: s.CreatedAt,
	}
	if s.Err != nil {
		l.Error = unopened(s.Err)
	}
	return l
}

func (o *topicHistoryOptions) history(ctx context.Context, m *share.Mesh, topic string) error {
	if o.limit < 1 || o.limit > wire.MaxTopicPage {
		return ui.Usagef("--limit %d is not from 1 to %d", o.limit, wire.MaxTopicPage).Hinted("--before ID shows what was said earlier")
	}
	said, err := m.History(ctx, topic, o.limit, o.before)
	if err != nil {
		return err
	}
	o.reseal(ctx, m, topic)
	slices.Reverse(said)
	if o.out.JSON {
		lines := []saidLine{}
		for _, s := range said {
			lines = append(lines, newSaidLine(s))
		}
		return o.out.Answer(struct {
			Topic    string     `json:"topic"`
			Messages []saidLine `json:"messages"`
		}{topic, lines})
	}
	if len(said) == 0 {
		o.out.Say("nothing was said in #%s yet", ui.CleanLine(topic))
	}
	for _, s := range said {
		if err := o.showSaid(s.CreatedAt.Time, s.SenderName, s.SenderPubkey, s.ID, s.Text, s.Sealed, s.Err); err != nil {
			return err
		}
	}
	return nil
}

// reseal makes copies of the key for those who wait for one, if we have it.
func (o *sharing) reseal(ctx context.Context, m *share.Mesh, topic string) {
	key, err := m.TopicKey(ctx, topic)
	if err != nil {
		return
	}
	if names, err := m.Reseal(ctx, topic, key); err == nil && len(names) > 0 {
		o.out.Say("%d %s of #%s can read it now", len(names), plural(len(names), "more member", "more members"), ui.CleanLine(topic))
	}
}

// showSaid prints something that was said in a topic.
func (o *sharing) showSaid(at time.Time, name, key, id, said string, sealed bool, err error) error {
	who := ui.CleanLine(name)
	if who == "" {
		who = o.key(key)
	}
	if err != nil {
		said = "(could not be opened: " + unopened(err) + ")"
	} else if !sealed {
		who += " (clear)"
	}
	if !o.out.Terminal() {
		return o.out.Line(stamp(at), who, ui.CleanLine(id), ui.Clean(said))
	}
	return o.out.Line(o.out.Dim(o.when(at)), o.out.Bold(who), indent(ui.Clean(said)))
}

type notificationOptions struct {
	sharing
	unread bool
}

func newNotifications(a *app) *cobra.Command {
	o := &notificationOptions{sharing: sharing{app: a}}
	c := o.verb(shareVerb{
		use: "notifications", short: "Show where you were mentioned",
		long:    "Show where you were mentioned in topics, within the last day. claudemesh topic read marks them as read.",
		example: "claudemesh notifications --unread",
		run:     func(ctx context.Context, m *share.Mesh, _ []string) error { return o.show(ctx, m) },
	})
	c.Flags().BoolVar(&o.unread, "unread", false, "only what you have not read")
	return c
}

type mentionLine struct {
	ID        string     `json:"id"`
	Topic     string     `json:"topic"`
	FromName  string     `json:"fromName"`
	From      string     `json:"from"`
	Text      string     `json:"text"`
	Sealed    bool       `json:"sealed"`
	ReadAt    *wire.Time `json:"readAt"`
	CreatedAt wire.Time  `json:"createdAt"`
	Error     string     `json:"error,omitempty"`
}

func (o *notificationOptions) show(ctx context.Context, m *share.Mesh) error {
	found, err := m.Mentions(ctx, o.unread)
	if err != nil {
		return err
	}
	lines := []mentionLine{}
	for _, f := range found {
		l := mentionLine{
			ID: f.ID, Topic: f.TopicName, FromName: f.SenderName, From: f.SenderPubkey, Text: f.Text, Sealed: f.Sealed,
			ReadAt: f.ReadAt, CreatedAt: f.CreatedAt,
		}
		if f.Err != nil {
			l.Error = unopened(f.Err)
		}
		lines = append(lines, l)
	}
	if o.out.JSON {
		return o.out.Answer(struct {
			Notifications []mentionLine `json:"notifications"`
		}{lines})
	}
	if len(lines) == 0 {
		o.out.Say("nobody mentioned you in the last day")
		return nil
	}
	var rows [][]string
	for _, l := range lines {
		what := ui.CleanLine(l.Text)
		if l.Error != "" {
			what = "(could not be opened: " + l.Error + ")"
		}
		rows = append(rows, []string{o.when(l.CreatedAt.Time), "#" + ui.CleanLine(l.Topic), ui.CleanLine(l.FromName), o.moment(l.ReadAt), what})
	}
	return o.table([]string{"WHEN", "TOPIC", "FROM", "READ", "TEXT"}, rows)
}
