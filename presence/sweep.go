package presence

import (
	"context"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// maxLook bounds what one look at a partition brings back.
	maxLook = 10 * MaxPerScript

	// understudies is how many edges behind the first watch a partition's
	// deadlines as closely as it does. Others look only when idle, so that a
	// larger fleet does not mean more work for Redis.
	understudies = 4
)

// sweeper makes departures happen on time: Redis deletes an expired key, and
// says so, when somebody touches it or when its sampling comes by, which takes
// half a minute in a crowded database.
//
// It belongs to one goroutine.
type sweeper struct {
	w          *Watcher
	partitions []partition
}

// partition is what a sweeper knows of one partition.
type partition struct {
	number  int
	rank    int
	trust   standing        // in what has expired there
	next    time.Time       // when to look at it again
	touched map[string]bool // touched at the last look; their events are under way
}

// outlook is the answer of lua/look.lua.
type outlook struct {
	due, cleanup time.Duration // until the next; negative for none
	members      []string
}

func newSweeper(w *Watcher) *sweeper {
	s := &sweeper{w: w, partitions: make([]partition, w.store.rdb.Partitions())}
	for i := range s.partitions {
		s.partitions[i].number = i
	}
	return s
}

func (s *sweeper) run(ctx context.Context) {
	s.assign()
	for ctx.Err() == nil {
		alarm := time.NewTimer(s.round(ctx))
		select {
		case <-ctx.Done():
		case <-s.w.changed:
			s.assign()
		case <-alarm.C:
		}
		alarm.Stop()
	}
}

// assign takes over the ranks of a new fleet. Where this edge's turn comes
// earlier than before, it looks at once.
func (s *sweeper) assign() {
	for i, r := range s.w.fleet.Load().ranks {
		p := &s.partitions[i]
		if r < p.rank {
			p.next = time.Time{}
		}
		p.rank = r
	}
}

// round looks at the partitions whose time has come and returns how long the
// others can wait.
func (s *sweeper) round(ctx context.Context) time.Duration {
	trustIn := s.w.trustIn(ctx)
	wait := s.w.pace.idle
	for i := range s.partitions {
		p := &s.partitions[i]
		if now := trustIn(i); now != p.trust {
			p.trust, p.next = now, time.Time{}
		}
		if p.trust != trusted {
			wait = s.w.pace.beat
		}
	}
	s.look(ctx, s.ready(time.Now()))
	now := time.Now()
	for i := range s.partitions {
		wait = min(wait, s.partitions[i].next.Sub(now))
	}
	return max(wait, 0)
}

func (s *sweeper) ready(now time.Time) []*partition {
	var out []*partition
	for i := range s.partitions {
		p := &s.partitions[i]
		switch {
		case p.next.After(now):
		case p.trust == away:
			p.next = now.Add(s.w.pace.beat) // others must not wait for its node
		default:
			out = append(out, p)
		}
	}
	return out
}

// look asks Redis about partitions and does what is to be done there.
func (s *sweeper) look(ctx context.Context, ps []*partition) {
	calls := make([]redis.Call, len(ps))
	for i, p := range ps {
		limit := maxLook
		if p.trust != trusted {
			limit = 0 // clean-ups only: those have left already
		}
		tag := redis.PartitionTag(p.number)
		calls[i] = redis.Call{
			Script: s.w.store.scripts.look, Keys: []string{dueKey(tag), cleanupKey(tag)},
			Args: []any{limit, millis(s.lag(p))},
		}
	}
	// A node that has just fallen silent must not hold up the others for long.
	ask, cancel := context.WithTimeout(ctx, s.w.pace.silence)
	defer cancel()
	failures, last := 0, error(nil)
	for i, cmd := range s.w.store.rdb.RunAll(ask, calls) {
		answer, err := cmd.StringSlice()
		if err == nil {
			err = s.work(ctx, ps[i], answer)
		}
		if err != nil {
			ps[i].next = time.Now().Add(s.w.pace.beat)
			failures, last = failures+1, err
		}
	}
	if failures > 0 && ctx.Err() == nil {
		s.w.opt.Log.WarnContext(ctx, "sweep partitions", "failed", failures, "err", last)
	}
}

