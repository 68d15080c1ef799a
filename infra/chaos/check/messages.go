package check

import (
	"cmp"
	"slices"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// A message is one client message id with everything that became of it.
type message struct {
	id, from, to, lane string
	mesh               string
	sent               history.Record // the first send
	acked              history.Record // the first ack; At is 0 if there was none
	refused            bool
	beside             bool                      // sent beside the others, so in no order with them
	first              map[string]history.Record // by recipient, its first surfacing
}

// mail is all messages of a run.
type mail struct {
	byID  map[string]*message
	order []*message // by first send
	sends map[string]history.Record
}

// lane names what is kept in order.
type lane struct{ from, to, name string }

// checkMessages follows every message from its first send (Q1, Q2, Q3, L3, L4).
func (r *Report) checkMessages(t *troubles, tr *truth, all []history.Record) {
	m := &mail{byID: map[string]*message{}, sends: map[string]history.Record{}}
	surfaced := map[string]history.Record{} // by peer, run and id
	pushed := map[string]bool{}             // by peer and id
	newest := map[string]history.Record{}   // the last client of a peer that was greeted
	for _, l := range all {
		switch l.Kind {
		case history.Greeted:
			if old, ok := newest[l.Peer]; ok && old.Run < l.Run {
				r.Handovers++
			}
			if l.Run >= newest[l.Peer].Run {
				newest[l.Peer] = l
			}
		case history.Send:
			m.send(tr, l)
		case history.Acked:
			r.ack(t, m, newest[l.Peer], l)
		case history.Refused:
			if msg := m.byID[l.ID]; msg != nil {
				msg.refused = true
			}
		case history.Unsent:
			r.Unsent++
		case history.Push:
			if l.Event == "" {
				key := l.Peer + "|" + l.ID
				if pushed[key] {
					r.Repeated++
				}
				pushed[key] = true
			}
		case history.Surfaced:
			r.surface(t, tr, m, surfaced, l)
		default: // not about messages
		}
	}
	r.sumUp(t, tr, m)
	r.checkOrder(m)
	r.proveLanes(t, m)
	r.checkBroadcasts(t, tr, m, all)
}

func (m *mail) send(tr *truth, l history.Record) {
	m.sends[runKey(l)] = l
	if m.byID[l.ID] != nil {
		return
	}
	p := tr.people[l.Peer]
	if p == nil {
		return
	}
	msg := &message{id: l.ID, from: l.Peer, to: l.To, lane: l.Lane, mesh: p.mesh, sent: l, beside: l.Event == history.Beside, first: map[string]history.Record{}}
	m.byID[l.ID] = msg
	m.order = append(m.order, msg)
}

func runKey(l history.Record) string { return l.Peer + "|" + string(rune(l.Run)) + "|" + l.ID }

// ack holds an ack to Q2, and to L3: what an older client sent after the newer
// one was greeted must not have been taken.
func (r *Report) ack(t *troubles, m *mail, newest, l history.Record) {
	msg := m.byID[l.ID]
	if msg == nil {
		r.violate("Q2", []history.Record{l}, "an ack for what was never sent")
		return
	}
	if sent := m.sends[runKey(l)]; newest.Run > l.Run && sent.At > newest.At {
		r.violate("L3", []history.Record{newest, sent, l}, "%s sent through a client that had been taken over", l.Peer)
	}
	switch {
	case msg.acked.At == 0:
		msg.acked = l
	case msg.acked.Message != l.Message && !t.forgets(msg.acked.At):
		r.violate("Q2", []history.Record{msg.acked, l}, "one client message id was given two message ids")
	}
}

func (r *Report) surface(t *troubles, tr *truth, m *mail, seen map[string]history.Record, l history.Record) {
	if l.Event != "" {
		return
	}
	if l.Err != "" {
		r.violate("Q1", []history.Record{l}, "a message could not be opened")
		return
	}
	key := runKey(l)
	if before, twice := seen[key]; twice {
		r.Duplicated++
		r.violate("Q2", []history.Record{before, l}, "one client surfaced a message twice")
	}
	seen[key] = l
	msg, p := m.byID[l.ID], tr.people[l.Peer]
	switch {
	case msg == nil || p == nil:
		r.violate("Q1", []history.Record{l}, "a message that nobody sent")
	case msg.to != "*" && msg.to != p.key:
		r.violate("S3", []history.Record{msg.sent, l}, "%s was given a message for somebody else", l.Peer)
	default:
		if _, again := msg.first[l.Peer]; !again {
			msg.first[l.Peer] = l
			r.Delivered++
		}
	}
}

// sumUp finds what was acked and is nowhere. By the end every peer is back and
// has been given everything that waited for it.
func (r *Report) sumUp(t *troubles, tr *truth, m *mail) {
	for _, msg := range m.order {
		r.Sent++
		if msg.refused {
			r.Refused++
		}
		if msg.acked.At == 0 {
			continue
		}
		r.Acked++
		if msg.to == "*" || len(msg.first) > 0 || tr.byKey[msg.to] == nil {
			continue
		}
		if t.forgets(msg.acked.At) {
			r.Forgotten++
			continue
		}
		r.Lost++
		r.violate("Q1", []history.Record{msg.sent, msg.acked}, "an acked message was lost")
	}
}

// checkOrder holds first deliveries to the order of sends (Q3).
func (r *Report) checkOrder(m *mail) {
	last := map[lane]history.Record{}
	for _, msg := range m.order {
		if msg.beside {
			continue
		}
		for who, got := range msg.first {
			k := lane{msg.from, who, msg.lane + msg.to}
			if before := last[k]; before.At > got.At {
				r.violate("Q3", []history.Record{before, msg.sent, got}, "%s was given messages of %s out of order", who, msg.from)
			}
			if got.At > last[k].At {
				last[k] = got
			}
		}
	}
}

// checkBroadcasts looks for what somebody missed who never left and was never
// told of a gap (L4).
func (r *Report) checkBroadcasts(t *troubles, tr *truth, m *mail, all []history.Record) {
	faithful := faithful(t, tr, all)
	for _, msg := range m.order {
		if msg.to != "*" || msg.acked.At == 0 || t.forgets(msg.acked.At) {
			continue
		}
		for _, p := range tr.meshes[msg.mesh] {
			since, ok := faithful[p.name]
			if _, got := msg.first[p.name]; got || !ok || p.name == msg.from || since.At > msg.sent.At {
				continue
			}
			r.Lost++
			r.violate("L4", []history.Record{msg.sent, msg.acked, since}, "%s missed a broadcast", p.name)
		}
	}
}

// faithful are the peers that were here from their first greeting on, as far as
// anybody could see, and were never told of a gap.
func faithful(t *troubles, tr *truth, all []history.Record) map[string]history.Record {
	first, out := map[string]history.Record{}, map[string]bool{}
	for _, l := range all {
		switch {
		case l.Kind == history.Greeted && first[l.Peer].At == 0:
			first[l.Peer] = l
		case l.Kind == history.Greeted && (!l.Resumed || l.Resync),
			l.Event == string(wire.EventResync),
			l.Kind == history.Leaving && l.Event == history.Goodbye:
			out[l.Peer] = true
		}
		if l.Event == string(wire.EventPeerLeft) && tr.byKey[l.About] != nil {
			out[tr.byKey[l.About].name] = true
		}
	}
	for name := range out {
		delete(first, name)
	}
	for name := range first { // a departure that only nobody saw
		p := tr.people[name]
		if p == nil || slices.ContainsFunc(p.silent, func(w window) bool { return w.from > 0 && w.to-w.from > nanos(t.c.TTL) }) {
			delete(first, name)
		}
	}
	return first
}

// byTime orders the messages of a lane.
func byTime(a, b *message) int { return cmp.Compare(a.sent.At, b.sent.At) }
