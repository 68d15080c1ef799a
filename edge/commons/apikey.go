package commons

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// apiKeyShelf holds the API keys: id → apiKeyRecord.
var apiKeyShelf = shelf{name: "api-key", fields: 2000, bytes: 4 << 20}

const (
	// maxAPIKeys bounds the keys of one member. Those that have ended make
	// room.
	maxAPIKeys = 100

	// endedKeysShown is how long a key that has ended is listed.
	endedKeysShown = 24 * time.Hour

	// apiKeyReserved is how long the index entry of a key lives that is just
	// being made.
	apiKeyReserved = time.Minute

	// usedEvery is how exact the time of a key's last use is.
	usedEvery = time.Minute
)

// apiKeyRecord is an API key. Its secret is nowhere.
type apiKeyRecord struct {
	Hash    string               `json:"hash"`
	Label   string               `json:"label"`
	Prefix  string               `json:"prefix"`
	Can     []wire.KeyCapability `json:"can"`
	Topics  []string             `json:"topics,omitempty"` // ids or names; none means all
	Owner   string               `json:"owner"`            // member key
	Name    string               `json:"name"`             // of the owner
	At      int64                `json:"at"`               // milliseconds, as what follows
	Used    int64                `json:"used,omitempty"`
	Expires int64                `json:"expires,omitempty"`
	Revoked int64                `json:"revoked,omitempty"`
}

// ended reports whether the key is good for nothing any more.
func (r *apiKeyRecord) ended(now int64) bool {
	return r.Revoked != 0 || r.Expires != 0 && r.Expires <= now
}

// apiKeyIndex is where a key's mesh and id are found. A request does not say
// its mesh, so that the index is in no mesh's partition.
func apiKeyIndex(hash string) string { return "apikey:" + hash }

func (s *Commons) registerAPIKeys() {
	on(s.table, s.createAPIKey)
	on(s.table, s.listAPIKeys)
	on(s.table, s.revokeAPIKey)
	s.jobs[apiKeyShelf.name] = job{do: s.forgetAPIKey}
}

// createAPIKey makes a key that speaks for the caller's member. Nobody can give
// away what it may not do itself.
func (s *Commons) createAPIKey(ctx context.Context, who *Caller, m *wire.APIKeyCreate) (wire.Message, error) {
	now := time.Now().UnixMilli()
	if slices.Contains(m.Capabilities, wire.KeyAdmin) {
		if err := s.needsAdmin(ctx, who, refuse(wire.CodeForbidden, "only an admin can make a key for admins")); err != nil {
			return nil, err
		}
	}
	if m.ExpiresAt != nil && m.ExpiresAt.UnixMilli() <= now {
		return nil, refuse(wire.CodeInvalidArgs, "expiresAt is past")
	}
	secret := wire.NewAPIKey()
	r := apiKeyRecord{
		Hash: wire.SecretHash(secret), Label: m.Label, Prefix: wire.APIKeyPrefix(secret),
		Can: slices.Compact(slices.Sorted(slices.Values(m.Capabilities))), Topics: m.TopicScopes,
		Owner: who.Member.Key, Name: who.Member.Name, At: now,
	}
	if m.ExpiresAt != nil {
		r.Expires = m.ExpiresAt.UnixMilli()
	}
	id := newID()
	if err := s.keepAPIKey(ctx, who, id, r); err != nil {
		return nil, err
	}
	return &wire.APIKeyCreated{
		ID: id, Secret: secret, Label: r.Label, Prefix: r.Prefix, Capabilities: r.Can, TopicScopes: r.Topics,
		CreatedAt: moment(now), ReqID: m.ReqID,
	}, nil
}

// keepAPIKey stores a key. The index is in another partition, so it is
// reserved first and kept for good last: an edge that dies in between leaves a
// key that nobody was given, and that ends by itself.
func (s *Commons) keepAPIKey(ctx context.Context, who *Caller, id string, r apiKeyRecord) error {
	mesh, index := who.Peer.Mesh, apiKeyIndex(r.Hash)
	room, err := s.roomForKey(ctx, mesh, who.Member.Key)
	if err != nil {
		return err
	}
	record, err := encodeRecord(r)
	if err != nil {
		return err
	}
	if err := s.redis.Raw().Set(ctx, index, mesh+" "+id, apiKeyReserved).Err(); err != nil {
		return fmt.Errorf("commons: reserve API key: %w", err)
	}
	kept := set(apiKeyShelf, id, record)
	if r.Expires != 0 {
		kept = kept.dueAt(r.Expires + endedKeysShown.Milliseconds())
	}
	if _, _, err := s.apply(ctx, act{mesh: mesh, by: who, changes: append(room, kept)}); err != nil {
		return err
	}
	if r.Expires != 0 {
		return s.redis.Raw().PExpireAt(ctx, index, time.UnixMilli(r.Expires)).Err()
	}
	return s.redis.Raw().Persist(ctx, index).Err()
}

