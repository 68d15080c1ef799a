package rooms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

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

// Depths tells how much waits in each inbox of a mesh.
func (q Queue) Depths(ctx context.Context, mesh string) ([]wire.InboxDepth, error) {
	found, err := q.Queue.Depths(ctx, mesh)
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	out := make([]wire.InboxDepth, len(found))
	for i, d := range found {
		out[i] = wire.InboxDepth{Key: d.Inbox, Messages: d.Messages, Bytes: d.Bytes}
	}
	return out, nil
}

// Requeue puts a dead letter back into its inbox.
func (q Queue) Requeue(ctx context.Context, mesh, id string) error {
	return refused(q.Queue.Requeue(ctx, mesh, id))
}

// DropDead throws a dead letter away.
func (q Queue) DropDead(ctx context.Context, mesh, id string) error {
	return refused(q.Queue.DropDead(ctx, mesh, id))
}

// refused puts what queue declines into the words of package admin.
func refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, queue.ErrNotFound):
		return fmt.Errorf("%w: %w", admin.ErrNoMessage, err)
	case errors.Is(err, queue.ErrNoRecipient):
		return fmt.Errorf("%w: %w", admin.ErrNobody, err)
	case errors.Is(err, queue.ErrInboxFull), errors.Is(err, queue.ErrMeshFull):
		return fmt.Errorf("%w: %w", admin.ErrFull, err)
	}
	return fmt.Errorf("rooms: %w", err)
}

// Of returns c with the rooms kept by one Redis.
func Of(client *redis.Client, c admin.Config) admin.Config {
	keys := registry.New(client, registry.Options{})
	q := queue.New(client, queue.Options{
		MembersKey: keys.MembersKey, BansKey: keys.BansKey, SessionsKey: keys.SessionsKey, GrantsKey: keys.GrantsKey,
	})
	c.Presence = NewPresence(client, presence.New(client, presence.Options{
		JournalLua: queue.JournalLua, JournalKeys: q.JournalKeys, MembersKey: keys.MembersKey, BansKey: keys.BansKey,
	}))
	c.Queue, c.Depths, c.Office, c.Fleet = Queue{q}, Queue{q}, Queue{q}, Fleet{client}
	return c
}
