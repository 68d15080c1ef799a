package presence

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// modelPeer is a peer as the model knows it. Without a record it has no lease.
type modelPeer struct {
	here                        bool
	held                        Held
	lease                       string // "held", "detached" or "" for run out
	member                      string
	announced, transient, hello bool
}

// model is what leases and roster ought to be, in plain Go.
type model struct {
	b      *bench
	peers  map[string]*modelPeer
	issued []Held // every attachment there ever was
	events []string
	saved  map[string]bool
	conns  int
}

// TestLeasesBehaveLikeTheModel drives the store and a model of it with the
// same random verbs, in the name of present and past attachments alike. They
// must never disagree on answers, events, holders and roster.
func TestLeasesBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		mine := *b
		mine.mesh = fmt.Sprintf("Model%d", runs.Add(1))
		mine.enrol(alice, bob)
		m := &model{b: &mine, peers: map[string]*modelPeer{}, saved: map[string]bool{}}
		for _, id := range []string{"p1", "p2", "p3"} {
			m.peers[id] = &modelPeer{}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"attach": m.attach, "renew": m.renew, "detach": m.detach, "leave": m.leave, "update": m.update,
			"status": m.status, "expire": m.expire, "settle": m.settle, "": m.agree,
		})
	})
}

func (m *model) pick(t *rapid.T) (string, *modelPeer) {
	id := rapid.SampledFrom([]string{"p1", "p2", "p3"}).Draw(t, "peer")
	return id, m.peers[id]
}

// someone picks an attachment, often one that is over.
func (m *model) someone(t *rapid.T) (Held, *modelPeer) {
	if len(m.issued) == 0 {
		t.Skip("nobody yet")
	}
	recent := m.issued[max(0, len(m.issued)-6):]
	h := rapid.SampledFrom(recent).Draw(t, "who")
	return h, m.peers[h.ID]
}

func (m *model) tell(event string, id string) { m.events = append(m.events, event+" "+id) }

// depart is a goodbye in the model.
func (m *model) depart(id string) {
	p := m.peers[id]
	if p.announced && !p.transient {
		m.tell("peer_left", id)
	}
	if p.hello && !p.transient {
		m.saved[p.member] = true
	}
	*p = modelPeer{}
}

func (m *model) attach(t *rapid.T) {
	id, p := m.pick(t)
	m.conns++
	a := m.b.session(id)
	a.Edge = rapid.SampledFrom([]string{"edgeA", "edgeB"}).Draw(t, "edge")
	a.Conn = fmt.Sprintf("conn%d", m.conns)
	a.Member = rapid.SampledFrom([]string{alice, alice, alice, bob}).Draw(t, "member")
	a.Transient = rapid.IntRange(0, 4).Draw(t, "transient") == 0
	a.Announce, a.Hello = rapid.Bool().Draw(t, "announce"), rapid.Bool().Draw(t, "hello")

	want := Joined
	switch resumes := p.here && p.member == a.Member && (!p.transient || a.Transient); {
	case !resumes:
		if p.here {
			m.depart(id)
		}
		*p = modelPeer{member: a.Member, transient: a.Transient, hello: a.Hello, announced: a.Announce && !a.Transient}
		if p.announced {
			m.tell("peer_joined", id)
		}
	case p.lease == "held":
		want = TookOver
	default:
		want = Resumed
	}
	got := m.b.attach(a)
	if got.Outcome != want || slices.ContainsFunc(m.issued, func(h Held) bool { return h.Generation >= got.Generation && h.ID == id }) {
		t.Fatalf("%s: %s with generation %s, want %s", id, got.Outcome, got.Generation, want)
	}
	if want == TookOver && got.Displaced != p.held {
		t.Fatalf("displaced %+v, want %+v", got.Displaced, p.held)
	}
	p.here, p.held, p.lease = true, got.Held, "held"
	m.issued = append(m.issued, got.Held)
}

func (m *model) renew(t *rapid.T) {
	h, p := m.someone(t)
	want := Superseded
	switch {
	case !p.here:
		want = Gone
	case p.held.Generation != h.Generation || p.lease == "detached":
	case p.lease == "":
		want, p.lease = Restored, "held"
	default:
		want = Renewed
	}
	if got := m.b.renew(h, nil); got != want {
		t.Fatalf("renew %+v: %q, want %q", h, got, want)
	}
}

