package presence

import (
	"context"
	"errors"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Roster lists who is here, in the order in which they came. Transient peers
// are not listed; hidden ones are, with Announced false.
func (s *Store) Roster(ctx context.Context, mesh string) ([]Presence, error) {
	all, err := s.records(ctx, mesh)
	if err != nil {
		return nil, failed("roster", err)
	}
	all = slices.DeleteFunc(all, func(p Presence) bool { return p.Transient })
	slices.SortFunc(all, func(a, b Presence) int {
		if c := a.ConnectedAt.Compare(b.ConnectedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, nil
}

func (s *Store) records(ctx context.Context, mesh string) ([]Presence, error) {
	stored, err := s.rdb.Raw().HGetAll(ctx, rosterKey(s.rdb.Tag(mesh), mesh)).Result()
	if err != nil {
		return nil, err
	}
	all := make([]Presence, 0, len(stored))
	for id, record := range stored {
		p, ok := parseRecord(Peer{Mesh: mesh, ID: id}, record)
		if !ok {
			return nil, errors.New("malformed record")
		}
		all = append(all, p)
	}
	return all, nil
}

// Get reads one record, transient or not. It reports false for a peer that is
// away.
func (s *Store) Get(ctx context.Context, p Peer) (Presence, bool, error) {
	text, err := s.rdb.Do(ctx, "HGET", rosterKey(s.rdb.Tag(p.Mesh), p.Mesh), p.ID).Text()
	if errors.Is(err, goredis.Nil) {
		return Presence{}, false, nil
	}
	if err != nil {
		return Presence{}, false, failed("get", err)
	}
	out, ok := parseRecord(p, text)
	if !ok {
		return Presence{}, false, unexpected("get", text)
	}
	return out, true, nil
}

// Saved reads what was kept of a member's last hello connection. It reports
// false when there is nothing.
func (s *Store) Saved(ctx context.Context, mesh, member string) (Saved, bool, error) {
	text, err := s.rdb.Do(ctx, "HGET", savedKey(s.rdb.Tag(mesh), mesh), member).Text()
	if errors.Is(err, goredis.Nil) {
		return Saved{}, false, nil
	}
	if err != nil {
		return Saved{}, false, failed("saved", err)
	}
	out, ok := parseSaved(text)
	if !ok {
		return Saved{}, false, unexpected("saved", text)
	}
	return out, true, nil
}
