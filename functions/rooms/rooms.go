package rooms

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// Presence reads the roster.
type Presence struct{ Store *presence.Store }

// Present lists the connections of a mesh. Transient ones are not listed.
func (p Presence) Present(ctx context.Context, mesh string) ([]admin.Present, error) {
	roster, err := p.Store.Roster(ctx, mesh)
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	out := make([]admin.Present, len(roster))
	for i, r := range roster {
		var record struct {
			DisplayName string `json:"displayName"`
		}
		_ = json.Unmarshal(r.Record, &record) // a record without a name is shown without one
		role := wire.PeerRoleControlPlane
		if r.Kind == presence.KindSession {
			role = wire.PeerRoleSession
		}
		out[i] = admin.Present{Member: r.Member, Presence: wire.Presence{
			Pubkey: r.Key, DisplayName: record.DisplayName, PeerRole: role,
			Status: r.Status.Value, Visible: r.Announced, ConnectedAt: wire.At(r.ConnectedAt),
		}}
	}
	return out, nil
}

// Queue reads inboxes and dead letters, and leaves out what they say.
type Queue struct{ Queue *queue.Queue }

// maxRead bounds what one look at an inbox fetches, content included.
const maxRead = 8 << 20

// Waiting lists the oldest messages of one lane of an inbox.
func (q Queue) Waiting(ctx context.Context, mesh, inbox, lane string, after uint64, limit int) ([]wire.Envelope, error) {
	entries, err := q.Queue.Read(ctx, mesh, inbox, queue.Lane(lane), after, limit, maxRead)
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	out := make([]wire.Envelope, len(entries))
	for i, e := range entries {
		out[i] = envelope(e, lane)
	}
	return out, nil
}

// DeadLetters lists the oldest dead letters of a mesh.
func (q Queue) DeadLetters(ctx context.Context, mesh string, limit int) ([]wire.DeadLetter, error) {
	found, err := q.Queue.DeadLetters(ctx, mesh, limit)
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	out := make([]wire.DeadLetter, len(found))
	for i, d := range found {
		out[i] = wire.DeadLetter{Envelope: envelope(d.Entry, string(d.Lane)), Inbox: d.Inbox, Reason: d.Reason}
	}
	return out, nil
}

func envelope(e queue.Entry, lane string) wire.Envelope {
	return wire.Envelope{
		MessageID: e.ID, Lane: lane, Seq: e.Seq, SenderPubkey: e.Member,
		SentAt: wire.At(time.UnixMilli(e.At)), Bytes: len(e.Body),
	}
}

// Fleet reads what edges say of themselves.
type Fleet struct{ Redis *redis.Client }

const (
	// edgesKey is written by every edge's watcher: edge → last heartbeat.
	edgesKey = "edges"

	// fleetKey holds, by edge, what it says of itself: JSON with version,
	// sockets and lateMs. Edges that do not write it are listed without.
	fleetKey = "fleet"

	maxEdges = 1000
)

// Edges lists the edges whose heartbeats are remembered, the latest first.
func (f Fleet) Edges(ctx context.Context) ([]wire.FleetEdge, error) {
	pipe := f.Redis.Raw().Pipeline()
	clock := pipe.Time(ctx)
	seen := pipe.ZRevRangeWithScores(ctx, edgesKey, 0, maxEdges-1)
	said := pipe.HGetAll(ctx, fleetKey)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("rooms: fleet: %w", err)
	}
	out := make([]wire.FleetEdge, len(seen.Val()))
	for i, z := range seen.Val() {
		edge, _ := z.Member.(string)
		at := time.UnixMilli(int64(z.Score))
		_ = json.Unmarshal([]byte(said.Val()[edge]), &out[i]) // one that says nothing is listed all the same
		out[i].Edge, out[i].SeenAt, out[i].AgeMs = edge, wire.At(at), clock.Val().Sub(at).Milliseconds()
	}
	return out, nil
}

// Of returns c with the rooms kept by one Redis.
func Of(client *redis.Client, c admin.Config) admin.Config {
	c.Presence = Presence{presence.New(client, presence.Options{})}
	c.Queue = Queue{queue.New(client, queue.Options{})}
	c.Fleet = Fleet{client}
	return c
}
