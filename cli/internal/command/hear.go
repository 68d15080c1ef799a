package command

import (
	"context"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/edge/wire"
	"golang.org/x/sync/errgroup"
)

// hearing is what a verb does that shows what the mesh says until its user ends
// it.
type hearing struct {
	// connected is called first on each connection, before its first frame; nil
	// for nothing.
	connected func()
	// frame shows a frame.
	frame func(*share.Mesh, wire.Message) error
	// greeted asks for what is to be heard, on each connection anew. What it asks
	// while the connection is lost is asked again on the next one.
	greeted func(context.Context, *share.Mesh) error
}

// hear hears as the member and unseen, until ctx ends.
func (a *app) hear(ctx context.Context, h hearing) error {
	m, err := a.chosen()
	if err != nil {
		return err
	}
	options, err := m.options(wire.About{SessionID: "once-" + wire.NewID(wire.ShortID), Cwd: a.env.Dir, Transient: true})
	if err != nil {
		return err
	}
	mesh, err := m.sharedMesh(nil)
	if err != nil {
		return err
	}
	greeted := make(chan struct{}, 1)
	options.Greeted = func(*wire.HelloAck) {
		if h.connected != nil {
			h.connected()
		}
		signalTo(greeted)
	}
	options.Retry = a.retrying(plainWords)
	options.Frame = func(_ context.Context, frame wire.Message) error { return h.frame(mesh, frame) }
	client := peer.New(options)
	mesh.Asker = client
	g, side := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := client.Run(side); err != nil {
			return err
		}
		return errEnded
	})
	g.Go(func() error { return h.ask(side, mesh, greeted) })
	if err := g.Wait(); err != nil && context.Cause(ctx) == nil {
		return err
	}
	return nil
}

func (h hearing) ask(ctx context.Context, m *share.Mesh, greeted <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-greeted:
		}
		if err := h.greeted(ctx, m); err != nil && !gone(err) && ctx.Err() == nil {
			return err
		}
	}
}

// signalTo wakes whoever waits at c, or will.
func signalTo(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
