package commons

import (
	"context"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

const (
	// maxNotified bounds the members that one message notifies.
	maxNotified = 32

	// keptNotifications is how many a member has; the oldest make room.
	keptNotifications = 100

	// notificationsSince is how far back is looked where nobody says.
	notificationsSince = 24 * time.Hour
)

// notificationShelf holds where a member was mentioned: id of the message →
// notificationRecord. Ids sort by time.
func notificationShelf(member string) shelf {
	return shelf{name: "notification-" + member, fields: keptNotifications, bytes: 32 << 10}
}

// notificationRecord refers to a message, which stays in its topic.
type notificationRecord struct {
	Topic string `json:"topic"` // id
	At    int64  `json:"at"`    // milliseconds
	Read  int64  `json:"read,omitempty"`
}

// notify notes for each member that a message mentions that it does. It can be
// repeated.
func (s *Commons) notify(ctx context.Context, said *spoken, sender string, joined []string) (int, error) {
	if len(said.body.Mentions) == 0 {
		return 0, nil
	}
	mesh := said.body.MeshID
	whom, err := s.whoIsMentioned(ctx, mesh, said, sender, joined)
	if err != nil || len(whom) == 0 {
		return 0, err
	}
	text, err := encodeRecord(notificationRecord{Topic: said.topic.id, At: time.Now().UnixMilli()})
	if err != nil {
		return 0, err
	}
	return len(whom), retry(ctx, func() error {
		changes, err := s.noteFor(ctx, mesh, whom, said.MessageID, text)
		if err != nil || len(changes) == 0 {
			return err
		}
		_, _, err = s.apply(ctx, act{mesh: mesh, changes: changes})
		return err
	})
}

// whoIsMentioned finds the keys of the members that may read the message, have
// not blocked its sender, and have a name that it mentions.
func (s *Commons) whoIsMentioned(ctx context.Context, mesh string, said *spoken, sender string, joined []string) ([]string, error) {
	members, err := s.registry.Members(ctx, mesh)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, m := range members {
		if m.RevokedAt != nil || m.Key == sender || !slices.Contains(said.body.Mentions, strings.ToLower(m.Name)) ||
			!said.topic.public() && !slices.Contains(joined, m.Key) {
			continue
		}
		grants, err := s.registry.Grants(ctx, mesh, m.Key)
		if err != nil {
			return nil, err
		}
		if grants.Allows(sender, said.body.SenderPubkey, wire.CapBroadcast) {
			keys = append(keys, m.Key)
		}
		if len(keys) == maxNotified {
			break
		}
	}
	return keys, nil
}

// noteFor is the changes by which members get a notification that they do not
// have yet.
func (s *Commons) noteFor(ctx context.Context, mesh string, whom []string, messageID, text string) ([]change, error) {
	have := make([]*goredis.StringSliceCmd, len(whom))
	pipe := s.redis.Raw().Pipeline()
	for i, key := range whom {
		have[i] = pipe.HKeys(ctx, s.key(mesh, notificationShelf(key)))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var changes []change
	for i, key := range whom {
		ids, sh := have[i].Val(), notificationShelf(key)
		if slices.Contains(ids, messageID) {
			continue
		}
		slices.Sort(ids)
		for _, old := range ids[:max(0, len(ids)-keptNotifications+1)] {
			changes = append(changes, remove(sh, old))
		}
		changes = append(changes, set(sh, messageID, text).was(""))
	}
	return changes, nil
}

func (s *Commons) notifications(ctx context.Context, who *Caller, m *wire.Notifications) (wire.Message, error) {
	since := time.Now().Add(-notificationsSince)
	if m.Since != nil {
		since = m.Since.Time
	}
	list, err := s.mentionsOf(ctx, who.Peer.Mesh, &who.Member, since, m.Unread, nil)
	return &wire.NotificationsResult{
		Notifications: list, Since: wire.At(since), MentionedAs: who.Member.Name, ReqID: m.ReqID,
	}, err
}

// mentionsOf lists where a member was mentioned, newest first, as far as it may
// still read that and the message is still there. Within, where it is not nil,
// says in which topics.
func (s *Commons) mentionsOf(
	ctx context.Context, mesh string, member *registry.Member, since time.Time, unread bool, within func(id, name string) bool,
) ([]wire.Notification, error) {
	records, err := s.notes(ctx, mesh, member.Key)
	if err != nil {
		return nil, err
	}
	topics, err := s.visibleTopics(ctx, mesh, member.Key)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, t := range topics {
		if within == nil || within(t.ID, t.Name) {
			names[t.ID] = t.Name
		}
	}
	out := []wire.Notification{}
	ids := newestFirst(records, func(r notificationRecord) int64 { return r.At })
	for _, id := range ids {
		r := records[id]
		name, readable := names[r.Topic]
		if !readable || r.At < since.UnixMilli() || unread && r.Read != 0 {
			continue
		}
		if len(out) == wire.MaxNotifications {
			break
		}
		one, err := s.notification(ctx, mesh, id, name, r)
		if err != nil {
			return nil, err
		}
		if one != nil {
			out = append(out, *one)
		}
	}
	return out, nil
}

func (s *Commons) notes(ctx context.Context, mesh, member string) (map[string]notificationRecord, error) {
	all, err := s.all(ctx, mesh, notificationShelf(member))
	if err != nil {
		return nil, err
	}
	return decodeAll[notificationRecord](all)
}

// notification joins a note with its message, nil if that is gone.
func (s *Commons) notification(ctx context.Context, mesh, id, topicName string, r notificationRecord) (*wire.Notification, error) {
	seq, err := seqOf(id)
	if err != nil {
		return nil, err
	}
	found, err := s.said(ctx, mesh, r.Topic, "XRANGE", seq, seq, 1)
	if err != nil || len(found) == 0 || found[0].ID != id {
		return nil, err
	}
	m := found[0]
	out := &wire.Notification{
		ID: id, NotificationID: id, TopicID: r.Topic, TopicName: topicName, SenderName: m.SenderName,
		SenderPubkey: m.SenderPubkey, Ciphertext: m.Ciphertext, Kind: wire.NotificationMention, CreatedAt: m.CreatedAt,
		Nonce: m.Nonce, BodyVersion: m.BodyVersion,
	}
	if r.Read != 0 {
		at := moment(r.Read)
		out.ReadAt = &at
	}
	return out, nil
}

// readNotes marks notifications as read, all of them if ids is empty, and
// counts those that were not. Within limits them as in [Commons.mentionsOf].
func (s *Commons) readNotes(ctx context.Context, who *Caller, ids []string, within func(topicID string) bool) (n int, err error) {
	now := time.Now().UnixMilli()
	err = retry(ctx, func() error {
		all, err := s.all(ctx, who.Peer.Mesh, notificationShelf(who.Member.Key))
		if err != nil {
			return err
		}
		var changes []change
		for id, old := range all {
			r, err := decodeRecord[notificationRecord](old)
			if err != nil {
				return err
			}
			if r.Read != 0 || len(ids) > 0 && !slices.Contains(ids, id) || !within(r.Topic) {
				continue
			}
			r.Read = now
			text, err := encodeRecord(r)
			if err != nil {
				return err
			}
			changes = append(changes, set(notificationShelf(who.Member.Key), id, text).was(old))
		}
		if n = len(changes); n == 0 {
			return nil
		}
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: changes})
		return err
	})
	return n, err
}
