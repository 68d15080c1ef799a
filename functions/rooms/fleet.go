package rooms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	// edgesKey holds, by edge, its last heartbeat as one that settles
	// departures. Every edge's watcher writes it, unless it holds them back.
	edgesKey = "edges"

	// fleetKey holds, by edge, what it says of itself: JSON with version,
	// startedAt, sockets, lateMs and, in milliseconds, seenMs. Package edge
	// writes it every five seconds.
	fleetKey = "fleet"

	// aliveWithin is how old the word of an edge that is alive may be: three
	// reports may fail.
	aliveWithin = 15 * time.Second

	maxEdges = 1000
)

// Fleet reads what edges say of themselves.
type Fleet struct{ Redis *redis.Client }

// Edges lists the edges that were heard of lately, the latest first. One that
// went without a word is listed until others have forgotten it; its age tells.
func (f Fleet) Edges(ctx context.Context) ([]wire.FleetEdge, error) {
	pipe := f.Redis.Raw().Pipeline()
	clock := pipe.Time(ctx)
	seen := pipe.ZRevRangeWithScores(ctx, edgesKey, 0, maxEdges-1)
	said := pipe.HGetAll(ctx, fleetKey)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("rooms: fleet: %w", err)
	}
	out := merge(said.Val(), seen.Val())
	for i := range out {
		out[i].AgeMs = max(0, clock.Val().Sub(out[i].SeenAt.Time).Milliseconds())
	}
	return out, nil
}

// merge puts together what edges say and that they were seen. One that says
// nothing, or nothing readable, is listed all the same.
func merge(said map[string]string, seen []goredis.Z) []wire.FleetEdge {
	all := map[string]wire.FleetEdge{}
	for edge, text := range said {
		var word struct {
			wire.FleetEdge
			SeenMs int64 `json:"seenMs"`
		}
		_ = json.Unmarshal([]byte(text), &word)
		word.Edge, word.SeenAt = edge, wire.At(time.UnixMilli(word.SeenMs))
		all[edge] = word.FleetEdge
	}
	for _, z := range seen {
		edge, _ := z.Member.(string)
		e, at := all[edge], time.UnixMilli(int64(z.Score))
		if e.Edge = edge; e.SeenAt.Before(at) {
			e.SeenAt = wire.At(at)
		}
		all[edge] = e
	}
	out := make([]wire.FleetEdge, 0, len(all))
	for _, e := range all {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b wire.FleetEdge) int {
		return cmp.Or(b.SeenAt.Compare(a.SeenAt.Time), cmp.Compare(a.Edge, b.Edge))
	})
	return out[:min(len(out), maxEdges)]
}

// alive names the edges that have been heard of within [aliveWithin].
func (f Fleet) alive(ctx context.Context) (map[string]bool, error) {
	edges, err := f.Edges(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(edges))
	for _, e := range edges {
		out[e.Edge] = e.AgeMs < aliveWithin.Milliseconds()
	}
	return out, nil
}
