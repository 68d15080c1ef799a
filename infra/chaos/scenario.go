package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A scenario does things to a fleet until it is through, or ctx ends.
type scenario struct {
	about string
	do    func(r *run, ctx context.Context) error
	// calm scenarios leave the peers alone.
	calm bool
}

// scenarios, by name.
var scenarios = map[string]scenario{
	"mixed":    {about: "everything at once", do: (*run).mixed},
	"rolling":  {about: "all edges are replaced, one after the other", do: (*run).rolling, calm: true},
	"kill9":    {about: "random edges are killed, 100 times", do: (*run).kills},
	"outage":   {about: "Redis is cut off for far longer than a lease", do: (*run).outage, calm: true},
	"flushall": {about: "Redis forgets everything under load", do: (*run).flushes},
	"failover": {about: "replicas take over from masters, 20 times", do: (*run).failOvers},
}

// ErrScenario says that there is no such scenario.
var ErrScenario = errors.New("chaos: no such scenario")

// Scenarios lists the names with what they do.
func Scenarios() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		out = append(out, fmt.Sprintf("%-9s %s", name, scenarios[name].about))
	}
	return out
}

const (
	kills     = 100
	failOvers = 20
	flushes   = 3
	outageFor = 5 * time.Minute / (90 * time.Second) // in leases, rounded down
)

// mixed does everything, to edges and to Redis at the same time.
func (r *run) mixed(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var both sync.WaitGroup
	var edges, redis error
	rng, other := r.rng("edges"), r.rng("redis")
	both.Go(func() { edges = r.repeat(ctx, rng, r.o.FaultEvery, r.edgeFault); stop() })
	both.Go(func() { redis = r.repeat(ctx, other, 3*r.o.FaultEvery, r.redisFault); stop() })
	both.Wait()
	return errors.Join(edges, redis)
}

// repeat does one fault after the other, with pauses of about the given length.
func (r *run) repeat(ctx context.Context, rng *rand.Rand, every time.Duration, fault func(context.Context, *rand.Rand) error) (err error) {
	defer newScope(ctx).recover(&err) // a Redis that does not come back panics in here
	for pause(ctx, scaled(rng, every, 0.5, 1.5)) {
		if err := fault(ctx, rng); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// mostlyShort is a share of a lease that is passed over without a departure,
// and sometimes one that is not.
func (r *run) mostlyShort(rng *rand.Rand) time.Duration {
	if rng.IntN(4) == 0 {
		return scaled(rng, r.o.TTL, 1.1, 1.6)
	}
	return scaled(rng, r.o.TTL, 0.03, 0.3)
}

func (r *run) edgeFault(ctx context.Context, rng *rand.Rand) error {
	e := r.anyEdge(rng)
	switch rng.IntN(7) {
	case 0, 1:
		return r.killEdge(ctx, e, scaled(rng, 2*time.Second, 0, 1))
	case 2:
		return r.stopEdge(ctx, e, r.mostlyShort(rng))
	case 3:
		return r.drainEdge(ctx, e, scaled(rng, time.Second, 0, 1))
	case 4:
		return r.isolateEdge(ctx, e, r.mostlyShort(rng))
	case 5:
		return r.delayEdge(ctx, e, scaled(rng, 200*time.Millisecond, 0.1, 1), scaled(rng, 4*time.Second, 0.2, 1))
	default:
		return r.resetEdge(ctx, e)
	}
}

func (r *run) redisFault(ctx context.Context, rng *rand.Rand) error {
	n := rng.IntN(6)
	if n == 3 && !r.backend.FailsOver() {
		n = 1
	}
	switch n {
	case 0:
		return r.pauseRedis(ctx, r.mostlyShort(rng))
	case 1:
		return r.killRedis(ctx, scaled(rng, time.Second, 0, 1))
	case 2:
		return r.restartRedis(ctx, scaled(rng, time.Second, 0, 1))
	case 3:
		return r.failOver(ctx)
	default:
		return r.deafen(ctx)
	}
}

// rolling replaces every edge once.
func (r *run) rolling(ctx context.Context) error {
	for _, e := range r.fleet.edges {
		if err := r.drainEdge(ctx, e, 0); err != nil {
			return err
		}
		if !pause(ctx, 2*time.Second) {
			return nil
		}
	}
	return nil
}

func (r *run) kills(ctx context.Context) error {
	rng := r.rng("edges")
	for range kills {
		if !pause(ctx, scaled(rng, r.o.FaultEvery, 0.2, 1)) {
			return nil
		}
		if err := r.killEdge(ctx, r.anyEdge(rng), scaled(rng, time.Second, 0, 1)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) outage(ctx context.Context) error {
	d := max(outageFor*r.o.TTL, min(5*time.Minute, r.o.For))
	if !pause(ctx, r.o.FaultEvery) {
		return nil
	}
	return r.pauseRedis(r.ctx, d)
}

func (r *run) flushes(ctx context.Context) error {
	rng := r.rng("redis")
	for range flushes {
		if !pause(ctx, max(5*time.Second, r.o.Renew)) {
			return nil
		}
		if err := r.flush(ctx, scaled(rng, r.o.Renew, 0.1, 1)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) failOvers(ctx context.Context) error {
	if !r.backend.FailsOver() {
		return fmt.Errorf("%w: fail over", ErrUnsupported)
	}
	rng := r.rng("redis")
	for range failOvers {
		if !pause(ctx, scaled(rng, r.o.FaultEvery, 0.5, 1.5)) {
			return nil
		}
		if err := r.failOver(ctx); err != nil {
			return err
		}
	}
	return nil
}
