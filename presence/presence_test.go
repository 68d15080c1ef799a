package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, redistest.LastDials()) }

// journalLua stands in for the journal of another room: the same contract, and
// none of its bounds.
const journalLua = `
local function journal_append(journal, head, channel, epoch, e)
  redis.call('HSETNX', head, 'epoch', epoch)
  local seq = redis.call('HINCRBY', head, 'jseq', 1)
  local id = e.id ~= '' and e.id or ('j' .. text(seq) .. e.tail)
  redis.call('HSET', head, 'jid', id)
  redis.call('XADD', journal, text(seq) .. '-0', 'id', id, 'at', text(now_ms()), 'kind', e.kind, 'event', e.event,
    'member', e.member, 'peer', e.peer, 'target', e.target, 'flags', e.flags, 'body', e.body)
  bell(channel, 'journal\031' .. text(seq) .. '\031' .. id .. '\031' .. e.event .. '\031' .. e.peer)
  return seq, id
end`

const (
	testEpoch = "Ep0ch123"
	alice     = "aaaaaaaa" // member keys; only their being words matters here
	bob       = "bbbbbbbb"
)

// bench is a mesh on a private Redis, with the members alice and bob.
type bench struct {
	testing.TB
	server *redistest.Server
	rdb    *redis.Client
	store  *Store
	mesh   string
}

func newBench(t testing.TB, o Options, conf ...string) *bench {
	t.Helper()
	b := &bench{TB: t, server: redistest.Start(t, conf...), mesh: "Mesh1"}
	b.rdb = b.server.Client(t)
	b.store = b.newStore(o)
	b.enrol(alice, bob)
	return b
}

// newStore is the store of another process on the same Redis.
func (b *bench) newStore(o Options) *Store {
	o.JournalLua = journalLua
	o.JournalKeys = func(mesh string) []string {
		return []string{"journal:" + b.rdb.Tag(mesh) + ":" + mesh, "head:" + b.rdb.Tag(mesh) + ":" + mesh}
	}
	o.MembersKey = func(mesh string) string { return "members:" + b.rdb.Tag(mesh) + ":" + mesh }
	o.BansKey = func(mesh string) string { return "bans:" + b.rdb.Tag(mesh) + ":" + mesh }
	o.GrantsKey = func(mesh string) string { return "grants:" + b.rdb.Tag(mesh) + ":" + mesh }
	o.MeshKey = func(mesh string) string { return "mesh:" + b.rdb.Tag(mesh) + ":" + mesh }
	return New(b.rdb, o)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) enrol(members ...string) {
	b.Helper()
	for _, m := range members {
		b.must(b.rdb.Raw().HSet(b.Context(), b.store.opt.MembersKey(b.mesh), m, "{}").Err())
	}
}

func (b *bench) ban(member string) {
	b.Helper()
	b.must(b.rdb.Raw().HSet(b.Context(), b.store.opt.BansKey(b.mesh), member, "1").Err())
}

func (b *bench) peer(id string) Peer { return Peer{Mesh: b.mesh, ID: id} }

// session is an ordinary attachment of alice's session id on edge A.
func (b *bench) session(id string) Attachment {
	return Attachment{
		Peer: b.peer(id), Member: alice, Key: "key-" + id, Kind: KindSession, Edge: "edgeA", Conn: "conn1",
		Announce: true, Record: []byte(`{"displayName":"N-` + id + `","groups":[]}`),
		JoinEvent: "peer_joined", JoinData: []byte(`{"name":"N-` + id + `"}`), Epoch: testEpoch,
	}
}

func (b *bench) attach(a Attachment) Attached {
	b.Helper()
	out, err := b.store.Attach(b.Context(), a)
	b.must(err)
	return out
}

func (b *bench) renew(h Held, snapshot func() Presence) RenewOutcome {
	b.Helper()
	return b.renewFrom(h, testEpoch+"/0/", snapshot)
}

