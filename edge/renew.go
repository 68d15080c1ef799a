package edge

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

const (
	// ticksPerRound is in how many steps a round over all sockets is done, so
	// that Redis and the network see a stream and not bursts.
	ticksPerRound = 10

	// sweepPerTick bounds the statuses written in one tick.
	sweepPerTick = 100

	// bindAgainAfter is how often a session key that stays connected is bound
	// anew, so that it does not count as unused.
	bindAgainAfter = 6 * time.Hour

	// staleRenewals is how many renewal intervals without a success make an
	// edge doubt that its leases still exist.
	staleRenewals = 2
)

// A renewer keeps the leases of this edge's peers, and compares what was heard
// with what Redis holds.
type renewer struct {
	server *Server
	wake   chan struct{} // somebody doubts a lease; never closed

	mu      sync.Mutex
	doubted map[*conn]struct{}

	// Owned by Run.
	success time.Time // of the last renewal
	leaving bool      // the sockets are being closed for want of one
}

func newRenewer(s *Server) *renewer {
	return &renewer{server: s, wake: make(chan struct{}, 1), doubted: map[*conn]struct{}{}}
}

// soon has leases renewed at once, which tells what became of them.
func (r *renewer) soon(peers ...*conn) {
	r.mu.Lock()
	for _, c := range peers {
		r.doubted[c] = struct{}{}
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default: // it will be awake anyway
	}
}

func (r *renewer) takeDoubted() []*conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := slices.Collect(maps.Keys(r.doubted))
	clear(r.doubted)
	return due
}

// Run renews until ctx is done.
func (r *renewer) Run(ctx context.Context) error {
	tick := time.NewTicker(r.server.cfg.RenewEvery / ticksPerRound)
	defer tick.Stop()
	r.success = time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
			r.round(ctx, r.takeDoubted())
		case <-tick.C:
			r.tick(ctx)
		}
	}
}

func (r *renewer) tick(ctx context.Context) {
	now := time.Now()
	peers := r.server.peers()
	due := make([]*conn, 0, len(peers)/ticksPerRound+1)
	for _, c := range peers {
		if !now.Before(c.renewAt) {
			due = append(due, c)
		}
	}
	r.round(ctx, due)
	r.sweepStatus(ctx, peers)
	r.doubtLeases(ctx, len(peers))
}

// doubtLeases closes all sockets when no renewal has succeeded for too long:
// the leases are about to end, and peers that come back early may find an edge
// that reaches Redis.
func (r *renewer) doubtLeases(ctx context.Context, peers int) {
	s := r.server
	if peers == 0 || time.Since(r.success) <= staleRenewals*s.cfg.RenewEvery {
		if peers == 0 {
			r.success = time.Now()
		}
		r.leaving = false
		return
	}
	if r.leaving {
		return
	}
	r.leaving = true
	s.log.ErrorContext(ctx, "no lease could be renewed for too long, closing all sockets", "sockets", peers)
	s.spawn(func() { s.evacuate(s.base, s.peers(), s.cfg.LeaseTTL*2/9, closedUncertain) })
}

// round renews some leases and looks where their meshes' journals stand.
func (r *renewer) round(ctx context.Context, due []*conn) {
	if len(due) == 0 {
		return
	}
	s := r.server
	now := time.Now()
	renewals := make([]presence.Renewal, len(due))
	for i, c := range due {
		renewals[i] = presence.Renewal{Held: c.held, Cursor: c.cursor(), Snapshot: c.snapshot}
	}
	outcomes, err := s.presence.Renew(ctx, renewals)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "renew leases", "leases", len(due), "err", err)
	}
	for i, c := range due {
		if i < len(outcomes) {
			r.settle(ctx, c, outcomes[i], now)
		}
	}
	if err := r.compareHeads(ctx, due); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "read heads", "err", err)
	}
}

// settle acts on what became of a lease.
func (r *renewer) settle(ctx context.Context, c *conn, o presence.RenewOutcome, now time.Time) {
	s := r.server
	if o != presence.Unanswered {
		r.success = now
		c.renewAt = now.Add(s.cfg.RenewEvery)
		s.metrics.renewals.WithLabelValues(string(o)).Inc()
	}
	switch o {
	case presence.Superseded:
		c.close(wire.CloseNormal, wire.ReasonSessionReplaced, closedReplaced)
	case presence.Gone:
		c.close(wire.CloseRestarting, wire.ReasonRestarting, closedGone)
	case presence.Restored:
		c.log.WarnContext(ctx, "lease was restored")
		c.boundAt.set(time.Unix(0, 0)) // what was lost with it may include the binding
		r.bindAgain(ctx, c, now)
		c.reopen()
	case presence.Renewed:
		r.bindAgain(ctx, c, now)
	case presence.Unanswered:
	}
}

// reopen enters the connection again as a reader, which Redis may have forgotten,
// and reads every inbox from its beginning.
func (c *conn) reopen() {
	c.box.mu.Lock()
	c.box.opened = false
	c.box.mu.Unlock()
	c.restart()
}

func (r *renewer) bindAgain(ctx context.Context, c *conn, now time.Time) {
	if c.kind != presence.KindSession || now.Sub(c.boundAt.get()) < bindAgainAfter {
		return
	}
	if err := r.server.registry.BindSession(ctx, c.peer.Mesh, c.key, c.member.Key); err != nil {
		c.log.WarnContext(ctx, "bind session again", "err", err)
		return // at the next renewal: a lost registry may be restored
	}
	c.boundAt.set(now)
}

// compareHeads finds journals that are ahead of what was heard: a subscription
// can be deaf without an error.
func (r *renewer) compareHeads(ctx context.Context, due []*conn) error {
	feeds := map[*feed]uint64{}
	for _, c := range due {
		feeds[c.feed] = 0
	}
	meshes, order := make([]string, 0, len(feeds)), make([]*feed, 0, len(feeds))
	for f := range feeds {
		feeds[f] = f.place()
		meshes, order = append(meshes, f.mesh), append(order, f)
	}
	heads, err := r.server.queue.Heads(ctx, meshes)
	if err != nil {
		return err
	}
	for i, f := range order {
		f.compare(heads[i], feeds[f])
	}
	return nil
}

// sweepStatus turns peers idle that have been working for long without a new
// word: whoever said so may be gone.
func (r *renewer) sweepStatus(ctx context.Context, peers []*conn) {
	now, left := time.Now(), sweepPerTick
	for _, c := range peers {
		st := c.box.status()
		if st.Value != presence.StatusWorking || now.Sub(st.At) <= r.server.timing.workingTTL {
			continue
		}
		if left--; left < 0 || ctx.Err() != nil {
			return
		}
		got, err := r.server.presence.SetStatus(ctx, c.peer, &c.held, presence.StatusIdle, presence.SourceJSONL)
		switch {
		case isLost(err), errors.Is(err, presence.ErrAway), errors.Is(err, queue.ErrLost):
			c.lost()
		case err != nil:
			c.log.WarnContext(ctx, "sweep status", "err", err)
			return // Redis is away; the others can wait
		default:
			c.box.setStatus(got)
			c.kick()
		}
	}
}
