package check

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// forever is after everything.
const forever = math.MaxInt64

// A window is a stretch of time, in nanoseconds since 1970.
type window struct{ from, to int64 }

func (w window) overlaps(v window) bool { return w.from <= v.to && v.from <= w.to }

// A span is one connection of a peer.
type span struct {
	run     int
	edge    string // empty if it was never greeted
	dialed  int64
	greeted int64 // 0 if never
	closed  int64
	goodbye int64 // when the client was told to say so; 0 if not
	first   history.Record
	last    history.Record
}

// A person is one peer with its past.
type person struct {
	name, key, mesh string
	spans           []span
	silent          []window // when it was not in contact
}

// truth is who was in contact when.
type truth struct {
	people map[string]*person // by name
	byKey  map[string]*person
	meshes map[string][]*person
	end    int64
}

// learn reads the lives of all peers.
func learn(all []history.Record, t *troubles) *truth {
	tr := &truth{people: map[string]*person{}, byKey: map[string]*person{}, meshes: map[string][]*person{}}
	open := map[string]map[int]*span{} // by peer and run
	for _, r := range all {
		tr.end = max(tr.end, r.At)
		if r.Kind == history.Declared {
			p := &person{name: r.Peer, key: r.About, mesh: r.Mesh}
			tr.people[p.name], tr.byKey[p.key] = p, p
			tr.meshes[p.mesh] = append(tr.meshes[p.mesh], p)
			open[p.name] = map[int]*span{}
			continue
		}
		if p := tr.people[r.Peer]; p != nil {
			p.live(r, open[p.name])
		}
	}
	for name, runs := range open {
		for _, s := range runs {
			s.closed = forever
			tr.people[name].spans = append(tr.people[name].spans, *s)
		}
	}
	for _, p := range tr.people {
		p.findSilence(t)
	}
	return tr
}

// live takes one line of a peer's life.
func (p *person) live(r history.Record, open map[int]*span) {
	s := open[r.Run]
	switch r.Kind {
	case history.Dialing:
		open[r.Run] = &span{run: r.Run, dialed: r.At, first: r}
	case history.Greeted:
		if s != nil {
			s.greeted, s.edge, s.first = r.At, r.Edge, r
		}
	case history.Leaving:
		if s != nil && r.Event == history.Goodbye {
			s.goodbye = r.At
		}
	case history.Closed:
		if s != nil {
			s.closed, s.last = r.At, r
			p.spans = append(p.spans, *s)
			delete(open, r.Run)
		}
	default: // says nothing about contact
	}
}

// findSilence derives when the peer was not in contact.
func (p *person) findSilence(t *troubles) {
	slices.SortFunc(p.spans, func(a, b span) int { return int(sign(a.dialed - b.dialed)) })
	var contact []window
	for _, s := range p.spans {
		if s.greeted != 0 {
			contact = append(contact, t.served(s)...)
		}
	}
	slices.SortFunc(contact, func(a, b window) int { return int(sign(a.from - b.from)) })
	at := int64(math.MinInt64)
	for _, c := range contact {
		if c.from > at {
			p.silent = append(p.silent, window{at, c.from})
		}
		at = max(at, c.to)
	}
	if at < forever {
		p.silent = append(p.silent, window{at, forever})
	}
}

func sign(n int64) int64 {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// silence returns the stretch without contact that t falls into.
func (p *person) silence(t, slack int64) (window, bool) {
	var found window
	ok := false
	for _, w := range p.silent {
		if w.from <= t && t <= w.to+slack || w.to == forever && w.from <= t {
			found, ok = w, true // the last one: it began before t, too
		}
	}
	return found, ok
}

// tries are the connections of a stretch that may have taken the lease without
// the peer's knowing.
func (p *person) tries(w window) []span {
	return slices.DeleteFunc(slices.Clone(p.spans), func(s span) bool {
		return s.greeted != 0 || s.closed < w.from || s.dialed > w.to || neverConnected(s)
	})
}

// neverConnected reports whether no byte can have reached an edge.
func neverConnected(s span) bool { return strings.Contains(s.last.Err, "connection refused") }

// saidGoodbye reports whether the peer ended its lease itself, in w or with the
// connection before it.
func (p *person) saidGoodbye(w window) bool {
	return slices.ContainsFunc(p.spans, func(s span) bool {
		return s.goodbye != 0 && s.goodbye <= w.to && s.closed >= w.from
	})
}

// inContact reports whether the peer was in contact for all of w.
func (p *person) inContact(w window) bool {
	return !slices.ContainsFunc(p.silent, func(s window) bool { return s.overlaps(w) })
}

// evidence is the lines around a stretch of silence.
func (p *person) evidence(w window) []history.Record {
	var lines []history.Record
	for _, s := range p.spans {
		if s.closed >= w.from && s.dialed <= w.to || s.closed == w.from || s.greeted == w.to {
			lines = append(lines, s.first)
			if s.last.At != 0 {
				lines = append(lines, s.last)
			}
		}
	}
	return lines[:min(len(lines), maxEvidence)]
}

// maxEvidence bounds the lines that are shown for a violation.
const maxEvidence = 12

func nanos(d time.Duration) int64 { return d.Nanoseconds() }
