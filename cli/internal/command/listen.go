package command

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// cursorEvery is how often a listener stores how far it has read. What a crash
// leaves out is shown again.
const cursorEvery = 2 * time.Second

type listenOptions struct {
	*app
	session string
	name    string
	groups  []string
	ticks   bool
	share   string
}

func newListen(a *app) *cobra.Command {
	o := &listenOptions{app: a}
	c := &cobra.Command{
		Use:   "listen",
		Short: "Stay present, and show what arrives",
		Long: "Stay present as the session of this directory, and show what arrives.\n\n" +
			"Ctrl-C leaves at once. A listener that is lost or ends by SIGTERM keeps its place for 90 seconds: one that\n" +
			"comes back in time was never gone, and is shown what it missed.\n\n" +
			"With --json each line is an object; the first has event \"ready\".",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	addSessionFlag(c, &o.session)
	c.Flags().StringVar(&o.name, "name", "", "the `NAME` that others see (default the member's)")
	c.Flags().BoolVar(&o.ticks, "ticks", false, "show each tick of the mesh's clock")
	addShareFlag(c, &o.share)
	c.Flags().StringSliceVar(&o.groups, "group", nil, "be in this `GROUP`, or GROUP:ROLE (may be repeated; default the member's groups)")
	return c
}

// addSessionFlag declares --session for the verbs that mean a listener.
func addSessionFlag(c *cobra.Command, session *string) {
	c.Flags().StringVar(session, "session", "", "a `NAME` to tell several listeners of one directory apart")
}

func (o *listenOptions) run(ctx context.Context) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	groups, err := o.parseGroups()
	if err != nil {
		return err
	}
	h, err := o.openHost(m, identity.SessionID(o.env.Dir, o.session))
	if err != nil {
		return err
	}
	defer h.close()
	answers, err := h.newAnswerer(o.share)
	if err != nil {
		return err
	}
	defer answers.close()
	ready := make(chan struct{})
	options, err := o.options(h, groups, ready)
	if err != nil {
		return err
	}
	options.Frame = func(_ context.Context, frame wire.Message) error {
		answers.hear(frame)
		return nil
	}
	h.client = peer.New(options)
	server, err := h.serve()
	if err != nil {
		return err
	}
	return h.run(ctx, server, answers.run, func(ctx context.Context) error { return o.announce(ctx, h, ready) })
}

// options print what arrives as it arrives, behind the line that says that we
// are ready.
func (o *listenOptions) options(h *host, groups []wire.Group, ready chan struct{}) (peer.Options, error) {
	options, err := h.options(wire.About{DisplayName: ui.CleanLine(o.name), Cwd: o.env.Dir, Groups: groups}, o.showEventOf)
	if err != nil {
		return options, err
	}
	keep := options.Handle
	options.Handle = func(ctx context.Context, d peer.Delivery) error {
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := keep(ctx, d); err != nil {
			return err
		}
		return h.showMail()
	}
	return options, nil
}

func (o *listenOptions) showEventOf(_ context.Context, d peer.Delivery) error {
	if d.Event == wire.EventTick && !o.ticks {
		return nil
	}
	return o.show(d)
}

// showMail prints what was not shown yet.
func (h *host) showMail() error {
	for {
		messages, left := h.box.Claim(1, 0)
		for _, m := range messages {
			if err := h.show(fromMail(m)); err != nil {
				h.box.Release(messages)
				return err
			}
		}
		if err := h.box.Shown(messages); err != nil || left == 0 {
			return err
		}
	}
}

type readyLine struct {
	Event     string `json:"event"` // ready
	MeshID    string `json:"meshId"`
	Slug      string `json:"slug"`
	Pubkey    string `json:"pubkey"` // of the session
	SessionID string `json:"sessionId"`
	Name      string `json:"name"`
	Resumed   bool   `json:"resumed"`
}

// announce says once that we are present.
func (o *listenOptions) announce(ctx context.Context, h *host, ready chan struct{}) error {
	arrived := o.out.Busy("waiting for the broker of " + h.m.mesh.Slug)
	ack, err := h.client.Admitted(ctx)
	arrived()
	if err != nil {
		return nil // the client says why
	}
	if err := o.sayReady(h, ack); err != nil {
		return err
	}
	if err := h.showMail(); err != nil { // what a session before us was given and did not show
		return err
	}
	close(ready)
	return nil
}

func (o *listenOptions) sayReady(h *host, ack *wire.HelloAck) error {
	name := cmp.Or(ack.MemberDisplayName, o.name)
	if o.out.JSON {
		return o.out.Answer(readyLine{
			Event: "ready", MeshID: h.m.mesh.MeshID, Slug: h.m.mesh.Slug, Pubkey: h.client.Pubkey(), Name: name,
			SessionID: h.session.ID, Resumed: ack.Resumed,
		})
	}
	o.out.Say("here in %s as %s; Ctrl-C leaves", h.m.mesh.Slug, ui.CleanLine(name))
	return nil
}

// keepCursor stores how far the session has read, now and then and at the end.
func keepCursor(ctx context.Context, meshID string, session *identity.Session, c *peer.Client) error {
	stored := session.Cursor(meshID)
	tick := time.NewTicker(cursorEvery)
	defer tick.Stop()
	for {
		last := false
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		if cursor := c.Cursor(); cursor != stored && cursor != "" {
			if err := session.SaveCursor(meshID, cursor); err != nil {
				return err
			}
			stored = cursor
		}
		if last {
			return nil
		}
	}
}

func (o *listenOptions) parseGroups() ([]wire.Group, error) {
	return parseGroupList(strings.Join(o.groups, ","))
}

func trimAt(name string) string {
	if len(name) > 0 && name[0] == '@' {
		return name[1:]
	}
	return name
}