func (s *Commons) apiKeys(ctx context.Context, mesh string) (map[string]apiKeyRecord, error) {
	all, err := s.all(ctx, mesh, apiKeyShelf)
	if err != nil {
		return nil, err
	}
	return decodeAll[apiKeyRecord](all)
}

// roomForKey removes the oldest ended keys of a member that has too many.
func (s *Commons) roomForKey(ctx context.Context, mesh, member string) ([]change, error) {
	records, err := s.apiKeys(ctx, mesh)
	if err != nil {
		return nil, err
	}
	now, mine := time.Now().UnixMilli(), 0
	var ended []string
	for _, id := range oldestFirst(records, func(r apiKeyRecord) int64 { return r.At }) {
		r := records[id]
		if r.Owner != member {
			continue
		}
		mine++
		if r.ended(now) {
			ended = append(ended, id)
		}
	}
	over := mine - maxAPIKeys + 1
	if over > len(ended) {
		return nil, refuse(wire.CodeFull, "a member may have %d API keys: revoke one first", maxAPIKeys)
	}
	var changes []change
	for _, id := range ended[:max(0, over)] {
		changes = append(changes, remove(apiKeyShelf, id).done())
	}
	return changes, nil
}

// listAPIKeys shows a member its keys, and an admin all.
func (s *Commons) listAPIKeys(ctx context.Context, who *Caller, m *wire.APIKeyList) (wire.Message, error) {
	records, err := s.apiKeys(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	admin, err := s.isAdmin(ctx, who)
	if err != nil {
		return nil, err
	}
	reply := &wire.APIKeyListResponse{Keys: []wire.APIKey{}, ReqID: m.ReqID}
	for _, id := range oldestFirst(records, func(r apiKeyRecord) int64 { return r.At }) {
		r := records[id]
		if !admin && r.Owner != who.Member.Key {
			continue
		}
		reply.Keys = append(reply.Keys, wire.APIKey{
			ID: id, Label: r.Label, Prefix: r.Prefix, Capabilities: r.Can, TopicScopes: r.Topics, CreatedAt: moment(r.At),
			LastUsedAt: orNever(r.Used), RevokedAt: orNever(r.Revoked), ExpiresAt: orNever(r.Expires), Owner: r.Name,
		})
	}
	return reply, nil
}

// orNever is a time that is null where there is none.
func orNever(ms int64) *wire.Time {
	if ms == 0 {
		return nil
	}
	at := moment(ms)
	return &at
}

// revokeAPIKey ends a key of the caller's, or for an admin any.
func (s *Commons) revokeAPIKey(ctx context.Context, who *Caller, m *wire.APIKeyRevoke) (wire.Message, error) {
	reply := &wire.APIKeyRevokeResponse{ReqID: m.ReqID}
	admin, err := s.isAdmin(ctx, who)
	if err != nil {
		return nil, err
	}
	err = retry(ctx, func() error {
		all, err := s.all(ctx, who.Peer.Mesh, apiKeyShelf)
		if err != nil {
			return err
		}
		ids, err := keysNamed(all, m.ID, func(r apiKeyRecord) bool { return admin || r.Owner == who.Member.Key })
		if err != nil {
			return err
		}
		switch len(ids) {
		case 0:
			reply.Status = wire.KeyNotFound
			return nil
		case 1:
			reply.Status, reply.ID = wire.KeyRevoked, ids[0]
			return s.endAPIKey(ctx, who, ids[0], all[ids[0]])
		}
		reply.Status, reply.Matches = wire.KeyNotUnique, len(ids)
		return nil
	})
	return reply, err
}

// keysNamed are the keys that the caller may end and whose id begins like this.
// A whole id names one, ended or not; its beginning those that are in use.
func keysNamed(all map[string]string, start string, may func(apiKeyRecord) bool) ([]string, error) {
	records, err := decodeAll[apiKeyRecord](all)
	if err != nil {
		return nil, err
	}
	if r, ok := records[start]; ok && may(r) {
		return []string{start}, nil
	}
	now := time.Now().UnixMilli()
	var ids []string
	for id, r := range records {
		if strings.HasPrefix(id, start) && may(r) && !r.ended(now) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *Commons) endAPIKey(ctx context.Context, who *Caller, id, old string) error {
	r, err := decodeRecord[apiKeyRecord](old)
	if err != nil || r.Revoked != 0 {
		return err
	}
	r.Revoked = time.Now().UnixMilli()
	record, err := encodeRecord(r)
	if err != nil {
		return err
	}
	kept := set(apiKeyShelf, id, record).was(old).dueAt(r.Revoked + endedKeysShown.Milliseconds())
	if _, _, err := s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, tidy: true, changes: []change{kept}}); err != nil {
		return err
	}
	// What is still in the index does no harm: the record says that it ended.
	if err := s.redis.Raw().Del(ctx, apiKeyIndex(r.Hash)).Err(); err != nil {
		s.log.WarnContext(ctx, "remove API key from the index", "err", err)
	}
	return nil
}

