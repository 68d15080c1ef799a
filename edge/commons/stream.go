package commons

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

var (
	// streamShelf holds the streams that were created: name → streamRecord.
	streamShelf = shelf{name: "stream", fields: 1000, bytes: 1 << 20}

	// subscriptionShelf holds what each peer hears: PEER → subscriptionRecord.
	subscriptionShelf = shelf{name: "subscription", fields: 10_000, bytes: 8 << 20}
)

// maxSubscriptions bounds the streams that one peer hears.
const maxSubscriptions = 100

// streamRecord is a stream that was created.
type streamRecord struct {
	ID string `json:"id"`
	By string `json:"by"`
	At int64  `json:"at"` // milliseconds
}

// subscriptionRecord is what one peer hears.
type subscriptionRecord struct {
	Generation string   `json:"generation"`
	Streams    []string `json:"streams"`
}

// subscribersShelf holds who hears one stream: PEER → generation. Names are
// anything, so that the key has a hash of it.
func subscribersShelf(stream string) shelf {
	sum := sha256.Sum256([]byte(stream))
	return shelf{name: "subscribers-" + hex.EncodeToString(sum[:12]), fields: 1000, bytes: 1 << 20}
}

func (s *Commons) registerStreams() {
	on(s.table, s.createStream)
	on(s.table, s.listStreams)
	on(s.table, s.subscribe)
	on(s.table, s.unsubscribe)
	on(s.table, s.publish)
	s.left = append(s.left, s.leftStreams)
}

func (s *Commons) createStream(ctx context.Context, who *Caller, m *wire.CreateStream) (wire.Message, error) {
	reply := &wire.StreamCreated{Name: m.Name, ReqID: m.ReqID}
	err := retry(ctx, func() error {
		old, err := s.get(ctx, who.Peer.Mesh, streamShelf, m.Name)
		if err != nil {
			return err
		}
		r := streamRecord{ID: newID(), By: who.Member.Name, At: time.Now().UnixMilli()}
		if old != "" {
			r, err = decodeRecord[streamRecord](old)
			reply.ID = r.ID
			return err
		}
		record, err := encodeRecord(r)
		if err != nil {
			return err
		}
		reply.ID = r.ID
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{set(streamShelf, m.Name, record).was("")}})
		return err
	})
	return reply, err
}

func (s *Commons) listStreams(ctx context.Context, who *Caller, m *wire.ListStreams) (wire.Message, error) {
	all, err := s.all(ctx, who.Peer.Mesh, streamShelf)
	if err != nil {
		return nil, err
	}
	records, err := decodeAll[streamRecord](all)
	if err != nil {
		return nil, err
	}
	names := oldestFirst(records, func(r streamRecord) int64 { return r.At })
	counts := make([]*goredis.IntCmd, len(names))
	pipe := s.redis.Raw().Pipeline()
	for i, name := range names {
		counts[i] = pipe.HLen(ctx, s.key(who.Peer.Mesh, subscribersShelf(name)))
	}
	if _, err := pipe.Exec(ctx); len(names) > 0 && err != nil {
		return nil, err
	}
	reply := &wire.StreamList{Streams: []wire.Stream{}, ReqID: m.ReqID}
	for i, name := range names {
		r := records[name]
		reply.Streams = append(reply.Streams, wire.Stream{
			ID: r.ID, Name: name, CreatedBy: r.By, CreatedAt: moment(r.At), SubscriberCount: int(counts[i].Val()),
		})
	}
	return reply, nil
}

// subscribe can be repeated: a new attachment takes its subscriptions along.
func (s *Commons) subscribe(ctx context.Context, who *Caller, m *wire.Subscribe) (wire.Message, error) {
	err := s.changeSubscriptions(ctx, who, func(streams []string) ([]string, change, error) {
		if !slices.Contains(streams, m.Stream) {
			if len(streams) >= maxSubscriptions {
				return nil, change{}, refuse(wire.CodeFull, "a peer may hear %d streams at once", maxSubscriptions)
			}
			streams = append(streams, m.Stream)
		}
		return streams, set(subscribersShelf(m.Stream), who.Peer.ID, who.Generation), nil
	})
	return &wire.Subscribed{Stream: m.Stream, ReqID: m.ReqID}, err
}

func (s *Commons) unsubscribe(ctx context.Context, who *Caller, m *wire.Unsubscribe) (wire.Message, error) {
	return nil, s.changeSubscriptions(ctx, who, func(streams []string) ([]string, change, error) {
		streams = slices.DeleteFunc(streams, func(name string) bool { return name == m.Stream })
		return streams, remove(subscribersShelf(m.Stream), who.Peer.ID), nil
	})
}

// changeSubscriptions changes which streams the caller hears, and one stream's
// list of who hears it, together.
func (s *Commons) changeSubscriptions(
	ctx context.Context, who *Caller, f func(streams []string) ([]string, change, error),
) error {
	return retry(ctx, func() error {
		old, r, err := s.subscriptions(ctx, who.Peer)
		if err != nil {
			return err
		}
		streams, one, err := f(r.Streams)
		if err != nil {
			return err
		}
		mine := remove(subscriptionShelf, who.Peer.ID)
		if len(streams) > 0 {
			record, err := encodeRecord(subscriptionRecord{Generation: who.Generation, Streams: streams})
			if err != nil {
				return err
			}
			mine = set(subscriptionShelf, who.Peer.ID, record)
		}
		_, _, err = s.apply(ctx, act{
			mesh: who.Peer.Mesh, by: who, changes: []change{mine.was(old), one, owning(who)},
		})
		return err
	})
}

func (s *Commons) subscriptions(ctx context.Context, p presence.Peer) (text string, r subscriptionRecord, err error) {
	text, err = s.get(ctx, p.Mesh, subscriptionShelf, p.ID)
	if err == nil && text != "" {
		r, err = decodeRecord[subscriptionRecord](text)
	}
	return text, r, err
}

// publish reaches those who hear the stream now, also in their grace.
func (s *Commons) publish(ctx context.Context, who *Caller, m *wire.Publish) (wire.Message, error) {
	peers, err := s.redis.Raw().HKeys(ctx, s.key(who.Peer.Mesh, subscribersShelf(m.Stream))).Result()
	if err != nil {
		return nil, err
	}
	a := act{mesh: who.Peer.Mesh, by: who}
	if len(peers) > 0 {
		told, err := frameEntry(who, &wire.StreamData{Stream: m.Stream, Data: m.Data, PublishedBy: who.Member.Name})
		if err != nil {
			return nil, err
		}
		a.entries = []entry{told.only(peers)}
	}
	_, _, err = s.apply(ctx, a)
	return nil, err
}

// leftStreams ends what a leaver heard.
func (s *Commons) leftStreams(ctx context.Context, l presence.Left) error {
	return retry(ctx, func() error {
		old, r, err := s.subscriptions(ctx, l.Peer)
		if err != nil || !owned(l.ID, r.Generation, l) {
			return err
		}
		changes := []change{remove(subscriptionShelf, l.ID).was(old)}
		for _, name := range r.Streams {
			changes = append(changes, remove(subscribersShelf(name), l.ID))
		}
		_, _, err = s.apply(ctx, act{mesh: l.Mesh, tidy: true, changes: changes})
		return err
	})
}
