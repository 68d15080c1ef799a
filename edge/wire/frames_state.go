package wire

import (
	"cmp"
	"encoding/json"
)

// SetState replaces a value that the whole mesh shares. The value is opaque to
// the edge: peers may seal it.
type SetState struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	ReqID ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetState.
func (SetState) FrameType() Type { return TypeSetState }

// RequestID returns the _reqId.
func (m SetState) RequestID() ReqID { return m.ReqID }

func (m *SetState) validate() error {
	return cmp.Or(checkName("key", m.Key, MaxKey), checkGiven("value", m.Value), checkJSON("value", m.Value, MaxValue))
}

// GetState asks for one value.
type GetState struct {
	Key   string `json:"key"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeGetState.
func (GetState) FrameType() Type { return TypeGetState }

// RequestID returns the _reqId.
func (m GetState) RequestID() ReqID { return m.ReqID }

func (m *GetState) validate() error { return checkName("key", m.Key, MaxKey) }

// StateResult is one value. An unknown key has the value null, nobody who set
// it, and an empty time.
type StateResult struct {
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	UpdatedBy string          `json:"updatedBy"` // name of the member
	UpdatedAt TimeOrEmpty     `json:"updatedAt"`
	ReqID     ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeStateResult.
func (StateResult) FrameType() Type { return TypeStateResult }

// InReplyTo returns the _reqId of what was asked.
func (m StateResult) InReplyTo() ReqID { return m.ReqID }

// ListState asks for all values.
type ListState struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListState.
func (ListState) FrameType() Type { return TypeListState }

// RequestID returns the _reqId.
func (m ListState) RequestID() ReqID { return m.ReqID }

// StateList has all values, sorted by key.
type StateList struct {
	Entries []StateEntry `json:"entries"`
	ReqID   ReqID        `json:"_reqId,omitempty"`
}

// FrameType returns TypeStateList.
func (StateList) FrameType() Type { return TypeStateList }

// InReplyTo returns the _reqId of what was asked.
func (m StateList) InReplyTo() ReqID { return m.ReqID }

// StateEntry is one shared value.
type StateEntry struct {
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	UpdatedBy string          `json:"updatedBy"`
	UpdatedAt Time            `json:"updatedAt"`
}

// DeleteState removes a value. It is ours: existing clients cannot.
type DeleteState struct {
	Key   string `json:"key"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeDeleteState.
func (DeleteState) FrameType() Type { return TypeDeleteState }

// RequestID returns the _reqId.
func (m DeleteState) RequestID() ReqID { return m.ReqID }

func (m *DeleteState) validate() error { return checkName("key", m.Key, MaxKey) }

// StateDeleted says whether there was something to remove.
type StateDeleted struct {
	Key     string `json:"key"`
	Deleted bool   `json:"deleted"`
	ReqID   ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeStateDeleted.
func (StateDeleted) FrameType() Type { return TypeStateDeleted }

// InReplyTo returns the _reqId of what was asked.
func (m StateDeleted) InReplyTo() ReqID { return m.ReqID }

// StateChange tells the others of a changed value, with null for a removed one.
// Under a key of [ContextKey] it tells of a context instead.
type StateChange struct {
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	UpdatedBy string          `json:"updatedBy"`
}

// FrameType returns TypeStateChange.
func (StateChange) FrameType() Type { return TypeStateChange }

// ContextKey is the key under which a member's shared context is announced,
// though nothing is stored there.
func ContextKey(memberName string) string { return "_context:" + memberName }
