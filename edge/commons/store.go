package commons

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

var (
	//go:embed lua/apply.lua
	applyLua string
	//go:embed lua/due.lua
	dueLua string
	//go:embed lua/tell.lua
	tellLua string
	//go:embed lua/postpone.lua
	postponeLua string
)

var (
	applyScript = redis.NewScript(applyLua, queue.JournalLua, queue.RateLua)
	// tidyScript is apply for clean-ups, which a full Redis must not refuse.
	tidyScript     = redis.NewScript("#!lua flags=allow-oom"+strings.TrimPrefix(applyLua, "#!lua"), queue.JournalLua, queue.RateLua)
	dueScript      = redis.NewScript(dueLua)
	tellScript     = redis.NewScript(tellLua)
	postponeScript = redis.NewScript(postponeLua)
)

// meshBytes is what all shelves of one mesh may hold together.
const meshBytes = 64 << 20

var (
	// errConflict says that a field was not what the change expected: somebody
	// else changed it first.
	errConflict = errors.New("commons: changed by somebody else")
	errAnswer   = errors.New("commons: unexpected answer of a script")
)

// A shelf is one family's records in a mesh: a Redis hash, bounded in fields
// and in bytes of fields and values together.
type shelf struct {
	name   string
	fields int
	bytes  int
}

// key names the hash of a shelf.
func (s *Commons) key(mesh string, sh shelf) string { return s.keyOf(mesh, sh.name) }

func (s *Commons) keyOf(mesh, name string) string {
	return "commons:" + s.redis.Tag(mesh) + ":" + mesh + ":" + name
}

// sizesKey names the hash of how many bytes each shelf holds.
func (s *Commons) sizesKey(mesh string) string { return "sizes:" + s.redis.Tag(mesh) + ":" + mesh }

// jobsKey names the zset of what is due when, of all meshes of a partition.
func jobsKey(tag string) string { return "jobs:" + tag }

// rateKey names the buckets that bound how fast a member changes things.
func (s *Commons) rateKey(mesh string) string { return "crate:" + s.redis.Tag(mesh) + ":" + mesh }

// A change is one field of a shelf, and what is to become of it.
type change struct {
	shelf shelf
	field string

	// expect is the value that the field must have, "" for none; nil for any.
	expect *string

	// value is the new value; nil leaves the field as it is.
	value  *string
	remove bool

	// due is when the field's job is to be done: milliseconds, 0 for never
	// again, nil to leave it as it is.
	due *int64
}

// set writes a field, whatever it was.
func set(sh shelf, field, value string) change { return change{shelf: sh, field: field, value: &value} }

// remove deletes a field, whether or not it is there.
func remove(sh shelf, field string) change { return change{shelf: sh, field: field, remove: true} }

// was makes a change conditional: the field must hold exactly old, "" for a
// field that is not there.
func (c change) was(old string) change {
	c.expect = &old
	return c
}

// dueAt schedules the field's job.
func (c change) dueAt(ms int64) change {
	c.due = &ms
	return c
}

// done ends the field's job.
func (c change) done() change { return c.dueAt(0) }

func (c change) args(place int) []any {
	condition, expected := "any", ""
	if c.expect != nil {
		condition, expected = "is", *c.expect
	}
	verb, value := "keep", ""
	switch {
	case c.remove:
		verb = "delete"
	case c.value != nil:
		verb, value = "set", *c.value
	}
	due := ""
	if c.due != nil {
		due = strconv.FormatInt(*c.due, 10)
	}
	return []any{place, c.shelf.name, c.field, condition, expected, verb, value, c.shelf.fields, c.shelf.bytes, due}
}

// An act is a set of changes that happen together or not at all.
type act struct {
	mesh    string
	by      *Caller  // nil when nobody present acts
	free    bool     // not charged to by's member
	tidy    bool     // a clean-up: allowed where memory is short
	drop    []string // names of shelves that end, none of which the changes are about
	changes []change
	entries []entry
}

// apply does an act. It returns Redis's time in milliseconds and the SEQ of
// each entry; [errConflict] when a field was not as expected; a [*Refusal]
// when a bound is reached; [queue.ErrLost] when the caller lost its lease.
func (s *Commons) apply(ctx context.Context, a act) (now int64, seqs []uint64, err error) {
	keys, args := s.applyArgs(a)
	script := applyScript
	if a.tidy {
		script = tidyScript
	}
	answer, err := s.redis.Run(ctx, script, keys, args...).StringSlice()
	if err != nil {
		return 0, nil, fmt.Errorf("commons: apply: %w", err)
	}
	if len(answer) == 0 {
		return 0, nil, errAnswer
	}
	switch answer[0] {
	case "ok":
		now, seqs, err = parseApplied(answer[1:])
		if err == nil {
			s.wakeFor(a, now)
		}
		return now, seqs, err
	case "lost":
		return 0, nil, queue.ErrLost
	case "rate":
		return 0, nil, errTooFast
	case "conflict":
		return 0, nil, errConflict
	case "full":
		return 0, nil, errFull
	}
	return 0, nil, errAnswer
}

