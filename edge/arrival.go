package edge

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// A note is a bell about peers or members.
type note struct{ word, a, b string }

// arrivals are the handshakes under way, by mesh. A bell rings once, and may be
// heard after Redis has said something in a handshake and before its connection
// is in the feed, where the bell finds nobody. So it is kept for the handshakes
// that it concerns.
type arrivals struct {
	mu     sync.Mutex
	byMesh map[string]map[*admission]struct{}
}

// begin is called before Redis is asked anything about the peer.
func (l *arrivals) begin(a *admission) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byMesh == nil {
		l.byMesh = map[string]map[*admission]struct{}{}
	}
	if l.byMesh[a.mesh] == nil {
		l.byMesh[a.mesh] = map[*admission]struct{}{}
	}
	l.byMesh[a.mesh][a] = struct{}{}
	a.began = time.Now()
}

// end is called when the connection is in the feed, or will not be. It returns the
// bells that were kept, and may be called again.
func (l *arrivals) end(a *admission) []note {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byMesh[a.mesh], a)
	if len(l.byMesh[a.mesh]) == 0 {
		delete(l.byMesh, a.mesh)
	}
	return a.missed
}

// heard keeps a bell. Of each word the last one that concerns a handshake is
// enough: others of that word say the same of it, or less.
func (l *arrivals) heard(mesh string, n note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a := range l.byMesh[mesh] {
		if n.concerns(a) {
			a.missed = append(slices.DeleteFunc(a.missed, func(m note) bool { return m.word == n.word }), n)
		}
	}
}

// concerns reports whether a bell is about a peer that is arriving.
func (n note) concerns(a *admission) bool {
	switch n.word {
	case bellTaken, bellStatus:
		return n.a == a.peer
	case bellBanned, bellProfile, bellGrants:
		return n.a == a.key
	case bellKicked, bellDisconnected:
		targets := strings.Fields(n.a)
		return slices.Contains(targets, everybody) || slices.Contains(targets, a.key) || slices.Contains(targets, a.peer)
	default:
		return true
	}
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
		f.grantsChanged(n.a)
	case bellStatus:
		f.statusChanged(n.a)
	}
}

// catchUp has a connection that is in the feed now obey the bells that it missed.
// Where this edge did not listen to the mesh when the handshake began, what the
// attach script has not checked since is read again.
func (c *conn) catchUp(a *admission, missed []note) {
	for _, n := range missed {
		c.feed.obey([]*conn{c}, n)
	}
	if a.began.Before(c.feed.listens) {
		c.feed.grantsChanged(c.member.Key)
		c.lookForArchive()
	}
}

// lookForArchive closes a connection to a mesh that was archived unheard.
func (c *conn) lookForArchive() {
	s := c.server
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		m, err := s.registry.Mesh(ctx, c.peer.Mesh)
		switch {
		case err != nil:
			c.log.WarnContext(ctx, "read mesh", "err", err)
		case m.Archived:
			c.feed.obey([]*conn{c}, note{word: bellArchived})
		}
	})
}
