package registry

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// What the audit log tells.
const (
	auditCreated       = "mesh_created"
	auditSettings      = "mesh_settings"
	auditArchived      = "mesh_archived"
	auditRestored      = "mesh_restored"
	auditPolicy        = "group_policy"
	auditInvited       = "invite_created"
	auditInviteRevoked = "invite_revoked"
	auditJoined        = "member_joined"
	auditMember        = "member_updated"
	auditRevoked       = "member_revoked"
	auditBanned        = "member_banned"
	auditUnbanned      = "member_unbanned"
	auditKicked        = "member_kicked"
	auditDisconnected  = "member_disconnected"
	auditGranted       = "grants_changed"
	auditRequeued      = "dead_letter_requeued"
	auditDropped       = "dead_letter_dropped"
)

//go:embed lua/audit.lua
var auditSource string

type actorKey struct{}

// WithActor says on whose behalf the registry is changed from here on: a
// member id, or [ActorOwner].
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOwner stands for the owner key, which is no member.
const ActorOwner = "owner"

// change runs a script that tells in the audit log what it does. Reading bounds
// the log, and so does this where nobody reads it: whoever changes things on and
// on must not fill Redis. A change that was made is not taken back for that.
func (s *Store) change(ctx context.Context, mesh string, script *redis.Script, keys []string, args ...any) *goredis.Cmd {
	done := s.c.Run(ctx, script, keys, args...)
	if done.Err() != nil {
		return done
	}
	n, err := s.c.Raw().XLen(ctx, s.keys.audit(mesh)).Result()
	if err == nil && n > int64(s.o.AuditPerMesh+auditSlack) {
		_ = s.seal(ctx, mesh) // the next change tries again
	}
	return done
}

type payload map[string]any

// entry are the arguments with which every changing script ends.
func entry(ctx context.Context, event string, told payload) []any {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(told); err != nil {
		panic(err) // maps of texts, numbers and lists always encode
	}
	actor, _ := ctx.Value(actorKey{}).(string)
	return []any{event, actor, strings.TrimSpace(b.String())}
}

// AuditEntry is one line of the log. Hash chains it to the one before; see
// [wire.AuditHash].
type AuditEntry struct {
	ID      string
	Event   string
	Actor   string // "" when nobody in particular
	Payload json.RawMessage
	At      time.Time
	Hash    string
}

func (e *AuditEntry) hash(prev, mesh string) (string, error) {
	return wire.AuditHash(prev, mesh, e.Event, e.Actor, e.Payload, e.At)
}

const (
	auditPage   = 500
	sealTries   = 20
	sealsAtOnce = 500

	// auditSlack is how far a log that nobody reads grows beyond its bound.
	auditSlack = sealsAtOnce
)

//go:embed lua/seal.lua
var sealSource string
var sealScript = redis.NewScript(sealSource)

// Audit returns up to limit entries older than before ("" for the newest),
// newest first, and how many are kept in all.
func (s *Store) Audit(ctx context.Context, mesh, before string, limit int) ([]AuditEntry, int, error) {
	if err := s.seal(ctx, mesh); err != nil {
		return nil, 0, err
	}
	end := "+"
	if before != "" {
		end = "(" + before
	}
	pipe := s.c.Raw().Pipeline()
	total := pipe.XLen(ctx, s.keys.audit(mesh))
	found := pipe.XRevRangeN(ctx, s.keys.audit(mesh), end, "-", int64(limit))
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, 0, fmt.Errorf("registry: read audit log: %w", err)
	}
	entries := parseAudit(found.Val())
	return entries, int(total.Val()), s.readSeals(ctx, mesh, entries)
}

