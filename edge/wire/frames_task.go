package wire

import (
	"cmp"
	"errors"
)

// TaskStatus is how far a task is.
type TaskStatus string

// A task's way.
const (
	TaskOpen    TaskStatus = "open"
	TaskClaimed TaskStatus = "claimed"
	TaskDone    TaskStatus = "done"
)

// Valid reports whether s is one of the three.
func (s TaskStatus) Valid() bool { return s == TaskOpen || s == TaskClaimed || s == TaskDone }

// TaskPriority is the priority of a task that was given none.
const TaskPriority = "normal"

// CreateTask puts something to be done before the mesh.
type CreateTask struct {
	Title    string   `json:"title"`
	Assignee string   `json:"assignee,omitempty"`
	Priority string   `json:"priority,omitempty"` // any word; TaskPriority if none
	Tags     []string `json:"tags,omitempty"`
	ID       string   `json:"taskId,omitempty"` // ours: a new id, to which a sealed title is bound
	ReqID    ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeCreateTask.
func (CreateTask) FrameType() Type { return TypeCreateTask }

// RequestID returns the _reqId.
func (m CreateTask) RequestID() ReqID { return m.ReqID }

func (m *CreateTask) validate() error {
	return cmp.Or(
		checkRequired("title", m.Title, MaxTitle),
		checkLabel("assignee", m.Assignee, MaxDisplayName),
		checkLabel("priority", m.Priority, MaxLabel),
		checkTags(m.Tags),
		checkNewID("taskId", m.ID),
	)
}

// TaskCreated names the task.
type TaskCreated struct {
	ID    string `json:"id"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTaskCreated.
func (TaskCreated) FrameType() Type { return TypeTaskCreated }

// InReplyTo returns the _reqId of what was asked.
func (m TaskCreated) InReplyTo() ReqID { return m.ReqID }

// ClaimTask takes a task. One of several who try gets it.
type ClaimTask struct {
	TaskID string `json:"taskId"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeClaimTask.
func (ClaimTask) FrameType() Type { return TypeClaimTask }

// RequestID returns the _reqId.
func (m ClaimTask) RequestID() ReqID { return m.ReqID }

func (m *ClaimTask) validate() error { return checkID("taskId", m.TaskID) }

// CompleteTask ends a task, whoever claimed it.
type CompleteTask struct {
	TaskID string `json:"taskId"`
	Result string `json:"result,omitempty"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeCompleteTask.
func (CompleteTask) FrameType() Type { return TypeCompleteTask }

// RequestID returns the _reqId.
func (m CompleteTask) RequestID() ReqID { return m.ReqID }

func (m *CompleteTask) validate() error {
	return cmp.Or(checkID("taskId", m.TaskID), checkText("result", m.Result, MaxResult))
}

// ReleaseTask gives a claimed task back. It is ours.
type ReleaseTask struct {
	TaskID string `json:"taskId"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeReleaseTask.
func (ReleaseTask) FrameType() Type { return TypeReleaseTask }

// RequestID returns the _reqId.
func (m ReleaseTask) RequestID() ReqID { return m.ReqID }

func (m *ReleaseTask) validate() error { return checkID("taskId", m.TaskID) }

// ListTasks asks for tasks, all of them or those that match.
type ListTasks struct {
	Status   TaskStatus `json:"status,omitempty"`
	Assignee string     `json:"assignee,omitempty"`
	ReqID    ReqID      `json:"_reqId,omitempty"`
}

// FrameType returns TypeListTasks.
func (ListTasks) FrameType() Type { return TypeListTasks }

// RequestID returns the _reqId.
func (m ListTasks) RequestID() ReqID { return m.ReqID }

func (m *ListTasks) validate() error {
	if m.Status != "" && !m.Status.Valid() {
		return errors.New("status must be open, claimed or done")
	}
	return checkLabel("assignee", m.Assignee, MaxDisplayName)
}

// TaskList has tasks, newest first.
type TaskList struct {
	Tasks []Task `json:"tasks"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTaskList.
func (TaskList) FrameType() Type { return TypeTaskList }

// InReplyTo returns the _reqId of what was asked.
func (m TaskList) InReplyTo() ReqID { return m.ReqID }

// Task is something to be done.
type Task struct {
	ID        string     `json:"id"`
	Title     string     `json:"title"`
	Assignee  *string    `json:"assignee"`
	ClaimedBy *string    `json:"claimedBy"` // name of the member
	Status    TaskStatus `json:"status"`
	Priority  string     `json:"priority"`
	CreatedBy string     `json:"createdBy"`
	Tags      []string   `json:"tags"`
	CreatedAt Time       `json:"createdAt"`

	Result    string `json:"result,omitempty"` // ours, as what follows
	ClaimedAt *Time  `json:"claimedAt,omitempty"`
	Stale     bool   `json:"stale,omitempty"` // claimed by a peer that left; can be claimed again
}
