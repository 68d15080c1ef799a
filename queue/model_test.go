package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestALaneBehavesLikeASlice drives one lane and a slice with the same random
// operations. They must never disagree.
func TestALaneBehavesLikeASlice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, run := b.member("a1"), 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		bob := b.member(fmt.Sprintf("b%d", run))
		inbox := bob.sender.Member
		var want []Entry
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				body := fill(rapid.IntRange(8, 2000).Draw(t, "size"))
				id := alice.send(alice.direct(inbox, "", body)).MessageID
				_, seq, _ := ParseID(id)
				want = append(want, Entry{Seq: seq, ID: id, Member: alice.sender.Member, Peer: alice.sender.Peer, Body: body})
			},
			"ack": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip("nothing to ack")
				}
				i := rapid.IntRange(0, len(want)-1).Draw(t, "which")
				if !bob.ack(want[i].ID, inbox) {
					t.Fatal("an entry could not be acked")
				}
				want = slices.Delete(want, i, i+1)
			},
			"read": func(t *rapid.T) {
				limit := rapid.IntRange(1, 20).Draw(t, "limit")
				after := uint64(0)
				if len(want) > 0 {
					after = rapid.SampledFrom(want).Draw(t, "after").Seq
				}
				got, err := b.q.Read(bob.b.tb.Context(), b.mesh, inbox, LaneNext, after, limit, 1<<30)
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(want, func(e Entry) bool { return e.Seq > after })
				if i < 0 {
					i = len(want)
				}
				sameEntries(t, want[i:min(i+limit, len(want))], got)
			},
			"": func(t *rapid.T) { sameEntries(t, want, b.read(inbox, LaneNext)) },
		})
	})
}

func sameEntries(t *rapid.T, want, got []Entry) {
	t.Helper()
	got = slices.Clone(got)
	for i := range got {
		got[i].At = 0
	}
	if !slices.Equal(want, got) {
		t.Fatalf("(-want, +got):\n%s", cmp.Diff(want, got))
	}
}

// model is what the whole queue should be, in memory: a small world of two
// members, two sessions and a claim.
type model struct {
	b     *bundle
	peers []*peer // alice, alice's session, bob, bob's session, a claim of bob's
	keys  []string

	waiting map[string][]modelMessage // by "KEY LANE"
	once    map[string]modelOnce      // by "MEMBER client id"
	line    map[string][]modelReader  // by inbox
	claimed []modelReader
	posts   []string
	dead    int
	lastSeq uint64
}

type modelMessage struct {
	id, target string
	seq        uint64
	size, seen int
}

type modelOnce struct{ id, fingerprint string }

type modelReader struct {
	peer *peer
	rank int
}

const (
	modelMessages = 4
	modelBytes    = 2500
	modelMesh     = 5000
)

func TestTheQueueBehavesLikeItsModel(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := server.Client(t)
	rapid.Check(t, func(rt *rapid.T) {
		b := setupOn(t, server, c)
		b.do("FLUSHALL")
		b.q.maxMessages, b.q.maxBytes, b.q.maxMesh = modelMessages, modelBytes, modelMesh
		m := newModel(b)
		rt.Repeat(map[string]func(*rapid.T){
			"send": m.send, "send again": m.send, "post": m.post, "ack": m.ack, "confirm": m.confirm,
			"retire": m.retire, "open": m.open, "promote": m.promote, "close": m.close, "": m.check,
		})
	})
}

func newModel(b *bundle) *model {
	alice, bob := b.member("a1"), b.member("b0b")
	m := &model{
		b: b, peers: []*peer{alice, alice.session("51"), bob, bob.session("52"), bob.claim("c1a1", "one")},
		waiting: map[string][]modelMessage{}, once: map[string]modelOnce{}, line: map[string][]modelReader{},
	}
	for _, p := range m.peers {
		m.keys = append(m.keys, p.sender.Key)
	}
	return m
}

func (m *model) peer(t *rapid.T) *peer { return rapid.SampledFrom(m.peers).Draw(t, "peer") }

func (m *model) lane(t *rapid.T) Lane { return rapid.SampledFrom(Lanes()).Draw(t, "lane") }

func (m *model) send(t *rapid.T) {
	p := m.peer(t)
	d := p.direct(rapid.SampledFrom(append(m.keys, hexKey("dead"))).Draw(t, "target"),
		rapid.SampledFrom([]string{"", "", "1", "2", "3"}).Draw(t, "client id"),
		fill(rapid.IntRange(8, 1200).Draw(t, "size")))
	d.Lane, d.Fingerprint = m.lane(t), rapid.SampledFrom([]string{"", "f"}).Draw(t, "fingerprint")
	inbox, duplicate, want := m.judge(d)
	got, err := m.b.q.Send(m.b.tb.Context(), d)
	if !errors.Is(err, want) || got.Duplicate != (duplicate != "") {
		t.Fatalf("got %+v, %v; want %v, duplicate of %q", got, err, want, duplicate)
	}
	if err == nil && duplicate == "" {
		m.stored(d, inbox, got.MessageID)
	} else if err == nil && got.MessageID != duplicate {
		t.Fatalf("got %s, want the first id %s", got.MessageID, duplicate)
	}
}

