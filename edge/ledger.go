package edge

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// A ledger is who is here as the peers of a mesh were told: the roster when it
// was read, and every event since. Redis may forget both; what it forgets is
// the difference between them. Guarded by feed.mu.
type ledger struct {
	peers map[string]presence.Known // by peer
	read  bool                      // the roster has been read
	left  map[string]struct{}       // who has left since it is being read; nil if it is not
}

// note follows an event.
func (l *ledger) note(mesh string, e *queue.JournalEntry) {
	if e.Kind != queue.KindEvent || e.Peer == "" {
		return
	}
	switch wire.Event(e.Event) {
	case wire.EventPeerJoined, wire.EventPeerReturned, wire.EventPeerVisible:
		var about wire.PeerEvent
		if json.Unmarshal([]byte(e.Body), &about) != nil {
			return
		}
		l.add(presence.Known{
			Peer: presence.Peer{Mesh: mesh, ID: e.Peer}, Member: e.Member, Key: about.Pubkey, Name: about.Name,
			Everyone: !strings.Contains(e.Flags, queue.FlagOthers),
		})
		delete(l.left, e.Peer)
	case wire.EventPeerLeft, wire.EventPeerHidden:
		delete(l.peers, e.Peer)
		if l.left != nil {
			l.left[e.Peer] = struct{}{}
		}
	default: // of a peer that stays what it was
	}
}

func (l *ledger) add(k presence.Known) {
	if l.peers == nil {
		l.peers = map[string]presence.Known{}
	}
	l.peers[k.ID] = k
}

func (l *ledger) copied() ledger { return ledger{peers: maps.Clone(l.peers), read: l.read} }

// opened says that the roster is about to be read.
func (l *ledger) opened() { l.left = map[string]struct{}{} }

// closed takes over what was read.
func (l *ledger) closed(roster []presence.Presence) {
	for i := range roster {
		p := &roster[i]
		_, gone := l.left[p.ID]
		if _, here := l.peers[p.ID]; here || gone || !isTold(p) {
			continue
		}
		l.add(knownOf(p))
	}
	l.left, l.read = nil, true
}

// missing lists those who are in the ledger and not in the roster.
func (l *ledger) missing(roster []presence.Presence) []presence.Known {
	gone := maps.Clone(l.peers)
	for i := range roster {
		delete(gone, roster[i].ID)
	}
	out := make([]presence.Known, 0, len(gone))
	for _, k := range gone {
		out = append(out, k)
	}
	return out
}

// unheard lists those who are in the roster and whom nobody here was told of.
func (l *ledger) unheard(roster []presence.Presence) map[string]presence.Presence {
	out := map[string]presence.Presence{}
	for i := range roster {
		if _, here := l.peers[roster[i].ID]; !here && isTold(&roster[i]) {
			out[roster[i].ID] = roster[i]
		}
	}
	return out
}

// isTold reports whether others learn of a peer.
func isTold(p *presence.Presence) bool { return p.Announced && !p.Transient }

func knownOf(p *presence.Presence) presence.Known {
	k := presence.Known{Peer: p.Peer, Member: p.Member, Key: p.Key, Everyone: p.Everyone}
	if r, err := decodeRecord(p.Record); err == nil {
		k.Name = r.DisplayName
	}
	return k
}
