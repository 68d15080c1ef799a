package commons

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

var (
	errUnsealed  = refuse(wire.CodeTopicUnencrypted, "the topic has no key")
	errNoCopy    = refuse(wire.CodeKeyNotSealed, "nobody has made a copy of the topic's key for you yet")
	errNotInside = refuse(wire.CodeRecipientNotJoined, "this member did not join the topic")
)

// sealedTopic is joinedTopic for topics that have a key.
func (s *Commons) sealedTopic(ctx context.Context, mesh, member, name string) (*topic, error) {
	t, err := s.joinedTopic(ctx, mesh, member, name)
	if err == nil && !t.Sealed {
		return nil, errUnsealed
	}
	return t, err
}

// copyOf is a topic of which the member has a copy of the key.
func (s *Commons) copyOf(ctx context.Context, mesh, member, name string) (*topic, error) {
	t, err := s.readableTopic(ctx, mesh, member, name)
	switch {
	case err != nil:
		return nil, err
	case !t.Sealed:
		return nil, errUnsealed
	case t.part == nil || t.part.Key == nil:
		return nil, errNoCopy
	}
	return t, nil
}

func (s *Commons) topicKey(ctx context.Context, who *Caller, m *wire.TopicKey) (wire.Message, error) {
	t, err := s.copyOf(ctx, who.Peer.Mesh, who.Member.Key, m.Topic)
	if err != nil {
		return nil, err
	}
	return &wire.TopicKeyResult{
		Topic: m.Topic, TopicID: t.id, SealedTopicKey: *t.part.Key, SenderPubkey: t.part.By,
		CreatedAt: moment(t.part.Made), ReqID: m.ReqID,
	}, nil
}

func (s *Commons) topicPendingSeals(ctx context.Context, who *Caller, m *wire.TopicPendingSeals) (wire.Message, error) {
	t, pending, err := s.pendingSeals(ctx, who, m.Topic)
	if err != nil {
		return nil, err
	}
	return &wire.TopicPendingSealsResult{Topic: m.Topic, TopicID: t.id, Pending: pending, ReqID: m.ReqID}, nil
}

// pendingSeals says who joined and has no copy of the key.
func (s *Commons) pendingSeals(ctx context.Context, who *Caller, name string) (*topic, []wire.PendingSeal, error) {
	t, err := s.sealedTopic(ctx, who.Peer.Mesh, who.Member.Key, name)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.participants(ctx, who.Peer.Mesh, t)
	pending := []wire.PendingSeal{}
	for _, p := range list {
		if p.partRecord.Key == nil && len(pending) < wire.MaxPendingSeals {
			pending = append(pending, wire.PendingSeal{MemberID: p.ID, Pubkey: p.Member.Key, DisplayName: p.Name})
		}
	}
	return t, pending, err
}

func (s *Commons) sealTopicKey(ctx context.Context, who *Caller, m *wire.TopicSeal) (wire.Message, error) {
	t, at, err := s.seal(ctx, who, m.Topic, m.MemberID, m.SealedTopicKey)
	if err != nil {
		return nil, err
	}
	return &wire.TopicSealed{Topic: m.Topic, TopicID: t.id, MemberID: m.MemberID, SealedAt: moment(at), ReqID: m.ReqID}, nil
}

// seal keeps a copy of the key for a member that joined. Who has no copy cannot
// make one, and an existing copy is replaced only by its owner or by who made
// it: a bad one would shut its owner out.
func (s *Commons) seal(
	ctx context.Context, who *Caller, name, memberID string, copied wire.SealedTopicKey,
) (t *topic, at int64, err error) {
	at = time.Now().UnixMilli()
	err = retry(ctx, func() error {
		if t, err = s.sealedTopic(ctx, who.Peer.Mesh, who.Member.Key, name); err != nil {
			return err
		}
		if t.part.Key == nil {
			return errNoCopy
		}
		key, err := s.joinedAs(ctx, who.Peer.Mesh, t, memberID)
		if err != nil {
			return err
		}
		old, err := s.get(ctx, who.Peer.Mesh, t.parts(), key)
		if err != nil {
			return err
		}
		if old == "" {
			return errNotInside
		}
		part, err := decodeRecord[partRecord](old)
		if err != nil {
			return err
		}
		if part.Key != nil && key != who.Member.Key && part.By != who.Member.Key {
			return refuse(wire.CodeForbidden, "this member has a copy, which only itself and its maker may replace")
		}
		part.Key, part.By, part.Made = &copied, who.Member.Key, at
		text, err := encodeRecord(part)
		if err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{set(t.parts(), key, text).was(old)}})
		return err
	})
	return t, at, err
}

// joinedAs finds the key of a member of a topic.
func (s *Commons) joinedAs(ctx context.Context, mesh string, t *topic, memberID string) (string, error) {
	list, err := s.participants(ctx, mesh, t)
	if err != nil {
		return "", err
	}
	for _, p := range list {
		if p.ID == memberID {
			return p.Member.Key, nil
		}
	}
	return "", errNotInside
}

// claimKey gives a topic without a key the one that the caller has made.
func (s *Commons) claimKey(ctx context.Context, who *Caller, name string, copied wire.SealedTopicKey) (t *topic, at int64, err error) {
	at = time.Now().UnixMilli()
	err = retry(ctx, func() error {
		if t, err = s.joinedTopic(ctx, who.Peer.Mesh, who.Member.Key, name); err != nil {
			return err
		}
		if t.Sealed {
			return refuse(wire.CodeForbidden, "the topic has a key")
		}
		after, part := t.topicRecord, *t.part
		after.Sealed = true
		part.Key, part.By, part.Made = &copied, who.Member.Key, at
		mine, err := encodeRecord(part)
		if err != nil {
			return err
		}
		record, err := encodeRecord(after)
		if err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{
			set(topicShelf, t.id, record).was(t.text), set(t.parts(), who.Member.Key, mine).was(t.partText),
		}})
		return err
	})
	return t, at, err
}