func (b *bench) renewFrom(h Held, cursor string, snapshot func() Presence) RenewOutcome {
	b.Helper()
	out, err := b.store.Renew(b.Context(), []Renewal{{Held: h, Cursor: cursor, Snapshot: snapshot}})
	b.must(err)
	return out[0]
}

func (b *bench) detach(h Held) {
	b.Helper()
	b.must(b.store.Detach(b.Context(), h, ""))
}

func (b *bench) settle(p Peer) bool {
	b.Helper()
	_, ok, err := b.store.Settle(b.Context(), p)
	b.must(err)
	return ok
}

// expire makes p's lease run out now.
func (b *bench) expire(p Peer) {
	b.Helper()
	b.must(b.rdb.Raw().Del(b.Context(), b.store.LeaseKey(p)).Err())
}

func (b *bench) flushAll() {
	b.Helper()
	b.must(b.rdb.Raw().FlushAll(b.Context()).Err())
	b.enrol(alice, bob)
}

func (b *bench) get(p Peer) (Presence, bool) {
	b.Helper()
	out, ok, err := b.store.Get(b.Context(), p)
	b.must(err)
	return out, ok
}

func (b *bench) lease(p Peer) string {
	b.Helper()
	value, err := b.rdb.Raw().MGet(b.Context(), b.store.LeaseKey(p)).Result()
	b.must(err)
	text, _ := value[0].(string)
	return text
}

func (b *bench) leaseLasts(p Peer) time.Duration {
	b.Helper()
	ttl, err := b.rdb.Raw().PTTL(b.Context(), b.store.LeaseKey(p)).Result()
	b.must(err)
	return ttl
}

// event is a journal entry as tests look at it.
type event struct {
	Seq                                  int64
	ID, Event, Member, Peer, Flags, Body string
	At                                   time.Time
}

func (b *bench) journal() []event {
	b.Helper()
	entries, err := b.rdb.Raw().XRange(context.WithoutCancel(b.Context()), b.store.opt.JournalKeys(b.mesh)[0], "-", "+").Result()
	b.must(err)
	out := make([]event, len(entries))
	for i, e := range entries {
		field := func(name string) string { return e.Values[name].(string) }
		seq, _ := strconv.ParseInt(strings.TrimSuffix(e.ID, "-0"), 10, 64)
		at, _ := parseMillis(field("at"))
		out[i] = event{
			Seq: seq, ID: field("id"), Event: field("event"), Member: field("member"), Peer: field("peer"),
			Flags: field("flags"), Body: field("body"), At: at,
		}
	}
	return out
}

// events are the lines of the journal like "peer_joined p1".
func (b *bench) events() (out []string) {
	b.Helper()
	for _, e := range b.journal() {
		out = append(out, e.Event+" "+e.Peer)
	}
	return out
}

// wantEvents compares the journal with such lines.
func (b *bench) wantEvents(want ...string) {
	b.Helper()
	if got := b.events(); !slices.Equal(got, want) {
		b.Fatalf("journal has %q, want %q", got, want)
	}
}

func (b *bench) wantLost(verb string, err error) {
	b.Helper()
	if !errors.Is(err, ErrLost) {
		b.Errorf("%s: got %v, want ErrLost", verb, err)
	}
}

// dump is all that Redis holds of the bench's partition, for tests that
// nothing changed.
func (b *bench) dump(p Peer) string {
	b.Helper()
	ctx, raw, tag := b.Context(), b.rdb.Raw(), b.rdb.Tag(p.Mesh)
	return fmt.Sprint(b.lease(p), raw.HGetAll(ctx, rosterKey(tag, p.Mesh)).Val(),
		raw.HGetAll(ctx, cursorKey(tag, p.Mesh)).Val(), raw.HGetAll(ctx, savedKey(tag, p.Mesh)).Val(),
		raw.ZRangeWithScores(ctx, dueKey(tag), 0, -1).Val(), raw.ZRangeWithScores(ctx, cleanupKey(tag), 0, -1).Val(),
		b.journal())
}

// eventually repeats check until it returns nil.
func eventually(t testing.TB, within time.Duration, check func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}
