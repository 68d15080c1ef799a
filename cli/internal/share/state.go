package share

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Value is one value of the shared state.
type Value struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"` // null if it could not be opened
	By    string          `json:"by"`    // who set it, by the broker's word
	At    time.Time       `json:"at"`
	Origin
}

// ErrNotJSON says that a value of the state is no JSON.
var ErrNotJSON = errors.New("share: not JSON")

// SetState sets a value, for everybody to see.
func (m *Mesh) SetState(ctx context.Context, key string, value json.RawMessage) error {
	if !json.Valid(value) {
		return ErrNotJSON
	}
	if !m.Clear {
		text, err := m.wrap(purposeState, key, value, wire.MaxValue-2)
		if err != nil {
			return err
		}
		if value, err = json.Marshal(text); err != nil {
			return err
		}
	} else if markedJSON(value) != "" {
		return ErrMarked
	}
	return Do(ctx, m, &wire.SetState{Key: key, Value: value})
}

// State returns one value; ok is false if there is none.
func (m *Mesh) State(ctx context.Context, key string) (v Value, ok bool, err error) {
	r, err := Ask[*wire.StateResult](ctx, m, &wire.GetState{Key: key})
	if err != nil || r.UpdatedAt.IsZero() {
		return Value{}, false, err
	}
	return m.OpenState(wire.StateEntry{Key: key, Value: r.Value, UpdatedBy: r.UpdatedBy, UpdatedAt: r.UpdatedAt.Time}), true, nil
}

// States returns all values, by key.
func (m *Mesh) States(ctx context.Context) ([]Value, error) {
	r, err := Ask[*wire.StateList](ctx, m, &wire.ListState{})
	if err != nil {
		return nil, err
	}
	values := make([]Value, 0, len(r.Entries))
	for _, e := range r.Entries {
		values = append(values, m.OpenState(e))
	}
	return values, nil
}

// OpenState opens a value as the broker has it, such as that of a state_change.
func (m *Mesh) OpenState(e wire.StateEntry) Value {
	v := Value{Key: e.Key, Value: e.Value, By: e.UpdatedBy}
	if text := markedJSON(e.Value); text != "" {
		v.Origin = m.unseal(purposeState, e.Key, text, &v.Value)
	}
	if v.Value == nil {
		v.Value = json.RawMessage("null")
	}
	v.At = v.when(e.UpdatedAt)
	return v
}

// DeleteState removes a value, and reports whether there was one.
func (m *Mesh) DeleteState(ctx context.Context, key string) (bool, error) {
	r, err := Ask[*wire.StateDeleted](ctx, m, &wire.DeleteState{Key: key})
	return err == nil && r.Deleted, err
}

// markedJSON returns the text that a value consists of, if that claims to be
// sealed.
func markedJSON(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil || !seal.IsShared(text) {
		return ""
	}
	return text
}
