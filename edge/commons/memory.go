package commons

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/edge/wire/recall"
)

// memoryShelf holds what the mesh remembers: id → memoryRecord. Every search
// reads all of it, hence the bound in bytes.
var memoryShelf = shelf{name: "memory", fields: 2000, bytes: 4 << 20}

// maxRecalled bounds the answer to one search.
const maxRecalled = 20

// memoryRecord is one text.
type memoryRecord struct {
	Content string   `json:"content"`
	Tags    []string `json:"tags,omitempty"`
	By      string   `json:"by"`
	At      int64    `json:"at"` // milliseconds
}

func (s *Commons) registerMemory() {
	on(s.table, s.remember)
	on(s.table, s.recall)
	on(s.table, s.forget)
}

func (s *Commons) remember(ctx context.Context, who *Caller, m *wire.Remember) (wire.Message, error) {
	record, err := encodeRecord(memoryRecord{
		Content: m.Content, Tags: m.Tags, By: who.Member.Name, At: time.Now().UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	id := newID()
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{set(memoryShelf, id, record)}})
	return &wire.MemoryStored{ID: id, ReqID: m.ReqID}, err
}

func (s *Commons) recall(ctx context.Context, who *Caller, m *wire.Recall) (wire.Message, error) {
	all, err := s.all(ctx, who.Peer.Mesh, memoryShelf)
	if err != nil {
		return nil, err
	}
	records, err := decodeAll[memoryRecord](all)
	if err != nil {
		return nil, err
	}
	ids := newestFirst(records, func(r memoryRecord) int64 { return r.At })
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = searchable(records[id].Content, records[id].Tags)
	}
	reply := &wire.MemoryResults{Memories: []wire.Memory{}, ReqID: m.ReqID}
	for _, i := range recall.Best(m.Query, texts, maxRecalled) {
		r := records[ids[i]]
		reply.Memories = append(reply.Memories, wire.Memory{
			ID: ids[i], Content: r.Content, Tags: notNil(r.Tags), RememberedBy: r.By, RememberedAt: moment(r.At),
		})
	}
	return reply, nil
}

// searchable is a text with its tags, which are searched like words of it.
func searchable(text string, tags []string) string {
	for _, tag := range tags {
		text += "\n" + tag
	}
	return text
}

func (s *Commons) forget(ctx context.Context, who *Caller, m *wire.Forget) (wire.Message, error) {
	_, _, err := s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{remove(memoryShelf, m.MemoryID)}})
	return wire.AckOf(m.MemoryID, m.ReqID), err
}
