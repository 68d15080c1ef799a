package presence

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// oracle answers what a verb of the real [Store], with its real scripts, makes
// of an image. It remembers every answer: the same question comes up in many
// states of the world, and a script takes longer than everything else here.
type oracle struct {
	server *miniredis.Miniredis
	store  *Store
	bench  *bench

	images  []*image
	byText  map[string]imageID
	cursors []string
	byName  map[string]cursorID
	answers map[question]answer
}

// cursorID names a cursor among those of one oracle; 0 is none.
type cursorID int16

// question is one verb in one situation.
type question struct {
	image  imageID
	verb   string
	peer   int8
	edge   int8
	gen    int8 // of the attachment that acts, or that attach will make
	token  int8 // with resume: the attachment that goes on
	cursor cursorID
	epochs int8 // how often the journal was lost: an epoch is never used again
	slow   bool // Redis's clock went back
}

// answer is what became of it.
type answer struct {
	image  imageID
	word   string // as the edge understands it
	events []heardEvent
	cursor cursorID // with attach: where the journal goes on
}

// heardEvent is a journal entry that the verb appended. Gen is 0 for an id that
// does not derive from an attachment of the peer.
type heardEvent struct {
	event     string
	peer, gen int8
}

// maxGens bounds the attachments of one peer.
const maxGens = 7

// Generations are numbered by attachment instead of by the time at which they
// were made, so that situations that differ in nothing else are the same.
// All lie in the past of the clock that the scripts see, except of a slow one.
var (
	generations = time.UnixMicro(1_700_000_000_000_000)
	clock       = generations.Add(1000 * time.Second)
	slowClock   = generations.Add(-1000 * time.Second)
)

func generation(n int8) string {
	return strconv.FormatInt(generations.UnixMicro()+int64(n), 10)
}

// newOracle asks a store with options o whose scripts come from source.
func newOracle(t testing.TB, o Options, source func(name string) string) *oracle {
	t.Helper()
	server := miniredis.RunT(t)
	rdb, err := redis.Open(t.Context(), redis.Options{URL: "redis://" + server.Addr(), Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rdb.Close() })
	b := &bench{TB: t, rdb: rdb, mesh: "M"}
	b.store = b.newStore(o)
	b.store.scripts = newScripts(source, journalLua)
	x := &oracle{
		server: server, store: b.store, bench: b,
		byText: map[string]imageID{}, cursors: []string{""}, byName: map[string]cursorID{}, answers: map[question]answer{},
	}
	server.SetTime(clock)
	b.enrol(alice)
	x.intern(dump(server, clock)) // imageID 0: nobody has ever been here
	return x
}

func peerName(p int8) string { return "p" + strconv.Itoa(int(p)) }
func edgeName(e int8) string { return string(rune('A' + e)) }

func (x *oracle) peer(p int8) Peer { return x.bench.peer(peerName(p)) }

func (x *oracle) held(q question) Held {
	return Held{Peer: x.peer(q.peer), Generation: generation(q.gen), Edge: edgeName(q.edge), Conn: "c" + strconv.Itoa(int(q.gen))}
}

// intern makes an image of keys, or finds it.
func (x *oracle) intern(keys []keyImage) imageID {
	text := fmt.Sprint(keys)
	id, known := x.byText[text]
	if !known {
		id = imageID(len(x.images))
		x.byText[text] = id
		x.images = append(x.images, &image{id: id, keys: keys})
	}
	return id
}

func (x *oracle) internCursor(text string) cursorID {
	id, known := x.byName[text]
	if !known {
		id = cursorID(len(x.cursors))
		x.byName[text], x.cursors = id, append(x.cursors, text)
	}
	return id
}

// tick lets one renewal interval pass.
func (x *oracle) tick(id imageID) imageID {
	i := x.images[id]
	if i.next == nil {
		i.next = x.images[x.intern(i.later(oneTick))]
	}
	return i.next.id
}

// ask lets the store answer q.
func (x *oracle) ask(q question) answer {
	a, known := x.answers[q]
	if known {
		return a
	}
	before, now := x.images[q.image], clock
	if q.slow {
		now = slowClock
	}
	x.server.SetTime(now)
	before.load(x.server, now)
	cursor := ""
	a.word, cursor = x.run(x.bench.Context(), q)
	text := func(s string) string { return s }
	if made := q.verb == "attach" || q.verb == "resume"; made && (!q.slow || newest(before, x, q.peer) == 0) {
		text = renamer(x.peer(q.peer), strconv.FormatInt(now.UnixMicro(), 10), generation(q.gen))
	}
	keys := dump(x.server, now)
	for _, k := range keys {
		for i := range k.items {
			k.items[i] = text(k.items[i])
			if i > 0 && k.items[i-1] == "epoch" && !strings.HasPrefix(k.items[i], "Epoch") {
				k.items[i] = "EpochX" + strconv.Itoa(int(q.epochs)) // a random one
			}
		}
	}
	a.image, a.word, a.cursor = x.intern(keys), text(a.word), x.internCursor(text(cursor))
	a.events = x.happened(before, x.images[a.image])
	x.answers[q] = a
	return a
}

// renamer replaces a generation by another, also where ids derive from it.
func renamer(p Peer, from, to string) func(string) string {
	return strings.NewReplacer(from, to, eventID(p, from, "peer_joined"), eventID(p, to, "peer_joined")).Replace
}

