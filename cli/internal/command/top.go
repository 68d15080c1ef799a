package command

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/claudemesh/claudemesh/cli/internal/admin"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const (
	topPeersEvery  = 2 * time.Second
	topDepthsEvery = 5 * time.Second
)

func newTop(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "top",
		Short: "Watch a mesh live",
		Long: "Watch a mesh live: who is here and for how long, what they do, and what is said to everybody.\n" +
			"Nobody sees you watching, and nothing that waits for you is taken. q quits.\n\n" +
			"How much waits for each peer is shown to the owner and to admins.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.top(c.Context()) },
	}
}

// errDirect says that a broker gave us what we have not asked for. It is left
// unacked, so it is not lost.
var errDirect = errors.New("top was given a direct message")

func (a *app) top(ctx context.Context) error {
	in, ok := a.env.Stdin.(*os.File)
	if !ok || !a.out.Terminal() || !ui.IsTerminal(in) || a.out.JSON || a.env.Getenv("TERM") == "dumb" {
		return ui.Usagef("top needs a terminal").Hinted("for programs: claudemesh peers --json, claudemesh listen --json")
	}
	m, err := a.chosen()
	if err != nil {
		return err
	}
	o, err := m.options(wire.About{SessionID: "top-" + wire.NewID(wire.ShortID), Cwd: a.env.Dir, Transient: true})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	screen := tea.NewProgram(newScreen(m.mesh, a.out),
		tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(a.env.Stdout), tea.WithoutSignalHandler())
	o.Handle = func(_ context.Context, d peer.Delivery) error {
		if d.Event == "" && !isMulticast(d.Target) {
			return errDirect // an older broker, which does not know that we only watch
		}
		screen.Send(d)
		return nil
	}
	o.Retry = func(reason error, _ time.Duration) { screen.Send(linkDown{plainWords(reason)}) }
	client := peer.New(o)
	g, side := errgroup.WithContext(ctx)
	g.Go(func() error { defer stop(); return client.Run(side) })
	g.Go(func() error { return pollPeers(side, client, screen.Send) })
	g.Go(func() error { return pollDepths(side, m, screen.Send) })
	_, err = screen.Run()
	stop()
	if reason := g.Wait(); reason != nil && !errors.Is(reason, context.Canceled) {
		return topFailure(reason)
	}
	if err != nil && !errors.Is(err, tea.ErrProgramKilled) {
		return ui.Failf("the screen failed: %v", err)
	}
	return nil
}

func topFailure(reason error) error {
	if errors.Is(reason, errDirect) {
		return ui.Failf("this broker hands direct messages to whoever watches").Hinted("claudemesh listen shows the mesh, and takes what waits")
	}
	return reason
}

func isMulticast(target string) bool { return target == "*" || strings.HasPrefix(target, "@") }

// What the screen is told.
type (
	linkDown struct{ reason string }
	linkUp   struct{ lease time.Duration }
	peersNow struct{ peers []wire.PeerInfo }
	depths   map[string]int // what waits, by inbox
)

// pollPeers tells who is here. While the connection is away it waits for it.
func pollPeers(ctx context.Context, c *peer.Client, tell func(tea.Msg)) error {
	tick := time.NewTicker(topPeersEvery)
	defer tick.Stop()
	for {
		ack, err := c.Admitted(ctx)
		if err != nil {
			return nil // the client says why
		}
		if peers, err := c.ListPeers(ctx); err == nil {
			tell(linkUp{time.Duration(ack.LeaseMs) * time.Millisecond})
			tell(peersNow{peers})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// pollDepths tells how much waits, as long as the broker answers: members are
// not told, and older brokers do not know the question.
func pollDepths(ctx context.Context, m *membership, tell func(tea.Msg)) error {
	key, err := highest(m.mesh)
	if err != nil {
		return nil // the client says it too
	}
	mesh := admin.Mesh{Client: admin.Client{Broker: m.mesh.BrokerURL, Key: key}, ID: m.mesh.MeshID}
	tick := time.NewTicker(topDepthsEvery)
	defer tick.Stop()
	for {
		inboxes, err := mesh.Depths(ctx)
		switch {
		case err == nil:
			now := make(depths)
			for _, inbox := range inboxes {
				now[inbox.Key] = inbox.Messages
			}
			tell(now)
		case !errors.Is(err, peer.ErrUnreachable):
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
