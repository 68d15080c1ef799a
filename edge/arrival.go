package edge

import (
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// notesKept and noteKeptFor bound the bells that a feed remembers. No
	// handshake takes longer than that.
	notesKept   = 64
	noteKeptFor = 2 * handleWithin
)

// A note is a bell about peers or members, and when it was heard. A bell rings
// once, and may be heard after Redis has said something in a handshake and
// before its connection is in the feed: so whoever enters is shown those of the
// last moments.
type note struct {
	at         time.Time
	word, a, b string
}

// noted remembers a bell.
func (f *feed) noted(n note) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.notes) > 0 && (len(f.notes) >= notesKept || n.at.Sub(f.notes[0].at) > noteKeptFor) {
		f.notes = f.notes[1:]
	}
	f.notes = append(f.notes, n)
}

// notesSince lists the bells that were heard since then.
func (f *feed) notesSince(then time.Time) []note {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, n := range f.notes {
		if !n.at.Before(then) {
			return append([]note(nil), f.notes[i:]...)
		}
	}
	return nil
}

// obey acts on a bell for some connections.
func (f *feed) obey(conns []*conn, n note) {
	switch n.word {
	case bellTaken:
		taken(conns, n.a, n.b)
	case bellBanned:
		banned(conns, n.a)
	case bellKicked:
		sendAway(conns, n.a, false, wire.CloseKicked, wire.ReasonKicked, closedKicked)
	case bellDisconnected:
		sendAway(conns, n.a, true, wire.CloseNormal, wire.ReasonDisconnected, closedSentAway)
	case bellArchived:
		sendAway(conns, everybody, true, wire.CloseKicked, wire.ReasonArchived, closedArchived)
	case bellProfile:
		f.profileChanged(conns, n.a)
	case bellGrants:
		f.grantsChanged()
	}
}

// catchUpOnBells has a connection that is in the feed now obey what was heard
// since Redis was asked about it. If this edge did not listen to the mesh then,
// what the member grants is read again; all else the attach script has checked.
func (c *conn) catchUpOnBells() {
	for _, n := range c.feed.notesSince(c.asked) {
		c.feed.obey([]*conn{c}, n)
	}
	if c.asked.Before(c.feed.listens) {
		c.feed.grantsChanged()
	}
}
