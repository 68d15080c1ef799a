package share

import (
	"context"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/edge/wire/recall"
)

// Memory is a text that the mesh keeps.
type Memory struct {
	ID      string    `json:"id"`
	Content string    `json:"content"`
	Tags    []string  `json:"tags"`
	By      string    `json:"by"` // by the broker's word
	At      time.Time `json:"at"`
	Origin
}

// memoryBody is what is sealed of it.
type memoryBody struct {
	Content string   `json:"content"`
	Tags    []string `json:"tags,omitempty"`
}

// maxPages bounds a search: no broker keeps that much.
const maxPages = 64

// Remember keeps a text for the mesh and returns its id.
func (m *Mesh) Remember(ctx context.Context, content string, tags []string) (string, error) {
	r := &wire.Remember{Content: content, Tags: tags, ID: m.newID()}
	if err := m.seal(purposeMemory, r.ID, memoryBody{content, tags}, &r.Content, &r.Tags, wire.MaxContent); err != nil {
		return "", err
	}
	stored, err := Ask[*wire.MemoryStored](ctx, m, r)
	if err != nil {
		return "", err
	}
	return stored.ID, asNamed(r.ID, stored.ID)
}

// Recall searches what was kept, best first; without a query it returns the
// newest. What could not be opened is not found by a query.
func (m *Mesh) Recall(ctx context.Context, query string, limit int) ([]Memory, error) {
	all, err := m.Memories(ctx)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(all))
	for i := range all {
		texts[i] = strings.Join(append([]string{all[i].Content}, all[i].Tags...), "\n")
	}
	found := make([]Memory, 0, limit)
	for _, i := range recall.Best(query, texts, limit) {
		found = append(found, all[i])
	}
	return found, nil
}

// Memories returns all that was kept, newest first.
func (m *Mesh) Memories(ctx context.Context) ([]Memory, error) {
	all := []Memory{}
	r := &wire.Recall{All: true}
	for range maxPages {
		page, err := Ask[*wire.MemoryResults](ctx, m, r)
		if err != nil {
			return nil, err
		}
		for i := range page.Memories {
			all = append(all, m.openMemory(&page.Memories[i]))
		}
		if page.Next == "" {
			break
		}
		r = &wire.Recall{All: true, After: page.Next}
	}
	return all, nil
}

func (m *Mesh) openMemory(w *wire.Memory) Memory {
	body := memoryBody{w.Content, w.Tags}
	o := m.unseal(purposeMemory, w.ID, w.Content, &body)
	return Memory{
		ID: w.ID, Content: body.Content, Tags: notNil(body.Tags), By: w.RememberedBy, At: o.when(w.RememberedAt), Origin: o,
	}
}

// Forget drops what was kept under an id. Brokers do not say whether there was
// something.
func (m *Mesh) Forget(ctx context.Context, id string) error {
	return Do(ctx, m, &wire.Forget{MemoryID: id})
}
