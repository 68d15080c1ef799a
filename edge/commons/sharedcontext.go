package commons

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// contextShelf holds what each member says it works on: member key →
// contextRecord.
var contextShelf = shelf{name: "context", fields: 1000, bytes: 3 << 20}

// maxContexts bounds the answer to one search.
const maxContexts = 20

// contextRecord is what one member works on.
type contextRecord struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Summary     string   `json:"summary"`
	FilesRead   []string `json:"filesRead,omitempty"`
	KeyFindings []string `json:"keyFindings,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	At          int64    `json:"at"` // milliseconds
}

func (s *Commons) registerContext() {
	on(s.table, s.shareContext)
	on(s.table, s.getContext)
	on(s.table, s.listContexts)
}

func (s *Commons) shareContext(ctx context.Context, who *Caller, m *wire.ShareContext) (wire.Message, error) {
	r := contextRecord{
		ID: newID(), Name: who.Member.Name, Summary: m.Summary, FilesRead: m.FilesRead, KeyFindings: m.KeyFindings,
		Tags: m.Tags, At: time.Now().UnixMilli(),
	}
	record, err := encodeRecord(r)
	if err != nil {
		return nil, err
	}
	summary, err := json.Marshal(m.Summary)
	if err != nil {
		return nil, err
	}
	told, err := frameEntry(who, &wire.StateChange{
		Key: wire.ContextKey(who.Member.Name), Value: summary, UpdatedBy: who.Member.Name,
	})
	if err != nil {
		return nil, err
	}
	_, _, err = s.apply(ctx, act{
		mesh: who.Peer.Mesh, by: who, changes: []change{set(contextShelf, who.Member.Key, record)}, entries: []entry{told},
	})
	return &wire.ContextShared{ID: r.ID, ReqID: m.ReqID}, err
}

func (s *Commons) contexts(ctx context.Context, mesh string) ([]contextRecord, error) {
	all, err := s.all(ctx, mesh, contextShelf)
	if err != nil {
		return nil, err
	}
	records, err := decodeAll[contextRecord](all)
	if err != nil {
		return nil, err
	}
	out := make([]contextRecord, 0, len(records))
	for _, key := range newestFirst(records, func(r contextRecord) int64 { return r.At }) {
		out = append(out, records[key])
	}
	return out, nil
}

func (s *Commons) getContext(ctx context.Context, who *Caller, m *wire.GetContext) (wire.Message, error) {
	all, err := s.contexts(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	reply := &wire.ContextResults{Contexts: []wire.Context{}, ReqID: m.ReqID}
	query := strings.ToLower(m.Query)
	for _, r := range all {
		if len(reply.Contexts) == maxContexts {
			break
		}
		if strings.Contains(strings.ToLower(r.Summary), query) || slices.Contains(r.Tags, m.Query) {
			reply.Contexts = append(reply.Contexts, wire.Context{
				PeerName: r.Name, Summary: r.Summary, FilesRead: notNil(r.FilesRead), KeyFindings: notNil(r.KeyFindings),
				Tags: notNil(r.Tags), UpdatedAt: moment(r.At),
			})
		}
	}
	return reply, nil
}

func (s *Commons) listContexts(ctx context.Context, who *Caller, m *wire.ListContexts) (wire.Message, error) {
	all, err := s.contexts(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	reply := &wire.ContextList{Contexts: []wire.ContextBrief{}, ReqID: m.ReqID}
	for _, r := range all {
		reply.Contexts = append(reply.Contexts, wire.ContextBrief{
			PeerName: r.Name, Summary: r.Summary, Tags: notNil(r.Tags), UpdatedAt: moment(r.At),
		})
	}
	return reply, nil
}
