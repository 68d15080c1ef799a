package commons

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/edge/wire/recall"
)

// memoryShelf holds what the mesh remembers: id → memoryRecord. Every search
// reads all of it, hence the bound in bytes.
var memoryShelf = shelf{name: "memory", fields: 2000, bytes: 4 << 20}

const (
	maxRecalled = 20      // in the answer to one search
	recallBytes = 1 << 20 // of one page of all
	memoryFrame = 200     // bytes of a memory in a frame beside its texts
)

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
	id := cmp.Or(m.ID, newID())
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{set(memoryShelf, id, record).was("")}})
	if errors.Is(err, errConflict) {
		err = errTaken
	}
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
	if m.All {
		return recallPage(records, ids, m), nil
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = searchable(records[id].Content, records[id].Tags)
	}
	reply := &wire.MemoryResults{Memories: []wire.Memory{}, ReqID: m.ReqID}
	for _, i := range recall.Best(m.Query, texts, maxRecalled) {
		reply.Memories = append(reply.Memories, records[ids[i]].shown(ids[i]))
	}
	return reply, nil
}

func (r memoryRecord) shown(id string) wire.Memory {
	return wire.Memory{ID: id, Content: r.Content, Tags: notNil(r.Tags), RememberedBy: r.By, RememberedAt: moment(r.At)}
}

// recallPage lists what whoever searches sealed texts has to read. A page ends
// before recallBytes; the next one begins behind its last text, whether that
// is still there or not.
func recallPage(records map[string]memoryRecord, ids []string, m *wire.Recall) *wire.MemoryResults {
	reply := &wire.MemoryResults{Memories: []wire.Memory{}, ReqID: m.ReqID}
	place, size := "", 0
	for _, id := range ids {
		r := records[id]
		here := memoryPlace(r.At, id)
		if m.After != "" && here >= m.After {
			continue
		}
		if size += r.size(id); size > recallBytes && len(reply.Memories) > 0 {
			reply.Next = place
			break
		}
		reply.Memories, place = append(reply.Memories, r.shown(id)), here
	}
	return reply
}

// memoryPlace orders texts as newestFirst does, the newest last.
func memoryPlace(at int64, id string) string { return fmt.Sprintf("%016d/%s", at, id) }

// size is what a text takes in a list. JSON may write a byte as six.
func (r memoryRecord) size(id string) int {
	b, err := json.Marshal(r)
	if err != nil {
		return 0 // it was read as JSON
	}
	return len(b) + len(id) + memoryFrame
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