// lag is how late something must be before it concerns this edge: the edges
// before it in the partition's order have had their time by then.
func (s *sweeper) lag(p *partition) time.Duration {
	return time.Duration(min(p.rank, understudies)) * s.w.pace.stepIn
}

func (s *sweeper) work(ctx context.Context, p *partition, answer []string) error {
	seen, err := readOutlook(answer)
	if err != nil {
		return err
	}
	p.next = time.Now().Add(s.pause(p, seen))
	if seen.cleanup == 0 {
		if err := s.claim(ctx, p); err != nil {
			return err
		}
	}
	if len(seen.members) == 0 {
		p.touched = nil
		return nil
	}
	return s.end(ctx, p, seen.members)
}

// pause is how long a partition can be left alone.
func (s *sweeper) pause(p *partition, seen outlook) time.Duration {
	wait := s.w.pace.idle
	if p.rank > understudies {
		return wait
	}
	if seen.due >= 0 && p.trust == trusted {
		wait = min(wait, seen.due+time.Millisecond)
	}
	if seen.cleanup >= 0 {
		wait = min(wait, seen.cleanup+time.Millisecond)
	}
	return wait
}

// end deals with members of the due index whose time has come. The first edge
// touches them and gives the events a moment to do their work; what is still
// there at the next look, or late enough for another edge to step in, it
// settles itself.
func (s *sweeper) end(ctx context.Context, p *partition, members []string) error {
	gone, err := s.touch(ctx, p, members)
	if err != nil {
		return err
	}
	before := p.touched
	p.touched = make(map[string]bool)
	var late []Peer
	for _, m := range gone {
		peer, ok := parseDueMember(m)
		switch {
		case !ok:
			return unexpected("touch", m)
		case p.rank > 0 || before[m]:
			late = append(late, peer)
		default:
			p.touched[m] = true
		}
	}
	s.w.settle(ctx, late)
	if len(p.touched) > 0 {
		p.next = earlier(p.next, time.Now().Add(s.w.pace.settle))
	} else if len(members) == maxLook {
		p.next = time.Now()
	}
	return nil
}

// touch reads the leases of members and returns those whose lease is gone.
func (s *sweeper) touch(ctx context.Context, p *partition, members []string) (gone []string, err error) {
	tag := redis.PartitionTag(p.number)
	var calls []redis.Call
	for chunk := range slices.Chunk(members, MaxPerScript) {
		call := redis.Call{Script: s.w.store.scripts.touch, Keys: []string{dueKey(tag)}}
		for _, m := range chunk {
			call.Keys, call.Args = append(call.Keys, leaseOf(tag, m)), append(call.Args, m)
		}
		calls = append(calls, call)
	}
	for _, cmd := range s.w.store.rdb.RunAll(ctx, calls) {
		some, err := cmd.StringSlice()
		if err != nil {
			return nil, failed("touch", err)
		}
		gone = append(gone, some...)
	}
	return gone, nil
}

// claim takes over clean-ups that nobody has finished.
func (s *sweeper) claim(ctx context.Context, p *partition) error {
	answer, err := s.w.store.rdb.Run(ctx, s.w.store.scripts.claim, []string{cleanupKey(redis.PartitionTag(p.number))},
		MaxPerScript, millis(s.w.store.repeatAfter()), millis(s.lag(p))).StringSlice()
	if err != nil {
		return failed("claim clean-ups", err)
	}
	for _, m := range answer {
		l, ok := parseCleanupMember(m)
		if !ok {
			return unexpected("claim clean-ups", m)
		}
		s.w.owe(l)
	}
	return nil
}

func readOutlook(answer []string) (outlook, error) {
	if len(answer) < 2 {
		return outlook{}, unexpected("look", answer)
	}
	due, ok := parseWait(answer[0])
	cleanup, good := parseWait(answer[1])
	if !ok || !good {
		return outlook{}, unexpected("look", answer)
	}
	return outlook{due: due, cleanup: cleanup, members: answer[2:]}, nil
}

func parseWait(ms string) (time.Duration, bool) {
	if ms == "" {
		return -1, true
	}
	n, ok := parseCount(ms)
	return time.Duration(n) * time.Millisecond, ok
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