// eventID is event_id of lua/record.lua.
func eventID(p Peer, gen, event string) string {
	sum := sha1.Sum([]byte(strings.Join([]string{p.Mesh, p.ID, gen, event, ""}, "|")))
	h := hex.EncodeToString(sum[:])
	return h[:8] + "-" + h[8:12] + "-5" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

func (x *oracle) run(ctx context.Context, q question) (word, cursor string) {
	s, h, p := x.store, x.held(q), x.peer(q.peer)
	epoch := "Epoch" + strconv.Itoa(int(q.epochs))
	switch q.verb {
	case "attach":
		a := x.bench.session(p.ID)
		a.Edge, a.Conn, a.Epoch = h.Edge, h.Conn, epoch
		got, err := s.Attach(ctx, a)
		return verdict(string(got.Outcome)+" "+got.Generation, err), got.Start.String()
	case "resume":
		h.Generation = generation(q.token)
		a := x.bench.session(p.ID)
		got, err := s.Resume(ctx, Resumption{Held: h, Member: a.Member, Key: a.Key, Kind: a.Kind})
		return verdict(string(got.Outcome)+" "+got.Generation, err), got.Start.String()
	case "renew":
		snapshot := func() Presence { return x.snapshot(p) }
		got, err := s.Renew(ctx, []Renewal{{Held: h, Cursor: x.cursors[q.cursor], Snapshot: snapshot}})
		return verdict(string(got[0]), err), ""
	case "detach":
		return verdict("ok", s.Detach(ctx, h, x.cursors[q.cursor])), ""
	case "leave":
		return verdict("ok", s.Leave(ctx, h)), ""
	case "update":
		_, err := s.Update(ctx, h, []byte(`{"displayName":"new"}`), UpdateEvent{})
		return verdict("ok", err), ""
	case "status":
		_, err := s.SetStatus(ctx, p, &h, StatusDND, SourceManual)
		return verdict("ok", err), ""
	case "settle":
		_, ok, err := s.Settle(ctx, p)
		return verdict(strconv.FormatBool(ok), err), ""
	case "touch":
		_, err := x.touch(ctx, dueMember(p))
		return verdict("ok", err), ""
	case "sweep":
		return x.sweep(ctx), ""
	case "ban":
		x.bench.ban(alice)
	case "expel":
		return verdict("ok", s.Expel(ctx, p.Mesh, alice)), ""
	}
	return "ok", ""
}

// snapshot is what an edge knows of a peer.
func (x *oracle) snapshot(p Peer) Presence {
	a := x.bench.session(p.ID)
	return Presence{
		Peer: p, Member: a.Member, Key: a.Key, Kind: a.Kind, Announced: a.Announce, Record: a.Record,
		ConnectedAt: clock, Status: Status{Value: StatusIdle, Source: SourceJSONL, At: clock},
	}
}

func verdict(word string, err error) string {
	switch {
	case err == nil:
		return word
	case errors.Is(err, ErrLost):
		return "lost"
	case errors.Is(err, ErrAway):
		return "away"
	case errors.Is(err, ErrBanned):
		return "banned"
	case errors.Is(err, ErrPassed):
		return "passed"
	default:
		return "failed: " + err.Error()
	}
}

// touch does as the sweeper does with members of the due index.
func (x *oracle) touch(ctx context.Context, members ...string) (gone []string, err error) {
	tag := x.store.rdb.Tag(x.bench.mesh)
	keys, args := []string{dueKey(tag)}, []any{}
	for _, m := range members {
		keys, args = append(keys, leaseOf(tag, m)), append(args, m)
	}
	return x.store.rdb.Run(ctx, x.store.scripts.touch, keys, args...).StringSlice()
}

// sweep does as the first edge of a partition does, without events, until
// nothing is due any more.
func (x *oracle) sweep(ctx context.Context) string {
	tag := x.store.rdb.Tag(x.bench.mesh)
	for range 4 {
		answer, err := x.store.rdb.Run(ctx, x.store.scripts.look, []string{dueKey(tag), cleanupKey(tag)}, maxLook, 0).StringSlice()
		if err != nil {
			return verdict("", err)
		}
		if len(answer) == 2 {
			return "ok"
		}
		gone, err := x.touch(ctx, answer[2:]...)
		if err != nil {
			return verdict("", err)
		}
		for _, m := range gone {
			p, _ := parseDueMember(m)
			if _, _, err := x.store.Settle(ctx, p); err != nil {
				return verdict("", err)
			}
		}
	}
	return "failed: the sweep has no end"
}

// happened reads what was appended to the journal.
func (x *oracle) happened(before, after *image) (out []heardEvent) {
	name := x.store.opt.JournalKeys(x.bench.mesh)[0]
	old, _ := before.key(name)
	entries, _ := after.key(name)
	for n := len(old.items); n < len(entries.items); n += 2 {
		values := strings.Split(entries.items[n+1], "\x00")
		field := func(name string) string {
			for i := 0; i+1 < len(values); i += 2 {
				if values[i] == name {
					return values[i+1]
				}
			}
			return ""
		}
		e := heardEvent{event: field("event")}
		for p := range int8(maxPeers) {
			if peerName(p) == field("peer") {
				e.peer = p
			}
		}
		for g := int8(1); g <= maxGens; g++ {
			if eventID(x.peer(e.peer), generation(g), e.event) == field("id") {
				e.gen = g
			}
		}
		out = append(out, e)
	}
	return out
}

// newest is the newest generation that an image knows of a peer, by its
// number, or 0.
func newest(i *image, x *oracle, p int8) int8 {
	tag, mesh := x.store.rdb.Tag(x.bench.mesh), x.bench.mesh
	lease, _ := i.key(leaseKey(tag, x.peer(p)))
	record, _ := i.pair(rosterKey(tag, mesh), peerName(p))
	texts := append([]string{record}, lease.items...)
	for g := int8(maxGens); g > 0; g-- {
		for _, t := range texts {
			if strings.HasPrefix(t, generation(g)) {
				return g
			}
		}
	}
	return 0
}
