package registry

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

//go:embed lua/grants.lua
var grantsSource string
var grantsScript = redis.NewScript(grantsSource, auditSource)

// grantTries bounds how often SetGrants starts over when others change the
// same member's grants.
const grantTries = 5

// Grants returns what a member lets others do. A member that never said
// anything has none, and the defaults hold.
func (s *Store) Grants(ctx context.Context, mesh, memberKey string) (wire.Grants, error) {
	g, _, err := s.readGrants(ctx, mesh, normal(memberKey))
	return g, err
}

func (s *Store) readGrants(ctx context.Context, mesh, memberKey string) (wire.Grants, string, error) {
	text, err := s.c.Raw().HGet(ctx, s.keys.grants(mesh), memberKey).Result()
	if errors.Is(err, goredis.Nil) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("registry: read grants: %w", err)
	}
	g, err := decodeGrants(memberKey, text)
	return g, text, err
}

// SetGrants changes what a member lets others do, sender by sender: a list
// replaces the sender's entry, an empty one blocks, nil removes the entry. The
// mesh's bell tells edges whose grants to read again. It returns the merged
// grants, [ErrNotMember], or [ErrFull].
//
// The merge happens here and the script only compares and stores, because
// Lua's JSON turns an empty list into an object.
func (s *Store) SetGrants(ctx context.Context, mesh, memberKey string, change wire.Grants) (wire.Grants, error) {
	memberKey = normal(memberKey)
	for range grantTries {
		old, was, err := s.readGrants(ctx, mesh, memberKey)
		if err != nil {
			return nil, err
		}
		merged := merge(old, change)
		if len(merged) > s.o.GrantsPerMember {
			return nil, ErrFull
		}
		text, err := json.Marshal(merged)
		if err != nil {
			return nil, fmt.Errorf("registry: encode grants: %w", err)
		}
		args := append([]any{memberKey, was, text, s.c.MeshBell(mesh)},
			entry(ctx, auditGranted, payload{"pubkey": memberKey, "changed": len(change)})...)
		word, err := s.change(ctx, mesh, grantsScript,
			[]string{s.keys.members(mesh), s.keys.grants(mesh), s.keys.audit(mesh)}, args...).Text()
		if err := answer(word, err, "set grants"); !errors.Is(err, ErrConflict) {
			return merged, err
		}
	}
	return nil, ErrConflict
}

func merge(old, change wire.Grants) wire.Grants {
	merged := make(wire.Grants, len(old)+len(change))
	for sender, caps := range old {
		merged[sender] = caps
	}
	for sender, caps := range change {
		if caps == nil {
			delete(merged, normal(sender))
			continue
		}
		merged[normal(sender)] = caps
	}
	return merged
}