// forgetAPIKey removes a key that has ended for good.
func (s *Commons) forgetAPIKey(ctx context.Context, mesh, id string) error {
	old, err := s.get(ctx, mesh, apiKeyShelf, id)
	if err != nil {
		return err
	}
	gone := remove(apiKeyShelf, id).was(old).done()
	if old != "" {
		r, err := decodeRecord[apiKeyRecord](old)
		if err != nil || !r.ended(time.Now().UnixMilli()) {
			return err
		}
		if err := s.redis.Raw().Del(ctx, apiKeyIndex(r.Hash)).Err(); err != nil {
			return err
		}
	}
	return unlessDone(s.apply(ctx, act{mesh: mesh, tidy: true, changes: []change{gone}}))
}

// A bearer is a request's API key, with the member that it speaks for as it is
// now.
type bearer struct {
	id   string
	mesh string
	text string // the record as it is kept
	apiKeyRecord
	member registry.Member
}

var (
	errKeyMissing  = refuse(wire.CodeAPIKeyMissing, "send an API key: Authorization: Bearer cm_…")
	errKeyInvalid  = refuse(wire.CodeAPIKeyInvalid, "this API key is unknown, was revoked, or is over")
	errKeyNoIssuer = refuse(wire.CodeAPIKeyHasNoIssuer, "who made this API key is no member any more")
)

// caller is who speaks: the key's member, without a lease.
func (b *bearer) caller() *Caller {
	return &Caller{
		Peer: apiPeer(b.mesh), Key: b.member.Key, Member: b.member, Name: b.member.Name, Reply: func(wire.Message) {},
	}
}

// authenticate finds the key of a secret. A key ends with its time, by
// revocation, and with the membership of its owner.
func (s *Commons) authenticate(ctx context.Context, secret string) (*bearer, error) {
	if secret == "" {
		return nil, errKeyMissing
	}
	if !wire.IsAPIKey(secret) {
		return nil, errKeyInvalid
	}
	hash := wire.SecretHash(secret)
	place, err := s.redis.Raw().Get(ctx, apiKeyIndex(hash)).Result()
	if errors.Is(err, goredis.Nil) {
		return nil, errKeyInvalid
	}
	if err != nil {
		return nil, fmt.Errorf("commons: find API key: %w", err)
	}
	mesh, id, _ := strings.Cut(place, " ")
	return s.holder(ctx, mesh, id, hash)
}

// holder reads a key and its member, and checks both.
func (s *Commons) holder(ctx context.Context, mesh, id, hash string) (*bearer, error) {
	b := &bearer{id: id, mesh: mesh}
	var err error
	if b.text, err = s.get(ctx, mesh, apiKeyShelf, id); err != nil {
		return nil, err
	}
	if b.text == "" {
		return nil, errKeyInvalid
	}
	if b.apiKeyRecord, err = decodeRecord[apiKeyRecord](b.text); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(b.Hash), []byte(hash)) != 1 || b.ended(time.Now().UnixMilli()) {
		return nil, errKeyInvalid
	}
	_, b.member, err = s.registry.Admission(ctx, mesh, b.Owner)
	if errors.Is(err, registry.ErrNoMesh) || errors.Is(err, registry.ErrNotMember) || errors.Is(err, registry.ErrRevoked) {
		return nil, errKeyNoIssuer
	}
	return b, err
}

// used notes when a key was used last, now and then.
func (s *Commons) used(ctx context.Context, b *bearer) {
	now := time.Now().UnixMilli()
	if now-b.Used < usedEvery.Milliseconds() {
		return
	}
	r := b.apiKeyRecord
	r.Used = now
	record, err := encodeRecord(r)
	if err == nil {
		_, _, err = s.apply(ctx, act{mesh: b.mesh, tidy: true, changes: []change{set(apiKeyShelf, b.id, record).was(b.text)}})
	}
	if err != nil && !errors.Is(err, errConflict) {
		s.log.WarnContext(ctx, "note use of API key", "mesh", b.mesh, "err", err)
	}
}

// covers reports whether the key is for a topic.
func (b *bearer) covers(id, name string) bool {
	return len(b.Topics) == 0 || slices.Contains(b.Topics, id) || slices.Contains(b.Topics, name)
}