// judge tells what must become of a message and into which inbox it goes.
func (m *model) judge(d Direct) (inbox, duplicate string, refusal error) {
	if first, ok := m.once[d.Sender.Member+" "+d.ClientID]; ok {
		if first.fingerprint != d.Fingerprint {
			return "", "", ErrFingerprint
		}
		return "", first.id, nil
	}
	inbox, ok := m.resolve(d)
	if !ok {
		return "", "", ErrNoRecipient
	}
	count, bytes := m.count(inbox)
	_, mesh := m.count("")
	switch size := modelSize(d); {
	case count+1 > modelMessages || bytes+size > modelBytes:
		return "", "", ErrInboxFull
	case mesh+size > modelMesh:
		return "", "", ErrMeshFull
	}
	return inbox, "", nil
}

func (m *model) resolve(d Direct) (inbox string, ok bool) {
	line := m.line[d.Target]
	switch claim := m.peers[4]; d.Target {
	case hexKey("dead"):
		return "", false
	case claim.sender.Key:
		return claim.sender.Peer, len(m.claimed) > 0 && d.Sender.Peer != claim.sender.Peer
	case d.Sender.Member, d.Sender.Peer:
		return d.Target, slices.ContainsFunc(line, func(r modelReader) bool { return r.peer.sender.Peer != d.Sender.Peer })
	}
	return d.Target, true
}

// count sums one inbox, or all of them.
func (m *model) count(inbox string) (n, bytes int) {
	for at, list := range m.waiting {
		if inbox == "" || at[:len(at)-5] == inbox {
			for _, w := range list {
				n, bytes = n+1, bytes+w.size
			}
		}
	}
	return n, bytes
}

func modelSize(d Direct) int {
	return tailLen + len("1767225600000") + len(d.Sender.Member) + len(d.Sender.Peer) + len(d.ClientID) + len(d.Body)
}

// slot is where a lane is kept in the model; all names have the same length.
func slot(inbox string, lane Lane) string { return fmt.Sprintf("%s %4s", inbox, lane) }

func (m *model) stored(d Direct, inbox, id string) {
	m.lastSeq++
	at := slot(inbox, d.Lane)
	m.waiting[at] = append(m.waiting[at], modelMessage{id: id, target: d.Target, seq: m.lastSeq, size: modelSize(d)})
	if d.ClientID != "" {
		m.once[d.Sender.Member+" "+d.ClientID] = modelOnce{id, d.Fingerprint}
	}
}

func (m *model) post(t *rapid.T) {
	p := m.peer(t)
	m.posts = append(m.posts, p.post("*", "{}"))
}

// pick draws an inbox, a lane and the place of a message in it, or -1.
func (m *model) pick(t *rapid.T) (inbox string, lane Lane, at string, i int) {
	inbox = rapid.SampledFrom(append(m.keys[:4:4], m.peers[4].sender.Peer)).Draw(t, "inbox")
	lane = m.lane(t)
	at = slot(inbox, lane)
	return inbox, lane, at, rapid.IntRange(-1, len(m.waiting[at])-1).Draw(t, "message")
}

func (m *model) drop(at string, i int) {
	if m.waiting[at] = slices.Delete(m.waiting[at], i, i+1); len(m.waiting[at]) == 0 {
		delete(m.waiting, at)
	}
}

func (m *model) ack(t *rapid.T) {
	inbox, _, at, i := m.pick(t)
	id := makeID(ClassDirect, m.lastSeq, "000000000000000000000000")
	if i >= 0 {
		id = m.waiting[at][i].id
	}
	wrong := rapid.Bool().Draw(t, "in another inbox")
	if wrong {
		inbox = "nobody"
	}
	want := i >= 0 && !wrong
	if got := m.peers[0].ack(id, "other", inbox); got != want {
		t.Fatalf("ack: got %v, want %v", got, want)
	}
	if want {
		m.drop(at, i)
	}
}

func (m *model) confirm(t *rapid.T) {
	inbox, lane, at, i := m.pick(t)
	seqs := []uint64{m.lastSeq + 1}
	if i >= 0 {
		seqs = append(seqs, m.waiting[at][i].seq)
	}
	for range 2 {
		if err := m.b.q.Confirm(m.b.tb.Context(), m.b.mesh, m.peers[0].lease, inbox, lane, seqs); err != nil {
			t.Fatal(err)
		}
	}
	if i < 0 {
		return
	}
	if m.waiting[at][i].seen += 2; m.waiting[at][i].seen >= MaxPushes {
		m.drop(at, i)
	}
}

