package commons

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// taskShelf holds the tasks of the mesh: id → taskRecord. Where it is full, the
// oldest of those that are done make room.
var taskShelf = shelf{name: "task", fields: 2000, bytes: 4 << 20}

const (
	// maxTasks bounds one list.
	maxTasks = 100

	// staleAfter is how long a peer that has left keeps what it claimed. Then
	// others may claim it.
	staleAfter = 10 * time.Minute

	// makeRoom is how many tasks go at once where there is no room.
	makeRoom = 100
)

// taskRecord is something to be done.
type taskRecord struct {
	Title     string          `json:"title"`
	Assignee  string          `json:"assignee,omitempty"`
	Priority  string          `json:"priority"`
	Tags      []string        `json:"tags,omitempty"`
	Status    wire.TaskStatus `json:"status"`
	CreatedBy string          `json:"createdBy"`
	At        int64           `json:"at"` // milliseconds
	Result    string          `json:"result,omitempty"`

	Claim *claimRecord `json:"claim,omitempty"`
}

// claimRecord is who works on a task.
type claimRecord struct {
	Name   string `json:"name"`
	Member string `json:"member"`
	At     int64  `json:"at"` // milliseconds

	// PEER and generation of the one that claimed; empty for a command that
	// came for nothing else, whose leaving means nothing.
	Peer       string `json:"peer,omitempty"`
	Generation string `json:"generation,omitempty"`

	// Left is when that peer was settled, in milliseconds; 0 while it is here.
	Left int64 `json:"left,omitempty"`
}

// stale reports whether a claim can be taken over.
func (c *claimRecord) stale(now time.Time) bool {
	return c != nil && c.Left > 0 && now.UnixMilli()-c.Left >= staleAfter.Milliseconds()
}

func (s *Commons) registerTasks() {
	on(s.table, s.createTask)
	on(s.table, s.claimTask)
	on(s.table, s.releaseTask)
	on(s.table, s.completeTask)
	on(s.table, s.listTasks)
	s.left = append(s.left, s.leftTasks)
}

func (s *Commons) createTask(ctx context.Context, who *Caller, m *wire.CreateTask) (wire.Message, error) {
	r := taskRecord{
		Title: m.Title, Assignee: m.Assignee, Priority: m.Priority, Tags: m.Tags, Status: wire.TaskOpen,
		CreatedBy: who.Member.Name, At: time.Now().UnixMilli(),
	}
	if r.Priority == "" {
		r.Priority = wire.TaskPriority
	}
	record, err := encodeRecord(r)
	if err != nil {
		return nil, err
	}
	id := cmp.Or(m.ID, newID())
	store := func() error {
		_, _, err := s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{set(taskShelf, id, record).was("")}})
		if errors.Is(err, errConflict) {
			return errTaken
		}
		return err
	}
	if err = store(); errors.Is(err, errFull) {
		if err = s.dropDone(ctx, who.Peer.Mesh); err == nil {
			err = store()
		}
	}
	return &wire.TaskCreated{ID: id, ReqID: m.ReqID}, err
}

// dropDone removes the oldest tasks that are done.
func (s *Commons) dropDone(ctx context.Context, mesh string) error {
	records, err := s.tasks(ctx, mesh)
	if err != nil {
		return err
	}
	var changes []change
	for _, id := range oldestFirst(records, taskTime) {
		if records[id].Status == wire.TaskDone && len(changes) < makeRoom {
			changes = append(changes, remove(taskShelf, id))
		}
	}
	_, _, err = s.apply(ctx, act{mesh: mesh, tidy: true, changes: changes})
	return err
}

func taskTime(r taskRecord) int64 { return r.At }

func (s *Commons) tasks(ctx context.Context, mesh string) (map[string]taskRecord, error) {
	all, err := s.all(ctx, mesh, taskShelf)
	if err != nil {
		return nil, err
	}
	return decodeAll[taskRecord](all)
}

// changeTask changes a task as f wants it, and answers with all tasks.
func (s *Commons) changeTask(
	ctx context.Context, who *Caller, id string, req wire.ReqID, f func(r *taskRecord) error,
) (wire.Message, error) {
	err := retry(ctx, func() error {
		old, err := s.get(ctx, who.Peer.Mesh, taskShelf, id)
		if err != nil {
			return err
		}
		if old == "" {
			return f(nil)
		}
		r, err := decodeRecord[taskRecord](old)
		if err != nil {
			return err
		}
		if err := f(&r); err != nil {
			return err
		}
		record, err := encodeRecord(r)
		if err != nil {
			return err
		}
		changes := []change{set(taskShelf, id, record).was(old)}
		if r.Claim != nil && r.Claim.Peer == who.Peer.ID {
			changes = append(changes, owning(who))
		}
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: changes})
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.listTasks(ctx, who, &wire.ListTasks{ReqID: req})
}

