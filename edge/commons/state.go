package commons

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// stateShelf holds the shared state: key → stateRecord. One frame lists all of
// it, hence the bound in bytes.
var stateShelf = shelf{name: "state", fields: 1000, bytes: 2 << 20}

// stateRecord is one value of the shared state.
type stateRecord struct {
	Value     json.RawMessage `json:"value"`
	UpdatedBy string          `json:"updatedBy"`
	UpdatedAt int64           `json:"updatedAt"` // milliseconds
}

func (s *Commons) registerState() {
	on(s.table, s.setState)
	on(s.table, s.getState)
	on(s.table, s.listState)
	on(s.table, s.deleteState)
}

func (s *Commons) setState(ctx context.Context, who *Caller, m *wire.SetState) (wire.Message, error) {
	record, err := encodeRecord(stateRecord{Value: m.Value, UpdatedBy: who.Member.Name, UpdatedAt: time.Now().UnixMilli()})
	if err != nil {
		return nil, err
	}
	told, err := frameEntry(who, &wire.StateChange{Key: m.Key, Value: m.Value, UpdatedBy: who.Member.Name})
	if err != nil {
		return nil, err
	}
	_, _, err = s.apply(ctx, act{
		mesh: who.Peer.Mesh, by: who, changes: []change{set(stateShelf, m.Key, record)}, entries: []entry{told},
	})
	return nil, err
}

func (s *Commons) getState(ctx context.Context, who *Caller, m *wire.GetState) (wire.Message, error) {
	text, err := s.get(ctx, who.Peer.Mesh, stateShelf, m.Key)
	if err != nil {
		return nil, err
	}
	reply := &wire.StateResult{Key: m.Key, Value: json.RawMessage("null"), ReqID: m.ReqID}
	if text == "" {
		return reply, nil
	}
	r, err := decodeRecord[stateRecord](text)
	if err != nil {
		return nil, err
	}
	reply.Value, reply.UpdatedBy = r.Value, r.UpdatedBy
	reply.UpdatedAt = wire.TimeOrEmpty{Time: moment(r.UpdatedAt)}
	return reply, nil
}

func (s *Commons) listState(ctx context.Context, who *Caller, m *wire.ListState) (wire.Message, error) {
	all, err := s.all(ctx, who.Peer.Mesh, stateShelf)
	if err != nil {
		return nil, err
	}
	reply := &wire.StateList{Entries: []wire.StateEntry{}, ReqID: m.ReqID}
	for key, text := range all {
		r, err := decodeRecord[stateRecord](text)
		if err != nil {
			return nil, err
		}
		reply.Entries = append(reply.Entries, wire.StateEntry{
			Key: key, Value: r.Value, UpdatedBy: r.UpdatedBy, UpdatedAt: moment(r.UpdatedAt),
		})
	}
	slices.SortFunc(reply.Entries, func(a, b wire.StateEntry) int { return strings.Compare(a.Key, b.Key) })
	return reply, nil
}

func (s *Commons) deleteState(ctx context.Context, who *Caller, m *wire.DeleteState) (wire.Message, error) {
	old, err := s.get(ctx, who.Peer.Mesh, stateShelf, m.Key)
	if err != nil {
		return nil, err
	}
	reply := &wire.StateDeleted{Key: m.Key, Deleted: old != "", ReqID: m.ReqID}
	if old == "" {
		return reply, nil
	}
	told, err := frameEntry(who, &wire.StateChange{Key: m.Key, Value: json.RawMessage("null"), UpdatedBy: who.Member.Name})
	if err != nil {
		return nil, err
	}
	_, _, err = s.apply(ctx, act{
		mesh: who.Peer.Mesh, by: who, changes: []change{remove(stateShelf, m.Key)}, entries: []entry{told},
	})
	return reply, err
}
