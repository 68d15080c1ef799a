package commons_test

import (
	"encoding/base64"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// topicKeyCopy is a copy of a topic key, as long as it should be.
func topicKeyCopy() wire.SealedTopicKey {
	return wire.SealedTopicKey{
		EncryptedKey: base64.StdEncoding.EncodeToString(make([]byte, wire.SealedTopicKeySize)),
		Nonce:        base64.StdEncoding.EncodeToString(make([]byte, wire.TopicKeyNonceSize)),
	}
}

func byBob(c *cast) *edgetest.Peer  { return c.bob }
func byBoss(c *cast) *edgetest.Peer { return c.boss }

func topicLines() []line {
	create := func(name string) *wire.TopicCreate {
		k := topicKeyCopy()
		return &wire.TopicCreate{Name: name, Key: &k, ReqID: reqID()}
	}
	seal := func(c *cast, topic, member string) *wire.TopicSeal {
		return &wire.TopicSeal{Topic: topic, MemberID: member, SealedTopicKey: topicKeyCopy(), ReqID: reqID()}
	}
	const none = "no such topic"
	return []line{
		{
			frame: wire.TypeTopicCreate, ask: func(*cast) wire.Request { return create(quoted) },
			reply: answered(func(c *cast, r *wire.TopicCreated) error { c.note["topic"] = r.Topic.ID; return is(r.Created) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: create("a\nb")}),
			full:  func(*cast) wire.Request { return create("more") },
		},
		{
			frame: wire.TypeTopicList, by: byBob, ask: func(*cast) wire.Request { return &wire.TopicList{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.TopicListResponse) error { return is(len(r.Topics) == 1) }),
		},
		{frame: wire.TypeTopicKey, by: byBob, wrong: func(c *cast) map[wire.Code]wire.Request {
			return map[wire.Code]wire.Request{wire.CodeKeyNotSealed: &wire.TopicKey{Topic: quoted, ReqID: reqID()}}
		}},
		{
			frame: wire.TypeTopicJoin, by: byBob, ask: func(*cast) wire.Request { return &wire.TopicJoin{Topic: quoted, ReqID: reqID()} },
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeTopicNotFound:   &wire.TopicJoin{Topic: none, ReqID: reqID()},
				wire.CodeInvalidArgument: &wire.TopicJoin{Topic: quoted, Role: "king", ReqID: reqID()},
			}),
		},
		{
			frame: wire.TypeTopicMembers, ask: func(*cast) wire.Request { return &wire.TopicMembers{Topic: quoted, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.TopicMembersResponse) error { return is(len(r.Members) == 2) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeTopicNotFound: &wire.TopicMembers{Topic: none, ReqID: reqID()}}),
		},
		{frame: wire.TypeTopicPendingSeals, ask: func(c *cast) wire.Request {
			return &wire.TopicPendingSeals{Topic: c.note["topic"], ReqID: reqID()}
		}, reply: answered(func(c *cast, r *wire.TopicPendingSealsResult) error {
			return is(len(r.Pending) == 1 && r.Pending[0].MemberID == c.bob.Member.ID)
		}), wrong: refuses(map[wire.Code]wire.Request{wire.CodeTopicNotFound: &wire.TopicPendingSeals{Topic: none, ReqID: reqID()}})},
		{
			frame: wire.TypeTopicSeal, ask: func(c *cast) wire.Request { return seal(c, quoted, c.bob.Member.ID) },
			wrong: func(c *cast) map[wire.Code]wire.Request {
				return map[wire.Code]wire.Request{
					wire.CodeTopicNotFound: seal(c, none, c.bob.Member.ID), wire.CodeRecipientNotJoined: seal(c, quoted, c.boss.Member.ID),
					wire.CodeInvalidArgument: &wire.TopicSeal{Topic: quoted, MemberID: c.bob.Member.ID, ReqID: reqID()},
				}
			},
		},
		{
			frame: wire.TypeTopicKey, by: byBob, ask: func(*cast) wire.Request { return &wire.TopicKey{Topic: quoted, ReqID: reqID()} },
			reply: answered(func(c *cast, r *wire.TopicKeyResult) error { return is(r.SenderPubkey == c.ana.Member.Pub()) }),
		},
		{
			frame: wire.TypeTopicHistory, by: byBob, ask: func(c *cast) wire.Request {
				c.ana.Send("#"+c.note["topic"], "hello", func(s *wire.Send) { s.BodyVersion, s.Mentions = wire.BodySealed, []string{"bob"} })
				return &wire.TopicHistory{Topic: quoted, ReqID: reqID()}
			}, reply: answered(func(_ *cast, r *wire.TopicHistoryResponse) error { return is(len(r.Messages) == 1) }),
			told: func(_ *cast, m wire.Message) bool {
				p, ok := m.(*wire.Push)
				return ok && p.Topic == quoted
			},
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeTopicNotFound: &wire.TopicHistory{Topic: none, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeNotifications, by: byBob, ask: func(*cast) wire.Request { return &wire.Notifications{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.NotificationsResult) error { return is(len(r.Notifications) == 1) }),
		},
		{
			frame: wire.TypeTopicMarkRead, by: byBob, ask: func(*cast) wire.Request { return &wire.TopicMarkRead{Topic: quoted, ReqID: reqID()} },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeTopicNotFound: &wire.TopicMarkRead{Topic: none, ReqID: reqID()}}),
		},
		{
			frame: wire.TypeTopicLeave, by: byBob, ask: func(*cast) wire.Request { return &wire.TopicLeave{Topic: quoted, ReqID: reqID()} },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeTopicNotFound: &wire.TopicLeave{Topic: none, ReqID: reqID()}}),
		},
		{frame: wire.TypeTopicDelete, by: byBob, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeForbidden: &wire.TopicDelete{Topic: quoted, ReqID: reqID()},
		})},
		{
			frame: wire.TypeTopicDelete, ask: func(c *cast) wire.Request {
				join(c.bob, quoted)
				return &wire.TopicDelete{Topic: quoted, ReqID: reqID()}
			}, told: event(wire.EventTopicDeleted),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeTopicNotFound: &wire.TopicDelete{Topic: quoted, ReqID: reqID()}}),
		},
	}
}

func apiKeyLines() []line {
	create := func(can ...wire.KeyCapability) *wire.APIKeyCreate {
		return &wire.APIKeyCreate{
			Label: quoted, Capabilities: can, ExpiresAt: &wire.Expiry{Time: wire.At(time.Now().Add(time.Hour))}, ReqID: reqID(),
		}
	}
	return []line{
		{
			frame: wire.TypeAPIKeyCreate, ask: func(*cast) wire.Request { return create(wire.KeyRead) },
			reply: answered(func(c *cast, r *wire.APIKeyCreated) error { c.note["key"] = r.ID; return is(wire.IsAPIKey(r.Secret)) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgs: create("fly"), wire.CodeForbidden: create(wire.KeyAdmin)}),
			full:  func(*cast) wire.Request { return create(wire.KeyRead) },
		},
		{
			frame: wire.TypeAPIKeyList, ask: func(*cast) wire.Request { return &wire.APIKeyList{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.APIKeyListResponse) error { return is(len(r.Keys) == 1) }),
		},
		{
			frame: wire.TypeAPIKeyRevoke, ask: func(c *cast) wire.Request { return &wire.APIKeyRevoke{ID: c.note["key"], ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.APIKeyRevokeResponse) error { return is(r.Status == wire.KeyRevoked) }),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.APIKeyRevoke{ID: tooMuch, ReqID: reqID()}}),
		},
	}
}