func (m *model) detach(t *rapid.T) {
	h, p := m.someone(t)
	mine := p.here && p.held.Generation == h.Generation
	err := m.b.store.Detach(m.b.Context(), h, "")
	if mine != (err == nil) || !mine && !errors.Is(err, ErrLost) {
		t.Fatalf("detach %+v: %v", h, err)
	}
	switch {
	case mine && p.transient:
		m.depart(h.ID)
	case mine:
		p.lease = "detached"
		if p.hello && !p.transient {
			m.saved[p.member] = true
		}
	}
}

func (m *model) leave(t *rapid.T) {
	h, p := m.someone(t)
	mine := p.here && p.held.Generation == h.Generation
	err := m.b.store.Leave(m.b.Context(), h)
	if lost := p.here && !mine; lost != errors.Is(err, ErrLost) || !lost && err != nil {
		t.Fatalf("leave %+v: %v", h, err)
	}
	if mine {
		m.depart(h.ID)
	}
}

func (m *model) update(t *rapid.T) {
	h, p := m.someone(t)
	show := rapid.Bool().Draw(t, "show")
	event := map[bool]string{true: "peer_visible", false: "peer_hidden"}[show]
	_, err := m.b.store.Update(m.b.Context(), h, nil, UpdateEvent{Event: event, Data: []byte("{}"), Announce: &show})
	mine := p.here && p.held == h && p.lease == "held"
	if mine != (err == nil) || !mine && !errors.Is(err, ErrLost) {
		t.Fatalf("update %+v: %v", h, err)
	}
	if mine && !p.transient {
		m.tell(event, h.ID)
		p.announced = show
	}
}

func (m *model) status(t *rapid.T) {
	h, p := m.someone(t)
	_, err := m.b.store.SetStatus(m.b.Context(), h.Peer, &h, StatusWorking, SourceManual)
	if mine := p.here && p.held == h && p.lease == "held"; mine != (err == nil) {
		t.Fatalf("set status %+v: %v", h, err)
	}
}

func (m *model) expire(t *rapid.T) {
	id, p := m.pick(t)
	m.b.expire(m.b.peer(id))
	p.lease = ""
}

func (m *model) settle(t *rapid.T) {
	id, p := m.pick(t)
	want := p.here && p.lease == ""
	if got := m.b.settle(m.b.peer(id)); got != want {
		t.Fatalf("settle %s: %v, want %v", id, got, want)
	}
	if want {
		m.depart(id)
	}
}

// agree compares everything there is.
func (m *model) agree(t *rapid.T) {
	if got := m.b.events(); !slices.Equal(got, m.events) {
		t.Fatalf("journal has %q, want %q", got, m.events)
	}
	for id, p := range m.peers {
		got, here := m.b.get(m.b.peer(id))
		if here != p.here || here && (got.Generation != p.held.Generation || got.Member != p.member ||
			got.Announced != p.announced || got.Transient != p.transient) {
			t.Fatalf("%s: record %+v (%v), want %+v", id, got, here, p)
		}
		want := map[string]string{"held": p.held.Value(), "detached": detachedValue(p.held), "": ""}[p.lease]
		if lease := m.b.lease(m.b.peer(id)); lease != want {
			t.Fatalf("%s: lease %q, want %q", id, lease, want)
		}
	}
	for _, member := range []string{alice, bob} {
		if _, ok, err := m.b.store.Saved(m.b.Context(), m.b.mesh, member); err != nil || ok != m.saved[member] {
			t.Fatalf("saved state of %s: %v, %v", member, ok, err)
		}
	}
	m.indexed(t)
}

// indexed checks that who has a record is in the due index, and nobody else.
func (m *model) indexed(t *rapid.T) {
	for id, p := range m.peers {
		_, err := m.b.rdb.Raw().ZScore(m.b.Context(), dueKey(m.b.rdb.Tag(m.b.mesh)), dueMember(m.b.peer(id))).Result()
		if (err == nil) != p.here {
			t.Fatalf("%s: here %v, index says %v", id, p.here, err)
		}
	}
}

func detachedValue(h Held) string { return leaseValue(h.Generation, h.Edge, "-") }
