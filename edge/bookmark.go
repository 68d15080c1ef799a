package edge

import (
	"maps"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/queue"
)

// maxBookmarks bounds the meshes that are remembered without a peer in them.
const maxBookmarks = 4096

// A bookmark is where a feed stopped and what it knew. When Redis is away for
// long, an edge sends all its peers away; should Redis then come back without
// its data, nobody but the edges knows that those who return were never gone.
type bookmark struct {
	until   time.Time
	epoch   string
	left    []string
	heard   uint64
	heardID string
	recent  [remembered]seen
	ledger  ledger
	loss    loss
}

// leaveMark keeps what a feed knows when its last peer has gone, as long as
// that peer may be back without anybody's notice.
func (h *hub) leaveMark(f *feed) {
	f.mu.Lock()
	b := &bookmark{
		epoch: f.epoch, left: slices.Clone(f.left), heard: f.heard, heardID: f.heardID, recent: f.recent, loss: f.loss,
		// A copy, because the feed may still be reading.
		ledger: ledger{peers: maps.Clone(f.ledger.peers), read: f.ledger.read},
	}
	worth := f.open && len(b.ledger.peers) > 0
	f.mu.Unlock()
	now, cfg := time.Now(), &h.server.cfg
	b.until = now.Add(cfg.LeaseTTL + 2*cfg.RenewEvery)
	h.mu.Lock()
	defer h.mu.Unlock()
	for mesh, old := range h.marks {
		if now.After(old.until) || len(h.marks) >= maxBookmarks {
			delete(h.marks, mesh)
		}
	}
	if worth && h.feeds[f.mesh] == nil {
		h.marks[f.mesh] = b
	}
}

// takeMarkLocked returns what was known of a mesh, or nil. Guarded by hub.mu.
func (h *hub) takeMarkLocked(mesh string) *bookmark {
	b := h.marks[mesh]
	delete(h.marks, mesh)
	if b == nil || time.Now().After(b.until) {
		return nil
	}
	return b
}

// goOnLocked has a feed begin where it stopped before, and read what has
// happened since.
func (f *feed) goOnLocked(b *bookmark, head queue.Head) {
	f.open = true
	f.epoch, f.left, f.recent, f.ledger, f.loss = b.epoch, b.left, b.recent, b.ledger, b.loss
	f.standLocked(b.heard, b.heardID)
	f.compareLocked(head, b.heard)
	f.earlyLocked()
}
