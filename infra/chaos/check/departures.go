package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// An announcement is one peer_left, whoever saw it.
type announcement struct {
	at   int64 // by Redis's clock
	line history.Record
}

// announcements collects what was told about each peer, by key, each once.
func announcements(all []history.Record, event wire.Event) map[string][]announcement {
	out, seen := map[string][]announcement{}, map[string]bool{}
	for _, r := range all {
		if r.Kind != history.Push || r.Event != string(event) || seen[r.Message] {
			continue
		}
		seen[r.Message] = true
		out[r.About] = append(out[r.About], announcement{lastOf(r.Created), r})
	}
	return out
}

// lastOf is the last moment of a millisecond, which is all that an event tells.
func lastOf(ms int64) int64 { return (ms+1)*int64(time.Millisecond) - 1 }

// checkDepartures holds the announcements against the truth (L1, L2).
func (r *Report) checkDepartures(c Config, t *troubles, tr *truth, all []history.Record) {
	told := announcements(all, wire.EventPeerLeft)
	for _, p := range tr.people {
		left := map[window][]announcement{}
		for _, a := range told[p.key] {
			r.Departures.Announced++
			w, ok := p.silence(a.at, nanos(c.Slack))
			if !ok || w.from < 0 {
				r.Departures.False++
				r.violate("L1", []history.Record{a.line}, "%s was announced as left while it was in contact", p.name)
				continue
			}
			left[w] = append(left[w], a)
		}
		for _, w := range p.silent {
			if w.from >= 0 && w.from < tr.end {
				r.checkSilence(c, t, tr, p, w, left[w])
			}
		}
	}
}

// checkSilence holds what was announced during one stretch of silence against
// what had to be.
func (r *Report) checkSilence(c Config, t *troubles, tr *truth, p *person, w window, told []announcement) {
	tries := p.tries(w)
	slices.SortFunc(told, func(a, b announcement) int { return cmp.Compare(a.at, b.at) })
	if len(told) > 1+len(tries) {
		r.Departures.False++
		r.violate("L2", lines(told), "%s was announced as left %d times in one absence", p.name, len(told))
	}
	if len(told) > 0 && !p.saidGoodbye(w) {
		if first := told[0]; first.at < t.earliest(w.from)-nanos(c.Slack) {
			r.Departures.Early++
			r.violate("L1", append(lines(told[:1]), p.evidence(w)...), "%s was announced as left %v after it fell silent",
				p.name, time.Duration(first.at-w.from).Truncate(10*time.Millisecond))
		}
	}
	r.checkDue(c, t, tr, p, w, told)
}

// checkDue tells whether a departure had to be announced, and when.
func (r *Report) checkDue(c Config, t *troubles, tr *truth, p *person, w window, told []announcement) {
	ends := t.leaseEnd(p, w) // at the latest
	until := min(w.to, tr.end)
	if until < ends+nanos(c.Slack) {
		return // back before the lease was surely over
	}
	r.Departures.Due++
	limit := ends + nanos(c.Late)
	punctual := t.punctual(window{ends, limit})
	switch {
	case len(told) == 0:
		had := until >= limit+nanos(c.Slack) // time enough
		if had && (w.to == forever && tr.end > t.settledBy(ends) || punctual) {
			r.Departures.Missing++
			r.violate("L2", p.evidence(w), "%s stayed away and was never announced as left", p.name)
		}
	case !punctual:
		r.Departures.Held++
	default:
		late := time.Duration(told[len(told)-1].at - ends)
		r.Worst = max(r.Worst, late)
		if late > c.Late {
			r.Departures.Late++
			r.violate("L2", append(lines(told), p.evidence(w)...), "%s was announced as left %v after its lease ended",
				p.name, late.Truncate(10*time.Millisecond))
		}
	}
}

// leaseEnd is when the lease of a silent peer ends at the latest. An edge that
// noticed leaves it a lease; one that died, a renewal interval more.
func (t *troubles) leaseEnd(p *person, w window) int64 {
	last, noticed := w.from, true
	for _, s := range p.spans {
		if s.greeted != 0 && s.closed >= w.from && s.greeted <= w.from {
			around := window{w.from - nanos(t.c.hold()), w.from + nanos(t.c.Gap)}
			noticed = noticed && !t.touched(s.edge, around) && !t.outageIn(around) && s.closed <= w.from
		}
	}
	for _, s := range p.tries(w) {
		last, noticed = max(last, min(s.closed, w.to)), false
	}
	if noticed {
		return last + nanos(t.c.TTL)
	}
	return last + nanos(t.c.hold())
}

func (t *troubles) outageIn(w window) bool {
	return slices.ContainsFunc(t.all, func(f trouble) bool { return slices.Contains(outages, f.what) && f.overlaps(w) })
}

// settledBy is when even a held departure must have been announced.
func (t *troubles) settledBy(ends int64) int64 {
	by := ends
	for _, f := range t.all {
		if f.to != forever {
			by = max(by, f.to)
		}
	}
	for _, up := range t.edges {
		by = max(by, up.from)
	}
	return by + nanos(t.c.hold()+2*t.c.Gap+t.c.Late+t.c.Slack)
}

func lines(told []announcement) []history.Record {
	out := make([]history.Record, 0, len(told))
	for _, a := range told {
		out = append(out, a.line)
	}
	return out[:min(len(out), maxEvidence)]
}
