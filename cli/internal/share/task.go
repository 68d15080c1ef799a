package share

import (
	"context"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Task is something to be done.
type Task struct {
	ID        string          `json:"id"`
	Title     string          `json:"title"`
	Tags      []string        `json:"tags"`
	Status    wire.TaskStatus `json:"status"`
	Priority  string          `json:"priority"`
	Assignee  string          `json:"assignee,omitempty"`
	By        string          `json:"by"` // who made it, by the broker's word; as is ClaimedBy
	At        time.Time       `json:"at"`
	ClaimedBy string          `json:"claimedBy,omitempty"`
	ClaimedAt *time.Time      `json:"claimedAt,omitempty"`
	Stale     bool            `json:"stale,omitempty"` // claimed by a peer that has left; to be had again
	Result    string          `json:"result,omitempty"`
	// ResultOrigin is where the result comes from; nil if there is none.
	ResultOrigin *Origin `json:"resultOrigin,omitempty"`
	Origin
}

// taskBody is what is sealed of a new task.
type taskBody struct {
	Title string   `json:"title"`
	Tags  []string `json:"tags,omitempty"`
}

// CreateTask puts a task before the mesh and returns its id. Title, Tags,
// Assignee and Priority of t are read.
func (m *Mesh) CreateTask(ctx context.Context, t Task) (string, error) {
	r := &wire.CreateTask{Title: t.Title, Tags: t.Tags, Assignee: t.Assignee, Priority: t.Priority, ID: m.newID()}
	if err := m.seal(purposeTask, r.ID, taskBody{t.Title, t.Tags}, &r.Title, &r.Tags, wire.MaxTitle); err != nil {
		return "", err
	}
	created, err := Ask[*wire.TaskCreated](ctx, m, r)
	if err != nil {
		return "", err
	}
	return created.ID, asNamed(r.ID, created.ID)
}

// Tasks returns the tasks of a status and of an assignee, or of any where that
// is empty, newest first. Brokers list no more than 100.
func (m *Mesh) Tasks(ctx context.Context, status wire.TaskStatus, assignee string) ([]Task, error) {
	return m.tasks(ctx, &wire.ListTasks{Status: status, Assignee: assignee})
}

// ClaimTask takes a task.
func (m *Mesh) ClaimTask(ctx context.Context, id string) (Task, error) {
	return m.changeTask(ctx, id, &wire.ClaimTask{TaskID: id})
}

// ReleaseTask gives a claimed task back.
func (m *Mesh) ReleaseTask(ctx context.Context, id string) (Task, error) {
	return m.changeTask(ctx, id, &wire.ReleaseTask{TaskID: id})
}

// CompleteTask ends a task.
func (m *Mesh) CompleteTask(ctx context.Context, id, result string) (Task, error) {
	r := &wire.CompleteTask{TaskID: id, Result: result}
	if result != "" {
		if err := m.seal(purposeResult, id, result, &r.Result, nil, wire.MaxResult); err != nil {
			return Task{}, err
		}
	}
	return m.changeTask(ctx, id, r)
}

func (m *Mesh) changeTask(ctx context.Context, id string, r wire.Request) (Task, error) {
	tasks, err := m.tasks(ctx, r)
	if err != nil {
		return Task{}, err
	}
	if i := slices.IndexFunc(tasks, func(t Task) bool { return t.ID == id }); i >= 0 {
		return tasks[i], nil
	}
	return Task{ID: id, Tags: []string{}}, nil // too old for the list
}

func (m *Mesh) tasks(ctx context.Context, r wire.Request) ([]Task, error) {
	list, err := Ask[*wire.TaskList](ctx, m, r)
	if err != nil {
		return nil, err
	}
	tasks := make([]Task, 0, len(list.Tasks))
	for i := range list.Tasks {
		tasks = append(tasks, m.openTask(&list.Tasks[i]))
	}
	return tasks, nil
}

func (m *Mesh) openTask(w *wire.Task) Task {
	body := taskBody{w.Title, w.Tags}
	o := m.unseal(purposeTask, w.ID, w.Title, &body)
	t := Task{
		ID: w.ID, Title: body.Title, Tags: notNil(body.Tags), Status: w.Status, Priority: w.Priority,
		Assignee: orEmpty(w.Assignee), By: w.CreatedBy, At: o.when(w.CreatedAt), ClaimedBy: orEmpty(w.ClaimedBy),
		Stale: w.Stale, Origin: o,
	}
	if w.ClaimedAt != nil {
		t.ClaimedAt = &w.ClaimedAt.Time
	}
	if w.Result != "" {
		t.Result = w.Result
		result := m.unseal(purposeResult, w.ID, w.Result, &t.Result)
		t.ResultOrigin = &result
	}
	return t
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
