package command

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

const (
	goodbyeWithin = 10 * time.Second
	releaseWithin = 3 * time.Second // for a listener to end that was replaced
)

type leaveOptions struct {
	*app
	yes bool
}

func newLeave(a *app) *cobra.Command {
	o := &leaveOptions{app: a}
	c := &cobra.Command{
		Use:   "leave [SLUG]",
		Short: "Forget a mesh, and destroy its keys on this machine",
		Long: "Forget a mesh, and destroy its keys on this machine. Running sessions say goodbye and end. What waits for\n" +
			"you there can never be read again, and coming back takes a new invite: it makes you a new member.\n\n" +
			"The broker keeps you on its list of members until the mesh's owner removes you. To be able to come back as\n" +
			"who you are: claudemesh backup.",
		Args:              atMost("SLUG"),
		ValidArgsFunction: a.completeSlug,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.mesh = args[0]
			}
			return o.run(c.Context())
		},
	}
	c.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	return c
}

type leaveAnswer struct {
	Slug   string `json:"slug"`
	MeshID string `json:"meshId"`
}

func (o *leaveOptions) run(ctx context.Context) error {
	m, err := o.chosen()
	if err != nil {
		return err
	}
	if err := o.confirm(ctx, m.mesh); err != nil {
		return err
	}
	if err := m.sayGoodbye(ctx, o.env.Dir); err != nil {
		o.out.Say("could not say goodbye (%s): others see you leave within 90 seconds", plainWords(err))
	}
	if err := m.store.Forget(m.mesh.Slug); err != nil {
		return err
	}
	if err := m.dropMessages(); err != nil {
		return err
	}
	o.out.Say("left %s; its keys are gone", m.mesh.Slug)
	if o.out.JSON {
		return o.out.Answer(leaveAnswer{Slug: m.mesh.Slug, MeshID: m.mesh.MeshID})
	}
	return nil
}

func (o *leaveOptions) confirm(ctx context.Context, m identity.Mesh) error {
	if o.yes {
		return nil
	}
	if !o.interactive() {
		return ui.Usagef("leaving %s destroys its keys, and nobody is here to be asked", m.Slug).
			Hinted("claudemesh leave %s --yes; a copy first: claudemesh backup", m.Slug)
	}
	if m.OwnerSecretKey != "" {
		o.out.Say("you own %s: without your key nobody can invite to it, or change it, ever again", m.Slug)
	}
	o.out.Say("this destroys your keys of %s; claudemesh backup keeps a copy", m.Slug)
	typed, err := o.askLine(ctx, "type "+m.Slug+" to leave it: ")
	if err != nil {
		return err
	}
	if typed != m.Slug {
		return ui.Failf("that is not %s; nothing was changed", m.Slug)
	}
	return nil
}

// dropMessages removes what is kept of the mesh beside its keys.
func (m *membership) dropMessages() error {
	if !wire.IsMeshID(m.mesh.MeshID) {
		return nil // it never was part of a path
	}
	for _, kind := range []string{"mailbox", "outbox"} {
		if err := os.RemoveAll(filepath.Join(m.store.Dir(), kind, m.mesh.MeshID)); err != nil {
			return fileFailure(err)
		}
	}
	return nil
}

// sayGoodbye ends the sessions of this machine that are running: each is taken
// over, which ends the process that spoke for it, and then says goodbye.
func (m *membership) sayGoodbye(ctx context.Context, dir string) error {
	sessions, err := m.store.Sessions(m.mesh.Slug)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, goodbyeWithin)
	defer cancel()
	for _, s := range sessions {
		if !s.Held {
			continue
		}
		o, err := m.options(wire.About{SessionID: s.ID, Cwd: dir})
		if err != nil {
			return err
		}
		o.Session, o.MaxFailures = s.Key, 1
		c := peer.New(o)
		if err := peer.Do(ctx, c, func(context.Context) error { return nil }); err != nil {
			return err
		}
	}
	return m.awaitRelease(ctx)
}

// awaitRelease waits until no process holds a session any more: it would write
// its last words where they do not belong now.
func (m *membership) awaitRelease(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, releaseWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		sessions, err := m.store.Sessions(m.mesh.Slug)
		if err != nil {
			return err
		}
		held := false
		for _, s := range sessions {
			held = held || s.Held
		}
		if !held {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ui.Failf("a session of it is still running")
		}
	}
}