// VerifyAudit recomputes the chain. It returns how many entries hold, and the
// id of the first that does not, "" when all do.
func (s *Store) VerifyAudit(ctx context.Context, mesh string) (entries int, brokenAt string, err error) {
	if err := s.seal(ctx, mesh); err != nil {
		return 0, "", err
	}
	base, last, err := s.chainEnds(ctx, mesh)
	if err != nil {
		return 0, "", err
	}
	prev, at := base, ""
	for {
		page, err := s.auditAfter(ctx, mesh, at, auditPage)
		if err != nil {
			return entries, "", err
		}
		if err := s.readSeals(ctx, mesh, page); err != nil {
			return entries, "", err
		}
		for _, e := range page {
			want, err := e.hash(prev, mesh)
			if err != nil || e.Hash != want && (e.Hash != "" || !newerID(e.ID, last)) {
				return entries, e.ID, nil
			}
			prev, at = want, e.ID
			entries++
		}
		if len(page) < auditPage {
			break
		}
	}
	// An entry cut off the end leaves its seal behind.
	if id, hash, sealed := strings.Cut(last, " "); sealed && newerID(id, at) {
		return entries, id, nil
	} else if id == at && hash != prev {
		return entries, id, nil
	}
	return entries, "", nil
}

// newerID compares ids of stream entries, "MS-N"; of b, only what stands
// before a blank. An empty id is the oldest.
func newerID(a, b string) bool {
	b, _, _ = strings.Cut(b, " ")
	ams, an := splitID(a)
	bms, bn := splitID(b)
	return ams > bms || ams == bms && an > bn
}

func splitID(id string) (ms, n uint64) {
	left, right, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(left, 10, 64)
	n, _ = strconv.ParseUint(right, 10, 64)
	return ms, n
}

// seal chains what has been appended since. Whoever does it computes the same
// hashes, so that losing against another is no failure.
func (s *Store) seal(ctx context.Context, mesh string) error {
	for range sealTries {
		base, last, err := s.chainEnds(ctx, mesh)
		if err != nil {
			return err
		}
		at, prev, sealed := strings.Cut(last, " ")
		if !sealed {
			prev = base
		}
		fresh, err := s.auditAfter(ctx, mesh, at, sealsAtOnce)
		if err != nil || len(fresh) == 0 {
			return err
		}
		args := []any{last, s.o.AuditPerMesh}
		for _, e := range fresh {
			if prev, err = e.hash(prev, mesh); err != nil {
				return err
			}
			args = append(args, e.ID, prev)
		}
		word, err := s.c.Run(ctx, sealScript, []string{s.keys.audit(mesh), s.keys.auditSeals(mesh)}, args...).Text()
		if err := answer(word, err, "seal audit log"); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return nil // the rest is chained by whoever reads next
}

// chainEnds reads the hash before the oldest entry, and "ID HASH" of the last
// one that is chained.
func (s *Store) chainEnds(ctx context.Context, mesh string) (base, last string, err error) {
	got, err := s.c.Raw().HMGet(ctx, s.keys.auditSeals(mesh), "base", "last").Result()
	if err != nil {
		return "", "", fmt.Errorf("registry: read audit chain: %w", err)
	}
	base, _ = got[0].(string)
	last, _ = got[1].(string)
	if base == "" {
		base = wire.AuditGenesis
	}
	return base, last, nil
}

func (s *Store) auditAfter(ctx context.Context, mesh, after string, limit int64) ([]AuditEntry, error) {
	start := "-"
	if after != "" {
		start = "(" + after
	}
	found, err := s.c.Raw().XRangeN(ctx, s.keys.audit(mesh), start, "+", limit).Result()
	if err != nil {
		return nil, fmt.Errorf("registry: read audit log: %w", err)
	}
	return parseAudit(found), nil
}

func (s *Store) readSeals(ctx context.Context, mesh string, entries []AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	hashes, err := s.c.Raw().HMGet(ctx, s.keys.auditSeals(mesh), ids...).Result()
	if err != nil {
		return fmt.Errorf("registry: read audit chain: %w", err)
	}
	for i := range entries {
		entries[i].Hash, _ = hashes[i].(string)
	}
	return nil
}

func parseAudit(found []goredis.XMessage) []AuditEntry {
	out := make([]AuditEntry, len(found))
	for i, m := range found {
		text := func(name string) string { s, _ := m.Values[name].(string); return s }
		ms, _ := splitID(m.ID)
		out[i] = AuditEntry{
			ID: m.ID, Event: text("event"), Actor: text("actor"),
			Payload: json.RawMessage(text("payload")), At: time.UnixMilli(int64(ms)),
		}
	}
	return out
}