// claimTask takes a task that is open, or whose claimer has left long ago. Who
// has it already may claim it again, from whichever connection.
func (s *Commons) claimTask(ctx context.Context, who *Caller, m *wire.ClaimTask) (wire.Message, error) {
	now := time.Now()
	claim := &claimRecord{Name: who.Member.Name, Member: who.Member.Key, At: now.UnixMilli()}
	if !who.OneShot {
		claim.Peer, claim.Generation = who.Peer.ID, who.Generation
	}
	return s.changeTask(ctx, who, m.TaskID, m.ReqID, func(r *taskRecord) error {
		switch {
		case r == nil:
			return refuse(wire.CodeTaskNotClaimable, "there is no such task")
		case r.Status == wire.TaskDone:
			return refuse(wire.CodeTaskNotClaimable, "the task is done")
		case r.Status == wire.TaskClaimed && r.Claim.Member != who.Member.Key && !r.Claim.stale(now):
			return refuse(wire.CodeTaskNotClaimable, "the task is claimed by %s", r.Claim.Name)
		}
		r.Status, r.Claim = wire.TaskClaimed, claim
		return nil
	})
}

// releaseTask gives a claimed task back.
func (s *Commons) releaseTask(ctx context.Context, who *Caller, m *wire.ReleaseTask) (wire.Message, error) {
	return s.changeTask(ctx, who, m.TaskID, m.ReqID, func(r *taskRecord) error {
		switch {
		case r == nil:
			return refuse(wire.CodeTaskNotFound, "there is no such task")
		case r.Status != wire.TaskClaimed:
			return refuse(wire.CodeTaskNotClaimable, "the task is %s, not claimed", r.Status)
		}
		refusal := refuse(wire.CodeForbidden, "the task is claimed by %s: only they or an admin may give it back", r.Claim.Name)
		if err := s.mayChange(ctx, who, r.Claim.Member, refusal); err != nil {
			return err
		}
		r.Status, r.Claim = wire.TaskOpen, nil
		return nil
	})
}

func (s *Commons) completeTask(ctx context.Context, who *Caller, m *wire.CompleteTask) (wire.Message, error) {
	return s.changeTask(ctx, who, m.TaskID, m.ReqID, func(r *taskRecord) error {
		if r == nil {
			return refuse(wire.CodeTaskNotFound, "there is no such task")
		}
		r.Status, r.Result = wire.TaskDone, m.Result
		return nil
	})
}

func (s *Commons) listTasks(ctx context.Context, who *Caller, m *wire.ListTasks) (wire.Message, error) {
	records, err := s.tasks(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	reply := &wire.TaskList{Tasks: []wire.Task{}, ReqID: m.ReqID}
	for _, id := range newestFirst(records, taskTime) {
		r := records[id]
		if m.Status != "" && r.Status != m.Status || m.Assignee != "" && r.Assignee != m.Assignee {
			continue
		}
		if len(reply.Tasks) == maxTasks {
			break
		}
		reply.Tasks = append(reply.Tasks, r.shown(id, now))
	}
	return reply, nil
}

func (r *taskRecord) shown(id string, now time.Time) wire.Task {
	t := wire.Task{
		ID: id, Title: r.Title, Assignee: orNull(r.Assignee), Status: r.Status, Priority: r.Priority,
		CreatedBy: r.CreatedBy, Tags: notNil(r.Tags), CreatedAt: moment(r.At), Result: r.Result,
	}
	if c := r.Claim; c != nil {
		at := moment(c.At)
		t.ClaimedBy, t.ClaimedAt = &c.Name, &at
		t.Stale = r.Status == wire.TaskClaimed && c.stale(now)
	}
	return t
}

// leftTasks notes on what a peer had claimed since when it is gone.
func (s *Commons) leftTasks(ctx context.Context, l presence.Left) error {
	records, err := s.tasks(ctx, l.Mesh)
	if err != nil {
		return err
	}
	var errs []error
	for id, r := range records {
		if r.Status != wire.TaskClaimed || !owned(r.Claim.Peer, r.Claim.Generation, l) || r.Claim.Left > 0 {
			continue
		}
		errs = append(errs, s.noteLeft(ctx, l, id))
	}
	return errors.Join(slices.Clip(errs)...)
}

func (s *Commons) noteLeft(ctx context.Context, l presence.Left, id string) error {
	return retry(ctx, func() error {
		old, err := s.get(ctx, l.Mesh, taskShelf, id)
		if err != nil || old == "" {
			return err
		}
		r, err := decodeRecord[taskRecord](old)
		if err != nil || r.Claim == nil || !owned(r.Claim.Peer, r.Claim.Generation, l) {
			return err
		}
		r.Claim.Left = time.Now().UnixMilli()
		record, err := encodeRecord(r)
		if err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{mesh: l.Mesh, tidy: true, changes: []change{set(taskShelf, id, record).was(old)}})
		return err
	})
}
