package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newQueue(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "queue",
		Short: "Show what waits for whom, and dead letters",
		Long: "Show what waits for whom: how many messages, and how large. What they say nobody but the recipient can read,\n" +
			"neither you nor the broker. For the owner and admins.",
		Example: "  claudemesh queue\n  claudemesh queue show bob\n  claudemesh queue dead",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.queueDepths(c.Context()) },
	}
	c.AddCommand(newQueueShow(a), newQueueDead(a), newRequeue(a), newDrop(a))
	return c
}

type depthsAnswer struct {
	Inboxes []namedDepth `json:"inboxes"`
}

type namedDepth struct {
	wire.InboxDepth
	Name string `json:"name,omitempty"`
}

func (a *app) queueDepths(ctx context.Context) error {
	mesh, err := a.administer()
	if err != nil {
		return err
	}
	found, err := mesh.Depths(ctx)
	if err != nil {
		return err
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(x, y wire.InboxDepth) int {
		return cmp.Or(-cmp.Compare(x.Messages, y.Messages), strings.Compare(x.Key, y.Key))
	})
	answer := depthsAnswer{Inboxes: []namedDepth{}}
	var rows [][]string
	for _, d := range found {
		if d.Messages == 0 {
			continue
		}
		name := all.name(d.Key)
		answer.Inboxes = append(answer.Inboxes, namedDepth{d, name})
		rows = append(rows, []string{
			ui.CleanLine(name), strconv.Itoa(d.Messages), a.size(d.Bytes), a.key(d.Key),
		})
	}
	switch {
	case a.out.JSON:
		return a.out.Answer(answer)
	case len(rows) == 0:
		a.out.Say("nothing waits")
		return nil
	}
	return a.table([]string{"FOR", "MESSAGES", "SIZE", "INBOX"}, rows)
}

// size is a number of bytes as a person says it.
func (a *app) size(bytes int64) string {
	const kib, mib = 1 << 10, 1 << 20
	switch {
	case !a.out.Terminal():
		return strconv.FormatInt(bytes, 10)
	case bytes < kib:
		return fmt.Sprintf("%d B", bytes)
	case bytes < mib:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/kib)
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/mib)
}

type queueShowOptions struct {
	*app
	lane  string
	limit int
}

func newQueueShow(a *app) *cobra.Command {
	o := &queueShowOptions{app: a}
	c := &cobra.Command{
		Use:   "show PEER",
		Short: "Show the messages that wait for a peer, without what they say",
		Long: "Show the messages that wait for a peer, without what they say. PEER is the name of a member or of a session,\n" +
			"the first digits of a key, or an inbox as claudemesh queue shows it in a pipe.",
		Example:           "  claudemesh queue show bob --priority now",
		Args:              exactly("PEER"),
		ValidArgsFunction: a.completeMember,
		RunE:              func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0]) },
	}
	c.Flags().StringVar(&o.lane, "priority", "", "only those of this priority: `now|next|low`")
	_ = c.RegisterFlagCompletionFunc("priority", fixed("now", "next", "low")) // fails only for flags that are not there
	addLimitFlag(c, &o.limit)
	return c
}

func addLimitFlag(c *cobra.Command, limit *int) {
	c.Flags().IntVarP(limit, "limit", "n", 50, "show at most so many")
}

func checkLimit(n int) error {
	if n < 1 || n > admin.MaxPage {
		return ui.Usagef("--limit must be 1 to %d", admin.MaxPage).Hinted("--limit %d is the most", admin.MaxPage)
	}
	return nil
}

type envelopesAnswer struct {
	Inbox    string          `json:"inbox"`
	Name     string          `json:"name,omitempty"`
	Messages []wire.Envelope `json:"messages"`
}

func (o *queueShowOptions) run(ctx context.Context, typed string) error {
	if err := checkLimit(o.limit); err != nil {
		return err
	}
	if o.lane != "" && !wire.Lane(o.lane).Valid() {
		return ui.Usagef("--priority %q is none", o.lane).Hinted("now, next or low")
	}
	mesh, err := o.administer()
	if err != nil {
		return err
	}
	all, err := mesh.roll(ctx)
	if err != nil {
		return err
	}
	inbox := recipient{key: typed}
	if !isClaimInbox(typed) {
		if inbox, err = all.connection(typed); err != nil {
			return err
		}
	}
	found, err := mesh.Inbox(ctx, inbox.key, o.lane, o.limit)
	if err != nil {
		return err
	}
	if o.out.JSON {
		return o.out.Answer(envelopesAnswer{inbox.key, inbox.name, append([]wire.Envelope{}, found...)})
	}
	if len(found) == 0 {
		o.out.Say("nothing waits for %s; claudemesh queue shows all inboxes, sessions have their own", cmp.Or(ui.CleanLine(inbox.name), short(inbox.key)))
		return nil
	}
	var rows [][]string
	for _, e := range found {
		rows = append(rows, o.envelope(all, &e))
	}
	if len(found) == o.limit {
		o.out.Say("there may be more: --limit")
	}
	return o.table([]string{"ID", "PRIORITY", "FROM", "SENT", "SIZE"}, rows)
}

// isClaimInbox accepts the inbox of a connection that only claims a key.
func isClaimInbox(s string) bool {
	return len(s) == 41 && (s[0] == 'c' || s[0] == 'm') && seal.IsKey(s[1:]+strings.Repeat("0", 24))
}

func (a *app) envelope(all *roll, e *wire.Envelope) []string {
	from := ui.CleanLine(e.SenderPubkey)
	if a.out.Terminal() {
		from = all.who(e.SenderPubkey)
	}
	return []string{a.messageID(e.MessageID), ui.CleanLine(e.Lane), from, a.when(e.SentAt.Time), a.size(int64(e.Bytes))}
}

// messageID is shortened for people only.
func (a *app) messageID(id string) string {
	if a.out.Terminal() {
		return shortID(ui.CleanLine(id))
	}
	return ui.CleanLine(id)
}
