package check

import (
	"math"
	"slices"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// checkRosters holds the lists that peers were given after the faults against
// who was there.
func (r *Report) checkRosters(c Config, t *troubles, tr *truth, all []history.Record) {
	judged, asked := int64(math.MaxInt64), map[string]bool{}
	for _, l := range all {
		if l.Kind == history.Judged {
			judged = l.At
		}
		p := tr.people[l.Peer]
		if l.Kind != history.Roster || l.At < judged || p == nil {
			continue
		}
		if l.Err == "" {
			r.Rosters++
			asked[p.mesh] = true
			r.checkRoster(c, t, tr, p.mesh, l)
		}
	}
	for mesh := range tr.meshes {
		if judged != math.MaxInt64 && !asked[mesh] {
			r.violate("roster", nil, "nobody in mesh %s was given a list after the faults", mesh)
		}
	}
}

func (r *Report) checkRoster(c Config, t *troubles, tr *truth, mesh string, l history.Record) {
	settled := window{l.At - nanos(c.Slack), l.At}
	for _, p := range tr.meshes[mesh] {
		listed := slices.Contains(l.Keys, p.key)
		if !listed && p.inContact(settled) {
			r.violate("roster", []history.Record{l}, "%s is here and not on the list", p.name)
		}
		w, silent := p.silence(l.At, 0)
		if listed && silent && w.from >= 0 && l.At > t.settledBy(t.leaseEnd(p, w)) {
			r.violate("roster", append([]history.Record{l}, p.evidence(w)...), "%s is on the list and long gone", p.name)
		}
	}
	for _, key := range l.Keys {
		if tr.byKey[key] == nil {
			r.violate("roster", []history.Record{l}, "somebody unknown is on the list: %s", key)
		}
	}
}
