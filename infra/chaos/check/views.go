package check

import (
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// A view is what one client has seen of the comings and goings in its mesh.
type view struct {
	present map[string]bool           // by key; absent if nothing was seen
	place   map[string]history.Record // of each event in the journal, by its id
}

type viewer struct {
	peer string
	run  int
}

// checkViews reads what every client was shown: a join before the leave, each
// once, and every event at one place of the journal.
func (r *Report) checkViews(t *troubles, tr *truth, all []history.Record) {
	views := map[viewer]*view{}
	losses := t.losses()
	for _, l := range all {
		for len(losses) > 0 && losses[0].from <= l.At {
			losses = losses[1:]
			clear(views) // Redis may repeat itself
		}
		if tr.people[l.Peer] == nil {
			continue
		}
		who := viewer{l.Peer, l.Run}
		v := views[who]
		if v == nil {
			v = &view{present: map[string]bool{}, place: map[string]history.Record{}}
			views[who] = v
		}
		r.see(t, v, l)
	}
}

func (r *Report) see(t *troubles, v *view, l history.Record) {
	switch l.Kind {
	case history.Greeted:
		if l.Resumed {
			r.Resumes++
		}
		if !l.Resumed || l.Resync {
			clear(v.present) // what happened meanwhile may never be told
		}
	case history.Push:
		r.seePlace(t, v, l)
	case history.Surfaced:
		if l.Event == string(wire.EventResync) {
			clear(v.present)
		}
		r.seePresence(t, v, l)
	default: // shows nothing
	}
}

// seePlace finds an event that was appended to the journal twice.
func (r *Report) seePlace(t *troubles, v *view, l history.Record) {
	if l.Event == "" || l.Cursor == "" {
		return
	}
	first, seen := v.place[l.Message]
	if !seen {
		v.place[l.Message] = l
		return
	}
	if first.Cursor != l.Cursor && epoch(first.Cursor) == epoch(l.Cursor) && !t.forgets(first.At) {
		r.Departures.False++
		r.violate("L2", []history.Record{first, l}, "one %s was appended twice", l.Event)
	}
}

func epoch(cursor string) string {
	e, _, _ := strings.Cut(cursor, "/")
	return e
}

// seePresence holds a client's events of one peer to their order.
func (r *Report) seePresence(t *troubles, v *view, l history.Record) {
	here, known := v.present[l.About]
	switch wire.Event(l.Event) {
	case wire.EventPeerJoined, wire.EventPeerReturned:
		if known && here && !t.forgets(l.At) {
			r.violate("L1", []history.Record{l}, "%s saw a peer join that was there", l.Peer)
		}
		v.present[l.About] = true
	case wire.EventPeerLeft:
		if known && !here && !t.forgets(l.At) {
			r.violate("L2", []history.Record{l}, "%s saw a peer leave that was not there", l.Peer)
		}
		v.present[l.About] = false
	default: // not about presence
	}
}
