package command

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// cursorEvery is how often a listener stores how far it has read. What a crash
// leaves out is shown again.
const cursorEvery = 2 * time.Second

type listenOptions struct {
	*app
	session string
	name    string
	groups  []string
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
	c.Flags().StringSliceVar(&o.groups, "group", nil, "be in this `GROUP` (may be repeated; default the member's groups)")
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
	id := identity.SessionID(o.env.Dir, o.session)
	session, err := m.store.OpenSession(m.mesh.Slug, id)
	if err != nil {
		return err
	}
	defer session.Close()
	options, err := m.options(wire.About{
		DisplayName: ui.CleanLine(o.name), SessionID: id, Cwd: o.env.Dir, Groups: groups,
		Cursor: session.Cursor(m.mesh.MeshID),
	})
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	options.Session = session.Key
	options.Handle = func(ctx context.Context, d peer.Delivery) error {
		select { // the first line says that we are ready
		case <-ready:
			return o.show(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	options.Retry = func(reason error, wait time.Duration) {
		o.out.Say("%s; trying again in %v", plainWords(reason), max(wait, 0).Round(time.Millisecond))
	}
	return o.serve(ctx, m, session, peer.New(options), ready)
}

// serve runs the client and all that goes with it until one of them ends.
func (o *listenOptions) serve(ctx context.Context, m *membership, session *identity.Session, c *peer.Client, ready chan struct{}) error {
	path, err := m.store.SocketPath(m.mesh.Slug, session.ID)
	if err != nil {
		return err
	}
	control, err := listenControl(path)
	if err != nil {
		return err
	}
	g, side := errgroup.WithContext(ctx)
	// The client ends with its helpers, and learns the cause: it says how to leave.
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(side, func() { cancel(context.Cause(side)) })()
	ended := errors.New("client ended")
	g.Go(func() error {
		if err := c.Run(running); err != nil {
			return err
		}
		return ended
	})
	g.Go(func() error { return control.serve(side, c) })
	g.Go(func() error { return keepCursor(side, m.mesh.MeshID, session, c) })
	g.Go(func() error { return o.announce(side, m, c, ready) })
	if err := g.Wait(); !errors.Is(err, ended) && context.Cause(ctx) == nil {
		return err
	}
	return nil
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
func (o *listenOptions) announce(ctx context.Context, m *membership, c *peer.Client, ready chan struct{}) error {
	ack, err := c.Admitted(ctx)
	if err != nil {
		return nil // the client says why
	}
	defer close(ready)
	name := cmp.Or(ack.MemberDisplayName, o.name)
	if o.out.JSON {
		return o.out.Answer(readyLine{
			Event: "ready", MeshID: m.mesh.MeshID, Slug: m.mesh.Slug, Pubkey: c.Pubkey(), Name: name,
			SessionID: identity.SessionID(o.env.Dir, o.session), Resumed: ack.Resumed,
		})
	}
	o.out.Say("here in %s as %s; Ctrl-C leaves", m.mesh.Slug, ui.CleanLine(name))
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
	var groups []wire.Group
	for _, name := range o.groups {
		g := wire.Group{Name: trimAt(name)}
		if err := g.Check(); err != nil {
			return nil, ui.Usagef("group %q: %s", name, plainWords(err))
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func trimAt(name string) string {
	if len(name) > 0 && name[0] == '@' {
		return name[1:]
	}
	return name
}