func (s *Commons) applyArgs(a act) (keys []string, args []any) {
	lease, holder, member, key := "", "", "", ""
	if a.by != nil {
		holder, member = a.by.Lease.Value, a.by.Member.Key
		lease = a.by.Lease.Key
	}
	if holder == "" {
		lease = s.sizesKey(a.mesh) // a key of the same slot, which is not read
	}
	if !a.free {
		key = member
	}
	keys = append([]string{lease}, s.queue.JournalKeys(a.mesh)...)
	keys = append(keys, s.sizesKey(a.mesh), jobsKey(s.redis.Tag(a.mesh)), s.rateKey(a.mesh))
	args = []any{
		holder, s.redis.MeshBell(a.mesh), wire.NewID(epochLength), a.mesh, meshBytes,
		key, changesPerMinute, changesBurst, len(a.changes),
	}
	places := map[string]int{}
	first := len(keys)
	for _, c := range a.changes {
		if places[c.shelf.name] == 0 {
			keys = append(keys, s.key(a.mesh, c.shelf))
			places[c.shelf.name] = len(keys) - first
		}
		args = append(args, c.args(places[c.shelf.name])...)
	}
	args = append(args, len(a.entries))
	for _, e := range a.entries {
		args = append(args, e.args()...)
	}
	args = append(args, len(a.drop))
	for _, name := range a.drop {
		keys, args = append(keys, s.keyOf(a.mesh, name)), append(args, name)
	}
	return keys, args
}

func parseApplied(answer []string) (now int64, seqs []uint64, err error) {
	if len(answer) == 0 {
		return 0, nil, errAnswer
	}
	if now, err = strconv.ParseInt(answer[0], 10, 64); err != nil {
		return 0, nil, errAnswer
	}
	for _, text := range answer[1:] {
		seq, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, nil, errAnswer
		}
		seqs = append(seqs, seq)
	}
	return now, seqs, nil
}

// get reads one field; "" means that it is not there.
func (s *Commons) get(ctx context.Context, mesh string, sh shelf, field string) (string, error) {
	v, err := s.redis.Do(ctx, "HGET", s.key(mesh, sh), field).Text()
	if errors.Is(err, goredis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("commons: read %s: %w", sh.name, err)
	}
	return v, nil
}

// all reads a shelf, whose bounds are the bounds of the answer.
func (s *Commons) all(ctx context.Context, mesh string, sh shelf) (map[string]string, error) {
	m, err := s.redis.Raw().HGetAll(ctx, s.key(mesh, sh)).Result()
	if err != nil {
		return nil, fmt.Errorf("commons: read %s: %w", sh.name, err)
	}
	meter(ctx, m)
	return m, nil
}

// count tells how many fields a shelf has.
func (s *Commons) count(ctx context.Context, mesh string, sh shelf) (int, error) {
	n, err := s.redis.Raw().HLen(ctx, s.key(mesh, sh)).Result()
	if err != nil {
		return 0, fmt.Errorf("commons: count %s: %w", sh.name, err)
	}
	return int(n), nil
}

// time is Redis's clock, which decides what is due.
func (s *Commons) time(ctx context.Context) (time.Time, error) {
	t, err := s.redis.Raw().Time(ctx).Result()
	if err != nil {
		return t, fmt.Errorf("commons: read clock: %w", err)
	}
	return t, nil
}

// now is time in milliseconds.
func (s *Commons) now(ctx context.Context) (int64, error) {
	t, err := s.time(ctx)
	return t.UnixMilli(), err
}

// maxAttempts bounds how often a change is tried again that others were
// quicker with.
const maxAttempts = 20

// retry runs f until it does not lose against somebody else.
func retry(ctx context.Context, f func() error) error {
	for range maxAttempts {
		if err := f(); !errors.Is(err, errConflict) || ctx.Err() != nil {
			return err
		}
	}
	return errBusy
}

// tell sends a frame to one peer, wherever it is. It is not kept: a peer in its
// grace does not get it, and missed is called with ref: here, or where the peer
// was until just now. It reports false when the peer is not here at all.
func (s *Commons) tell(ctx context.Context, to presence.Peer, ref string, m wire.Message) (bool, error) {
	b, err := wire.Encode(m)
	if err != nil {
		return false, fmt.Errorf("commons: tell: %w", err)
	}
	n, err := s.redis.Run(ctx, tellScript, []string{s.presence.LeaseKey(to)},
		s.redis.MeshBell(to.Mesh), to.ID, ref, string(b)).Int()
	if err != nil {
		return false, fmt.Errorf("commons: tell: %w", err)
	}
	if n == toldNobody && ref != "" {
		return true, s.Missed(ctx, to.Mesh, ref)
	}
	return n != toldAbsent, nil
}

// What tell.lua answers beside 1.
const (
	toldAbsent = 0
	toldNobody = 2
)
