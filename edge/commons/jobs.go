package commons

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// lookEvery is how often every partition is looked at, whatever was heard:
	// a wake-up can be missed.
	lookEvery = 20 * time.Second

	// stepIn is by how much each edge waits for the one before it.
	stepIn = 400 * time.Millisecond

	// dueAtOnce bounds the jobs taken from one partition in one look, and
	// dueOfMesh those of one mesh while others have some. dueLookedThrough
	// bounds how many are searched for those others.
	dueAtOnce        = 64
	dueOfMesh        = 16
	dueLookedThrough = 8000

	// jobsAtOnce bounds the jobs of one kind that one edge does at the same
	// time, and jobsOfMesh those of one mesh: what it has watched may be slow
	// on purpose.
	jobsAtOnce = 64
	jobsOfMesh = 16

	// jobWithin bounds one job.
	jobWithin = 20 * time.Second

	// postponeBy is how long a job waits that could not be done.
	postponeBy = 5 * time.Second
)

// A job is something of a shelf that is to be done at its time. It must be
// safe to run twice at once, on two edges: what it changes, it changes on the
// condition that nobody has. When it is done, its field is due later or never.
type job struct {
	do func(ctx context.Context, mesh, field string) error

	// inOrder jobs of one mesh are done one after the other.
	inOrder bool
}

// wakeup says that something in a partition is due at a time.
type wakeup struct {
	partition int
	at        time.Time
}

// wakeFor tells the runners of all edges of jobs that are nearer than their
// next look.
func (s *Commons) wakeFor(a act, now int64) {
	soonest, some := int64(0), false
	for _, c := range a.changes {
		if c.due != nil && *c.due != 0 && (!some || *c.due < soonest) {
			soonest, some = *c.due, true
		}
	}
	in := time.Duration(soonest-now) * time.Millisecond
	if !some || in > 2*lookEvery {
		return
	}
	partition := s.redis.Partition(a.mesh)
	s.wakeUp(wakeup{partition, time.Now().Add(in)})
	ctx, cancel := context.WithTimeout(context.Background(), stepIn) //nolint:forbidigo // outlives the request
	defer cancel()
	message := fmt.Sprintf("%d %d", partition, max(0, in.Milliseconds()))
	if err := s.opt.Tell(ctx, message); err != nil {
		s.log.DebugContext(ctx, "wake other edges", "err", err)
	}
}

// Heard takes what another edge told all.
func (s *Commons) Heard(message string) {
	partition, in, ok := strings.Cut(message, " ")
	n, err := strconv.Atoi(partition)
	ms, err2 := strconv.ParseInt(in, 10, 64)
	if !ok || err != nil || err2 != nil || n < 0 || n >= s.redis.Partitions() || ms < 0 || ms > 2*lookEvery.Milliseconds() {
		return
	}
	s.wakeUp(wakeup{n, time.Now().Add(time.Duration(ms) * time.Millisecond)})
}

func (s *Commons) wakeUp(w wakeup) {
	select {
	case s.wake <- w:
	default: // the next look finds it
	}
}

// Run does what is due until ctx is done, and returns when all that was begun
// has ended.
func (s *Commons) Run(ctx context.Context) error {
	r := newRunner(s)
	defer r.group.Wait()
	all := time.NewTicker(lookEvery)
	defer all.Stop()
	r.lookAtAll(ctx)
	for {
		timer := time.NewTimer(r.rest())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case w := <-s.wake:
			r.expect(w)
		case <-all.C:
			r.lookAtAll(ctx)
		case <-timer.C:
			r.lookAtDue(ctx)
		}
		timer.Stop()
	}
}

// runner is one edge's share of the jobs.
type runner struct {
	s     *Commons
	group sync.WaitGroup

	// Owned by Run.
	next   map[int]time.Time // by partition: when to look
	waited map[int]bool      // partitions whose first edge was given its moment
	slots  map[string]*semaphore.Weighted

	mu     sync.Mutex
	busy   map[string]bool // what is being done: jobs, and lines of jobs
	ofMesh map[string]int  // how many lines of a mesh's shelf are
}

