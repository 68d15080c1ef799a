package edge

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// fleetKey is the hash, of all partitions, in which each edge says what it
	// is: edge → [fleetWord]. Package rooms of the functions shows it.
	fleetKey = "fleet"

	// reportEvery is how often an edge says so. One that missed three reports
	// is taken for dead.
	reportEvery = 5 * time.Second

	// forgetAfter is when an edge that went without a word is forgotten: late
	// enough for an operator to see that it is missing.
	forgetAfter = 10 * time.Minute

	// forgetEvery is after how many reports an edge looks for such others.
	forgetEvery = 12

	// lateSpan and lateSteps say over what time the worst lateness is told, and
	// how finely that window moves on.
	lateSpan  = time.Minute
	lateSteps = 6
)

// fleetWord is what an edge says of itself. Times are Redis's.
type fleetWord struct {
	Version   string    `json:"version"`
	StartedAt wire.Time `json:"startedAt"`
	Sockets   int       `json:"sockets"` // peers
	LateMs    int64     `json:"lateMs"`  // worst lateness of a departure in the last minute
	SeenMs    int64     `json:"seenMs"`
}

// A reporter tells operators how this edge is.
type reporter struct {
	server *Server
	every  time.Duration
	late   worst
}

// Run reports until ctx is done, then takes this edge off the list.
func (r *reporter) Run(ctx context.Context) error {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	defer r.retire(context.WithoutCancel(ctx))
	for round := 0; ; round++ {
		if err := r.report(ctx, round%forgetEvery == 0); err != nil && ctx.Err() == nil {
			r.server.log.DebugContext(ctx, "report to the fleet", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *reporter) report(ctx context.Context, forget bool) error {
	ctx, cancel := context.WithTimeout(ctx, r.every)
	defer cancel()
	rdb := r.server.redis.Raw()
	now, err := rdb.Time(ctx).Result()
	if err != nil {
		return err
	}
	word, err := json.Marshal(fleetWord{
		Version: build().version, StartedAt: wire.At(now.Add(-time.Since(r.server.started))),
		Sockets: len(r.server.peers()), LateMs: r.late.of(time.Now()).Milliseconds(), SeenMs: now.UnixMilli(),
	})
	if err != nil {
		return err
	}
	if err := rdb.HSet(ctx, fleetKey, r.server.id, word).Err(); err != nil || !forget {
		return err
	}
	return r.forget(ctx, now)
}

// forget removes edges that died without taking themselves off the list. One
// that is alive after all is back with its next report.
func (r *reporter) forget(ctx context.Context, now time.Time) error {
	rdb := r.server.redis.Raw()
	all, err := rdb.HGetAll(ctx, fleetKey).Result()
	if err != nil {
		return err
	}
	var gone []string
	for edge, text := range all {
		var word fleetWord
		if err := json.Unmarshal([]byte(text), &word); err != nil || now.Sub(time.UnixMilli(word.SeenMs)) > forgetAfter {
			gone = append(gone, edge)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return rdb.HDel(ctx, fleetKey, gone...).Err()
}

func (r *reporter) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.every)
	defer cancel()
	if err := r.server.redis.Raw().HDel(ctx, fleetKey, r.server.id).Err(); err != nil {
		r.server.log.DebugContext(ctx, "leave the fleet", "err", err)
	}
}

// tardy takes how late a departure was announced.
func (s *Server) tardy(d time.Duration) {
	s.metrics.late(d)
	s.reporter.late.add(time.Now(), d)
}

// worst remembers the largest value of the last [lateSpan], to within a step.
type worst struct {
	mu    sync.Mutex
	steps [lateSteps]time.Duration
	step  int64 // number of the newest, counted from the epoch
}

func (w *worst) add(now time.Time, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turnLocked(now)
	at := &w.steps[w.step%lateSteps]
	*at = max(*at, d)
}

func (w *worst) of(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turnLocked(now)
	most := time.Duration(0)
	for _, d := range w.steps {
		most = max(most, d)
	}
	return most
}

// turnLocked empties the steps that have become too old.
func (w *worst) turnLocked(now time.Time) {
	step := now.UnixNano() / int64(lateSpan/lateSteps)
	for i := max(w.step+1, step-lateSteps+1); i <= step; i++ {
		w.steps[i%lateSteps] = 0
	}
	w.step = max(w.step, step)
}
