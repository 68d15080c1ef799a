package command

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

// oldBrokerWait is how long an inbox stays open at a broker that cannot say
// when everything was delivered.
const oldBrokerWait = 2 * time.Second

type inboxOptions struct {
	*app
	session string
	shown   int
}

func newInbox(a *app) *cobra.Command {
	o := &inboxOptions{app: a}
	c := &cobra.Command{
		Use:   "inbox",
		Short: "Show what waits, and leave",
		Long: "Show what waits for this directory's session and for the member, and leave. What was shown is\n" +
			"acknowledged and not shown again. While a listener runs here, messages go to it.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	addSessionFlag(c, &o.session)
	return c
}

func (o *inboxOptions) run(ctx context.Context) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	id := identity.SessionID(o.env.Dir, o.session)
	session, err := m.store.OpenSession(m.mesh.Slug, id)
	switch {
	case errors.Is(err, identity.ErrHeld):
		o.out.Say("a listener runs for this directory, and shows its messages; reading the member's only")
	case err != nil:
		return err
	default:
		defer session.Close()
	}
	client, err := o.client(m, session)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	err = peer.Do(ctx, client, func(ctx context.Context) error { return drain(ctx, client) })
	if err != nil {
		return err
	}
	if cursor := client.Cursor(); session != nil && cursor != "" {
		if err := session.SaveCursor(m.mesh.MeshID, cursor); err != nil {
			return err
		}
	}
	if o.shown == 0 {
		o.out.Say("nothing waits for you")
	}
	return nil
}

// client connects as the session where we hold it, else as the member; unseen
// either way.
func (o *inboxOptions) client(m *membership, session *identity.Session) (*peer.Client, error) {
	about := wire.About{SessionID: "once-" + wire.NewID(wire.ShortID), Cwd: o.env.Dir, Transient: true}
	if session != nil {
		about.SessionID, about.Cursor = session.ID, session.Cursor(m.mesh.MeshID)
	}
	options, err := m.options(about)
	if err != nil {
		return nil, err
	}
	if session != nil {
		options.Session = session.Key
	}
	options.MaxFailures = dialTries
	options.Handle = func(_ context.Context, d peer.Delivery) error {
		if d.Event != "" && d.Event != wire.EventResync {
			return nil // who came and went is no message
		}
		if d.Event == "" {
			o.shown++
		}
		return o.show(d)
	}
	return peer.New(options), nil
}

// drain returns once everything that waited was shown. A broker that tells no
// lease is an older one, which cannot say.
func drain(ctx context.Context, c *peer.Client) error {
	ack, err := c.Admitted(ctx)
	if err != nil {
		return err
	}
	if ack.LeaseMs > 0 {
		return c.Sync(ctx)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(oldBrokerWait):
		return nil
	}
}
