package commons

import (
	"context"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// leaveTopic ends the member's part. A topic goes with its last member, unless
// it has something to read for others.
func (s *Commons) leaveTopic(ctx context.Context, who *Caller, m *wire.TopicLeave) (wire.Message, error) {
	return nil, retry(ctx, func() error {
		t, err := s.readableTopic(ctx, who.Peer.Mesh, who.Member.Key, m.Topic)
		if err != nil || t.part == nil {
			return err
		}
		_, _, err = s.apply(ctx, act{
			mesh: who.Peer.Mesh, by: who, changes: []change{remove(t.parts(), who.Member.Key).was(t.partText)},
		})
		if err != nil {
			return err
		}
		_, err = s.endIfEmpty(ctx, who.Peer.Mesh, t)
		return err
	})
}

// endIfEmpty removes a topic that nobody is in, with what was said, if nobody
// else may read that.
func (s *Commons) endIfEmpty(ctx context.Context, mesh string, t *topic) (ended bool, err error) {
	left, err := s.count(ctx, mesh, t.parts())
	if err != nil || left > 0 {
		return false, err
	}
	said, err := s.redis.Raw().XLen(ctx, s.historyKey(mesh, t.id)).Result()
	if err != nil || t.public() && said > 0 {
		return false, err
	}
	if err := s.endTopic(ctx, t, act{mesh: mesh}); err != nil {
		return false, err
	}
	return true, nil
}

// deleteTopic ends a topic, whoever is in it, for who made it and for admins.
// Those who joined are told.
func (s *Commons) deleteTopic(ctx context.Context, who *Caller, m *wire.TopicDelete) (wire.Message, error) {
	return nil, retry(ctx, func() error {
		t, err := s.topicToEnd(ctx, who, m.Topic)
		if err != nil {
			return err
		}
		joined, err := s.fields(ctx, who.Peer.Mesh, t.parts())
		if err != nil {
			return err
		}
		told, err := eventEntry(who, wire.EventTopicDeleted, wire.TopicEvent{Topic: t.Name, TopicID: t.id, By: who.Member.Name})
		if err != nil {
			return err
		}
		return s.endTopic(ctx, t, act{mesh: who.Peer.Mesh, by: who, entries: []entry{told.only(joined)}})
	})
}

// topicToEnd finds a topic that the caller may end. An admin finds those too
// that it may not read: they fill the mesh as well.
func (s *Commons) topicToEnd(ctx context.Context, who *Caller, name string) (*topic, error) {
	t, _, err := s.anyTopic(ctx, who.Peer.Mesh, who.Member.Key, name)
	if err != nil {
		return nil, err
	}
	refusal := refuse(wire.CodeForbidden, "only who made a topic, or an admin, can end it")
	if t.hidden() {
		refusal = errNoTopic
	}
	return t, s.mayChange(ctx, who, t.By, refusal)
}

// endTopic removes a topic with everybody's part in it and what was said, if it
// is still as it was read. Whoever comes in at the last moment is in no topic.
func (s *Commons) endTopic(ctx context.Context, t *topic, a act) error {
	a.tidy, a.drop = true, []string{t.parts().name, historyName(t.id)}
	a.changes = []change{remove(topicShelf, t.id).was(t.text), remove(topicNameShelf, t.Name)}
	_, _, err := s.apply(ctx, a)
	return err
}
