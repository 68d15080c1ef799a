package presence

import (
	"fmt"
	"time"
)

// The world of the explorer: clients, edges and one Redis. Time passes in
// ticks of one renewal interval, everything else takes no time. Whatever is
// not ruled out may happen next; how often faults may is in the scope.

// oneTick is how much time passes at once. It is the longest time that an edge
// may go without renewing, so the grid meets every deadline at its worst.
const oneTick = DefaultRenewEvery

// The same lengths in ticks.
const (
	graceTicks = int8(DefaultTTL / oneTick)                       // a lost peer has so long to come back
	leaseTicks = int8((DefaultTTL + DefaultRenewEvery) / oneTick) // of a renewed lease, and of the hold
	deafTicks  = 2                                                // so long a dead socket can look alive to its edge
	staleTicks = 2                                                // after so long without renewal, an edge closes its sockets
)

const (
	maxPeers = 2
	maxEdges = 2
	maxSocks = 4
)

// world is one state. It can be compared, and copying it copies everything.
type world struct {
	image    imageID
	snapshot imageID // what a fail-over would bring back, one less than the image; -1 for none
	socks    [maxSocks]sock
	edges    [maxEdges]edgeState
	peers    [maxPeers]peerState
	down     bool // Redis is out of reach
	slow     bool // its clock is behind what it was
	banned   bool // the member of all peers
	epochs   int8
	left     faults // what may still happen
}

// sock is a connection as its edge sees it, from attach until it is closed
// there. Gen 0 is none.
type sock struct {
	peer, gen, edge int8
	acked           bool
	dead            int8 // ticks since the client lost it, plus one; 0 while it is alive
	age             int8 // ticks since the last renewal
	cursor          cursorID
}

// edgeState is one process. After a crash another one takes its place.
type edgeState struct {
	stalled bool
	contact int8 // ticks of unbroken contact with Redis
}

// peerState is a client, and what observers of the journal know of it.
type peerState struct {
	issued, acked int8              // newest attachments: made, and answered by hello_ack
	at            [maxGens + 1]int8 // edge of each
	parted        int8              // attachment whose socket the edge has given up, 0 after the next
	lost          int8              // ticks since the client last exchanged a byte
	noticed       int8              // ticks since the edge gave the socket up
	bye           bool              // it has said goodbye
	seen          bool              // others were told that it is here
	gone          uint8             // attachments that others were told have left, by bit
	behind        bool              // Redis has lost data since it first came
}

// faults counts what may happen how often.
type faults struct {
	attach                                      [maxPeers]int8
	crash, drop, stall, outage, rollback, flush int8
	bye, ban, slow                              int8
}

// move names a step of the world.
type move struct {
	what            string
	peer, edge, gen int8
	word            string // what the script said
}

func (m move) String() string {
	s := m.what
	if m.peer >= 0 {
		s += " " + peerName(m.peer)
	}
	if m.gen > 0 {
		s += fmt.Sprintf(" attachment %d", m.gen)
	}
	if m.edge >= 0 {
		s += " on edge " + edgeName(m.edge)
	}
	if m.word != "" {
		s += " → " + m.word
	}
	return s
}

func newWorld(s scope) world {
	w := world{snapshot: -1, left: s.faults}
	for i := range w.edges {
		w.edges[i].contact = leaseTicks
	}
	for i := range w.peers {
		w.peers[i] = peerState{lost: graceTicks, noticed: graceTicks}
	}
	return w
}

// exchanges reports whether bytes go to and fro on the socket that speaks for
// a client. An older one does not count: it has been replaced, not lost.
func (w *world) exchanges(p int8) bool {
	for _, s := range w.socks {
		if s.speaks(w) && s.peer == p && !w.edges[s.edge].stalled {
			return true
		}
	}
	return false
}

// speaks reports whether a client hears its newest attachment by s.
func (s sock) speaks(w *world) bool {
	return s.gen > 0 && s.gen == w.peers[s.peer].issued && s.dead == 0
}

// open counts the sockets that a client believes in.
func (w *world) open(p int8) (n int) {
	for _, s := range w.socks {
		if s.gen > 0 && s.peer == p && s.dead == 0 {
			n++
		}
	}
	return n
}

// remove forgets the i-th socket; the order of the others stays.
func (w *world) remove(i int) {
	copy(w.socks[i:], w.socks[i+1:])
	w.socks[maxSocks-1] = sock{}
}

// removeAll forgets the sockets that match.
func (w *world) removeAll(match func(sock) bool) (removed bool) {
	for i := maxSocks - 1; i >= 0; i-- {
		if w.socks[i].gen > 0 && match(w.socks[i]) {
			w.remove(i)
			removed = true
		}
	}
	return removed
}

// mayTick reports whether every edge has done what it does in time: renew
// every tick, answer a handshake, find out that a socket is dead, and close
// the sockets whose leases it cannot renew.
func (w *world) mayTick() bool {
	for _, s := range w.socks {
		switch {
		case s.gen == 0 || w.edges[s.edge].stalled:
		case s.dead > deafTicks, !s.acked && s.dead == 0:
			return false
		case w.down && s.age > staleTicks, !w.down && s.age > 0:
			return false
		}
	}
	return true
}

// pass lets a tick pass, for all but what Redis holds.
func (w *world) pass() {
	for p := range w.peers {
		q := &w.peers[p]
		q.noticed = min(q.noticed+1, graceTicks)
		// Nobody can come back while Redis is away.
		if !w.down && !w.exchanges(int8(p)) {
			q.lost = min(q.lost+1, graceTicks)
		}
	}
	for i := range w.socks {
		s := &w.socks[i]
		if s.gen == 0 {
			continue
		}
		s.age = min(s.age+1, leaseTicks)
		if s.dead > 0 {
			s.dead = min(s.dead+1, deafTicks+1)
		}
	}
	for i := range w.edges {
		e := &w.edges[i]
		e.contact = min(e.contact+1, leaseTicks)
		if w.down || e.stalled {
			e.contact = 0
		}
	}
}

// trust tells after how many ticks of contact the watcher of an edge believes
// that a lease ran out because nobody renewed it.
func trust(wait time.Duration) (out [leaseTicks + 1]bool) {
	pace := newPace(DefaultTTL)
	c := &contact{gap: pace.gap, jump: pace.jump, wait: wait}
	now := clock
	probe := func(d time.Duration) {
		now = now.Add(d)
		c.heard(probe{sent: now, answered: now, redis: now, runID: "redis"})
	}
	for range 1000 {
		probe(pace.beat)
	}
	probe(oneTick) // it was out of reach for that long
	for n := range out {
		out[n] = c.trusted(now)
		for range oneTick / pace.beat {
			probe(pace.beat)
		}
	}
	return out
}