func newRunner(s *Commons) *runner {
	return &runner{
		s: s, next: map[int]time.Time{}, waited: map[int]bool{}, slots: map[string]*semaphore.Weighted{},
		busy: map[string]bool{}, ofMesh: map[string]int{},
	}
}

func (r *runner) expect(w wakeup) {
	at := w.at.Add(time.Duration(r.s.opt.Rank(w.partition)) * stepIn)
	if old, ok := r.next[w.partition]; !ok || at.Before(old) {
		r.next[w.partition] = at
	}
}

// rest is how long nothing is due.
func (r *runner) rest() time.Duration {
	soonest := time.Now().Add(lookEvery)
	for _, at := range r.next {
		if at.Before(soonest) {
			soonest = at
		}
	}
	return max(0, time.Until(soonest))
}

func (r *runner) lookAtAll(ctx context.Context) {
	all := make([]int, r.s.redis.Partitions())
	for p := range all {
		all[p] = p
	}
	r.look(ctx, all)
}

func (r *runner) lookAtDue(ctx context.Context) {
	var due []int
	now := time.Now()
	for p, at := range r.next {
		if !at.After(now) {
			due = append(due, p)
		}
	}
	r.look(ctx, due)
}

// look asks partitions what is due, and begins it.
func (r *runner) look(ctx context.Context, partitions []int) {
	calls := make([]redis.Call, len(partitions))
	for i, p := range partitions {
		calls[i] = redis.Call{Script: dueScript, Keys: []string{jobsKey(redis.PartitionTag(p))}, Args: []any{dueAtOnce, dueOfMesh, dueLookedThrough}}
	}
	for i, cmd := range r.s.redis.RunAll(ctx, calls) {
		p := partitions[i]
		delete(r.next, p)
		answer, err := cmd.StringSlice()
		if err != nil || len(answer) < 2 {
			if ctx.Err() == nil {
				r.s.log.WarnContext(ctx, "look for what is due", "partition", p, "err", err)
			}
			r.next[p] = time.Now().Add(postponeBy)
			continue
		}
		r.take(ctx, p, answer[0], answer[1], answer[2:])
	}
}

// take begins the jobs of one partition and notes when to look again.
func (r *runner) take(ctx context.Context, partition int, now, later string, jobs []string) {
	nowMs, err := strconv.ParseInt(now, 10, 64)
	laterMs, err2 := strconv.ParseFloat(later, 64)
	if err == nil && err2 == nil {
		in := time.Duration(int64(laterMs)-nowMs) * time.Millisecond
		if in < 2*lookEvery {
			r.expect(wakeup{partition, time.Now().Add(in)})
		}
	}
	if len(jobs) == 0 {
		return
	}
	// Whoever comes first gets a moment to do them.
	rank := r.s.opt.Rank(partition)
	if rank > 0 && !r.waited[partition] {
		r.waited[partition] = true
		r.next[partition] = time.Now().Add(time.Duration(rank) * stepIn)
		return
	}
	delete(r.waited, partition)
	if !r.begin(ctx, jobs) || len(jobs) == dueAtOnce {
		r.next[partition] = time.Now().Add(stepIn) // there is more than fits
	}
	// What is still due then was not done by whoever began it.
	r.expect(wakeup{partition, time.Now().Add(postponeBy)})
}

// claim takes a line unless somebody has it. It reports whether there is room.
func (r *runner) claim(l *line) (mine, room bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.busy[l.name]:
		return false, true // still at it
	case r.ofMesh[l.ofMesh()] >= jobsOfMesh:
		return false, false
	}
	r.busy[l.name] = true
	r.ofMesh[l.ofMesh()]++
	return true, true
}

// free lets go of a line.
func (r *runner) free(l *line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, l.name)
	if r.ofMesh[l.ofMesh()]--; r.ofMesh[l.ofMesh()] == 0 {
		delete(r.ofMesh, l.ofMesh())
	}
}

