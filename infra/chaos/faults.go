package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// begin notes a fault and returns what notes its end.
func (r *run) begin(fault history.Record) (healed func()) {
	id := fmt.Sprintf("fault %d", r.faults.Add(1))
	fault.Kind, fault.ID = history.Fault, id
	r.out.Write(fault)
	r.tell("%s %s", fault.Event, fault.Edge)
	return func() {
		r.out.Write(history.Record{Kind: history.Healed, ID: id, Event: fault.Event, Edge: fault.Edge})
	}
}

// pause waits, and reports whether the run goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// killEdge kills an edge and starts another in its place after a while.
func (r *run) killEdge(ctx context.Context, e *edgeProcess, down time.Duration) error {
	r.begin(history.Record{Event: history.KillEdge, Edge: e.id})
	e.proc.kill()
	e.gone()
	pause(ctx, down)
	return e.start(r.ctx)
}

// drainEdge ends an edge as a deploy does and starts another in its place.
func (r *run) drainEdge(ctx context.Context, e *edgeProcess, down time.Duration) error {
	healed := r.begin(history.Record{Event: history.DrainEdge, Edge: e.id})
	err := e.proc.stop(endWithin)
	healed()
	e.gone()
	if err != nil {
		return err
	}
	pause(ctx, down)
	return e.start(r.ctx)
}

// stopEdge freezes an edge for a while.
func (r *run) stopEdge(ctx context.Context, e *edgeProcess, d time.Duration) error {
	healed := r.begin(history.Record{Event: history.StopEdge, Edge: e.id})
	e.proc.signal(syscall.SIGSTOP)
	pause(ctx, d)
	e.proc.signal(syscall.SIGCONT)
	healed()
	return nil
}

// isolateEdge lets nothing through between an edge and Redis for a while.
func (r *run) isolateEdge(ctx context.Context, e *edgeProcess, d time.Duration) error {
	if e.link == nil {
		return r.stopEdge(ctx, e, d)
	}
	healed := r.begin(history.Record{Event: history.IsolateEdge, Edge: e.id})
	e.link.Block()
	pause(ctx, d)
	e.link.Unblock()
	healed()
	return nil
}

// delayEdge makes the way between an edge and Redis slow for a while.
func (r *run) delayEdge(ctx context.Context, e *edgeProcess, late, d time.Duration) error {
	if e.link == nil {
		return r.deafen(ctx)
	}
	healed := r.begin(history.Record{Event: history.DelayEdge, Edge: e.id})
	e.link.Delay(late)
	pause(ctx, d)
	e.link.Delay(0)
	healed()
	return nil
}

// resetEdge cuts an edge's connections to Redis.
func (r *run) resetEdge(ctx context.Context, e *edgeProcess) error {
	if e.link == nil {
		return r.deafen(ctx)
	}
	healed := r.begin(history.Record{Event: history.ResetEdge, Edge: e.id})
	e.link.Reset()
	pause(ctx, 100*time.Millisecond)
	healed()
	return nil
}

// deafen cuts all subscriptions, unless Redis is away itself just then.
func (r *run) deafen(ctx context.Context) error {
	healed := r.begin(history.Record{Event: history.Deafen})
	defer healed()
	if err := r.backend.CutSubscriptions(ctx); err != nil {
		r.tell("not done: %v", err)
	}
	return nil
}

func (r *run) pauseRedis(ctx context.Context, d time.Duration) error {
	healed := r.begin(history.Record{Event: history.PauseRedis})
	r.backend.Pause()
	pause(ctx, d)
	r.backend.Resume()
	healed()
	return nil
}

func (r *run) killRedis(ctx context.Context, down time.Duration) error {
	healed := r.begin(history.Record{Event: history.KillRedis, Forgive: int64(forgetful)})
	r.backend.Kill()
	pause(ctx, down)
	r.backend.Restart()
	healed()
	return nil
}

func (r *run) restartRedis(ctx context.Context, down time.Duration) error {
	healed := r.begin(history.Record{Event: history.StopRedis})
	r.backend.Stop()
	pause(ctx, down)
	r.backend.Restart()
	healed()
	return nil
}

// failOver has a replica take over. What the master had acknowledged and not
// yet passed on is lost, unless edges wait for a replica.
func (r *run) failOver(ctx context.Context) error {
	forgive := int64(forgetful)
	if r.o.AckReplicas > 0 {
		forgive = 0
	}
	healed := r.begin(history.Record{Event: history.FailOver, Forgive: forgive})
	defer healed()
	return r.backend.FailOver(ctx)
}

// flush has Redis forget everything, and gives it back what the owners keep.
func (r *run) flush(ctx context.Context, unsaved time.Duration) error {
	healed := r.begin(history.Record{Event: history.Flush, Forgive: -1})
	if err := r.backend.Flush(r.ctx); err != nil {
		return err
	}
	// The number of partitions is part of what an operator restores: an edge
	// that starts without it would look elsewhere.
	again, err := redis.Open(r.ctx, redis.Options{URL: r.backend.URL(), Partitions: r.backend.Client().Partitions()})
	if err != nil {
		return fmt.Errorf("chaos: partitions: %w", err)
	}
	pause(ctx, unsaved)
	err = errors.Join(r.world.restore(r.ctx), again.Close())
	healed()
	return err
}

// anyEdge is a random edge.
func (r *run) anyEdge(rng *rand.Rand) *edgeProcess {
	return r.fleet.edges[rng.IntN(len(r.fleet.edges))]
}