func (m *model) retire(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "die") > 0 {
		t.Skip("rarely, or nothing ever waits")
	}
	n, _ := m.count("")
	m.b.q.retention = expired
	got := m.b.retire(1000)
	m.b.q.retention = Retention
	if got != n {
		t.Fatalf("%d messages were retired, want all %d", got, n)
	}
	m.dead += n
	clear(m.waiting)
}

func (m *model) open(t *rapid.T) {
	p, rank := m.peer(t), rapid.IntRange(RankSession, RankTransient).Draw(t, "rank")
	if p.kind == KindClaim && rapid.Bool().Draw(t, "claims") {
		p.open(p.sender.Key, rank)
		m.claimed = []modelReader{{p, rank}}
		return
	}
	inbox := p.sender.Member
	if p.kind == KindSession && rapid.Bool().Draw(t, "its own") {
		inbox = p.sender.Key
	}
	line := m.line[inbox]
	i := slices.IndexFunc(line, func(r modelReader) bool { return r.peer == p })
	if i < 0 || line[i].rank > rank {
		if i >= 0 {
			line = slices.Delete(line, i, i+1)
		}
		line = insert(line, modelReader{p, rank})
	}
	m.line[inbox] = line
	if got, want := p.open(inbox, rank), line[0].peer == p; got != want {
		t.Fatalf("open: best is %v, want %v", got, want)
	}
}

func insert(line []modelReader, r modelReader) []modelReader {
	i := slices.IndexFunc(line, func(other modelReader) bool { return other.rank > r.rank })
	if i < 0 {
		i = len(line)
	}
	return slices.Insert(line, i, r)
}

func (m *model) promote(t *rapid.T) {
	p := m.peer(t)
	inbox := p.sender.Member
	line := m.line[inbox]
	i := slices.IndexFunc(line, func(r modelReader) bool { return r.peer == p })
	if i >= 0 && line[i].rank > RankAcked {
		line = insert(slices.Delete(line, i, i+1), modelReader{p, RankAcked})
		m.line[inbox] = line
	}
	want := i >= 0 && line[0].peer == p
	if got, err := m.b.q.Promote(m.b.tb.Context(), p.reader(inbox, 0)); err != nil || got.Best != want {
		t.Fatalf("promote: got %+v, %v; want %v", got, err, want)
	}
}

func (m *model) close(t *rapid.T) {
	p := m.peer(t)
	for _, inbox := range []string{p.sender.Member, p.sender.Key} {
		p.close(inbox)
		m.line[inbox] = slices.DeleteFunc(m.line[inbox], func(r modelReader) bool { return r.peer == p })
	}
	if p.kind == KindClaim {
		m.claimed = nil
	}
}

// check compares everything that can be seen.
func (m *model) check(t *rapid.T) {
	inbox, lane, at, _ := m.pick(t)
	want := []string{}
	for _, w := range m.waiting[at] {
		want = append(want, w.id)
	}
	if diff := cmp.Diff(want, ids(m.b.read(inbox, lane))); diff != "" {
		t.Fatalf("%s (-want, +got):\n%s", at, diff)
	}
	head := m.b.headHash()
	_, bytes := m.count("")
	if got := head["bytes"]; got != fmt.Sprint(bytes) && (bytes != 0 || got != "") {
		t.Fatalf("%s bytes are counted, want %d", got, bytes)
	}
	count, size := m.count(inbox)
	if count > 0 && (head["n:"+inbox] != fmt.Sprint(count) || head["b:"+inbox] != fmt.Sprint(size)) || count == 0 && head["n:"+inbox]+head["b:"+inbox] != "" {
		t.Fatalf("inbox counted as %s, %s; want %d, %d", head["n:"+inbox], head["b:"+inbox], count, size)
	}
	if lanes := m.b.do("ZCARD", m.b.q.at(m.b.mesh).waits()); lanes != int64(len(m.waiting)) {
		t.Fatalf("%v lanes are indexed, want %d", lanes, len(m.waiting))
	}
	entries, _ := m.b.journal(0, 1000)
	if len(entries) != len(m.posts) || len(m.b.deadLetters()) != m.dead {
		t.Fatalf("%d posts, %d dead letters; want %d, %d", len(entries), len(m.b.deadLetters()), len(m.posts), m.dead)
	}
	key := rapid.SampledFrom(m.keys).Draw(t, "line")
	m.b.wants(key, peersOf(m.line[key])...)
	m.checkStatus(t, at)
}

func (m *model) checkStatus(t *rapid.T, at string) {
	for _, w := range m.waiting[at] {
		s, err := m.b.q.Status(m.b.tb.Context(), m.b.mesh, w.id)
		if err != nil || s != (MessageStatus{ID: w.id, Target: w.target}) {
			t.Fatalf("status of a waiting message: %+v, %v", s, err)
		}
	}
}

func peersOf(line []modelReader) []*peer {
	out := make([]*peer, len(line))
	for i, r := range line {
		out[i] = r.peer
	}
	return out
}
