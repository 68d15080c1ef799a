package check

import (
	"slices"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// trouble is one fault from its beginning to its end.
type trouble struct {
	window
	what    string
	edge    string
	forgive int64
}

// troubles are all faults of a run, and when each edge served.
type troubles struct {
	c     Config
	all   []trouble
	edges map[string]window
	count map[string]int
}

func findTroubles(c Config, all []history.Record) *troubles {
	t := &troubles{c: c, edges: map[string]window{}, count: map[string]int{}}
	open := map[string]int{} // fault id → index
	for _, r := range all {
		switch r.Kind {
		case history.Fault:
			t.count[r.Event]++
			open[r.ID] = len(t.all)
			t.all = append(t.all, trouble{window{r.At, forever}, r.Event, r.Edge, r.Forgive})
		case history.Healed:
			if i, ok := open[r.ID]; ok {
				t.all[i].to = r.At
			}
		case history.EdgeUp:
			t.edges[r.Edge] = window{r.At, forever}
		case history.EdgeDown:
			w := t.edges[r.Edge]
			w.to = r.At
			t.edges[r.Edge] = w
		default: // of a peer
		}
	}
	return t
}

// severs lists the faults that end contact with the peers of an edge.
var severs = []string{history.KillEdge, history.StopEdge, history.IsolateEdge}

// served is a connection without the stretches in which its edge was severed.
// A goodbye ends it when it is said: it is heard before its answer.
func (t *troubles) served(s span) []window {
	out := []window{{s.greeted, s.closed}}
	if s.goodbye != 0 {
		out[0].to = min(s.closed, s.goodbye)
	}
	for _, f := range t.all {
		if f.edge != s.edge || !slices.Contains(severs, f.what) {
			continue
		}
		var next []window
		for _, w := range out {
			if !w.overlaps(f.window) {
				next = append(next, w)
				continue
			}
			if w.from < f.from {
				next = append(next, window{w.from, f.from})
			}
			if f.to < w.to && !t.tooLate(f, w) {
				next = append(next, window{f.to, w.to})
			}
		}
		out = next
	}
	return out
}

// tooLate reports whether a connection was over when its edge came back: the
// edge finds that the lease has ended and closes it.
func (t *troubles) tooLate(f trouble, w window) bool {
	return f.to-f.from >= nanos(t.c.TTL-t.c.Slack) && w.to-f.to < nanos(t.c.Gap)
}

// outages lists the faults after which edges settle nothing for a while.
var outages = []string{history.PauseRedis, history.KillRedis, history.StopRedis, history.Flush, history.FailOver}

// isOutage reports whether every edge must have taken the fault for one. What is
// about as long as the gap that makes an outage may go unnoticed, and a Redis
// that was emptied answers: the leases in it were written since, and end in time.
func (t *troubles) isOutage(f trouble) bool {
	return f.what != history.Flush && slices.Contains(outages, f.what) && (f.to == forever || f.to-f.from > 2*nanos(t.c.Gap))
}

// earliest is when a peer that fell silent at from may first be announced: a
// lease later, or when the hold after an outage is over.
func (t *troubles) earliest(from int64) int64 {
	e := from + nanos(t.c.TTL)
	for _, f := range t.all { // in order of their beginning
		if t.isOutage(f) && f.from <= e && f.to >= from && f.to != forever {
			e = max(e, f.to+nanos(t.c.hold()))
		}
	}
	return e
}

// punctual reports whether somebody must have settled within the given stretch
// without a hold: Redis was well, and some edge was, for long enough before.
func (t *troubles) punctual(w window) bool {
	w.from -= nanos(t.c.hold() + 2*t.c.Gap)
	if t.outageIn(w) {
		return false
	}
	for id, up := range t.edges {
		if up.from < w.from && w.to < up.to && !t.touched(id, w) {
			return true
		}
	}
	return false
}

func (t *troubles) touched(edge string, w window) bool {
	return slices.ContainsFunc(t.all, func(f trouble) bool { return f.edge == edge && f.overlaps(w) })
}

// forgets reports whether Redis may have lost what it acknowledged at the given
// time.
func (t *troubles) forgets(at int64) bool {
	return slices.ContainsFunc(t.all, func(f trouble) bool {
		return f.forgive < 0 && at <= f.to || f.forgive > 0 && f.from-f.forgive <= at && at <= f.to
	})
}

// losses are the faults that may have rolled Redis back.
func (t *troubles) losses() []trouble {
	return slices.DeleteFunc(slices.Clone(t.all), func(f trouble) bool { return f.forgive == 0 })
}