// begin does jobs, those of a mesh that go in order one after the other. It
// reports false when there was no room for all. Those without go behind what is
// due, where they are in nobody's way.
func (r *runner) begin(ctx context.Context, due []string) bool {
	var crowded []*line
	for _, line := range r.lines(due) {
		slots := r.slots[line.shelf]
		if slots == nil {
			slots = semaphore.NewWeighted(jobsAtOnce)
			r.slots[line.shelf] = slots
		}
		mine, room := r.claim(line)
		if mine && !slots.TryAcquire(1) {
			r.free(line)
			mine, room = false, false
		}
		if !room {
			crowded = append(crowded, line)
		}
		if !mine {
			continue
		}
		r.group.Go(func() {
			defer slots.Release(1)
			defer r.free(line)
			for _, name := range line.jobs {
				r.do(ctx, name)
			}
		})
	}
	r.putBehind(ctx, crowded)
	return len(crowded) == 0
}

// putBehind makes way for what is due later than these. Those that go in order
// stay: they are quick.
func (r *runner) putBehind(ctx context.Context, crowded []*line) {
	var calls []redis.Call
	for _, l := range crowded {
		if r.s.jobs[l.shelf].inOrder {
			continue
		}
		for _, name := range l.jobs {
			calls = append(calls, redis.Call{Script: postponeScript, Keys: []string{jobsKey(r.s.redis.Tag(l.mesh))}, Args: []any{name, 0}})
		}
	}
	if len(calls) == 0 {
		return
	}
	for _, cmd := range r.s.redis.RunAll(ctx, calls) {
		if cmd.Err() != nil && ctx.Err() == nil {
			r.s.log.WarnContext(ctx, "put jobs behind others", "err", cmd.Err())
		}
	}
}

// A line is jobs that are done one after the other.
type line struct {
	name, mesh, shelf string
	jobs              []string
}

// ofMesh names all lines of the same mesh and shelf.
func (l *line) ofMesh() string { return l.mesh + ":" + l.shelf }

func (r *runner) lines(due []string) []*line {
	var out []*line
	byName := map[string]*line{}
	for _, name := range due {
		mesh, shelf, _, _ := parseJob(name)
		key := name
		if r.s.jobs[shelf].inOrder {
			key = mesh + ":" + shelf
		}
		l := byName[key]
		if l == nil {
			l = &line{name: key, mesh: mesh, shelf: shelf}
			byName[key] = l
			out = append(out, l)
		}
		l.jobs = append(l.jobs, name)
	}
	return out
}

// do does one job. One that fails is put behind the others.
func (r *runner) do(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, jobWithin)
	defer cancel()
	mesh, shelf, field, ok := parseJob(name)
	j, known := r.s.jobs[shelf]
	var err error
	if ok && known {
		if err = j.do(ctx, mesh, field); err == nil {
			return
		}
	}
	r.s.log.WarnContext(ctx, "job", "job", name, "err", err)
	tag := r.s.redis.Tag(mesh)
	if err := r.s.redis.Run(ctx, postponeScript, []string{jobsKey(tag)}, name, postponeBy.Milliseconds()).Err(); err != nil {
		r.s.log.WarnContext(ctx, "postpone job", "job", name, "err", err)
	}
}

// parseJob reads "MESH:SHELF:FIELD".
func parseJob(name string) (mesh, shelf, field string, ok bool) {
	mesh, rest, ok := strings.Cut(name, ":")
	if !ok {
		return "", "", "", false
	}
	shelf, field, ok = strings.Cut(rest, ":")
	return mesh, shelf, field, ok && mesh != "" && shelf != "" && field != ""
}

// unlessDone takes a conflict of a job's act for success: another edge did it.
func unlessDone(_ int64, _ []uint64, err error) error {
	if errors.Is(err, errConflict) {
		return nil
	}
	return err
}
