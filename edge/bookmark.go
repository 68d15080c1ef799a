package edge

import (
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/queue"
)

const (
	// maxBookmarks bounds the meshes that are remembered without a peer in them.
	maxBookmarks = 4096

	// bookmarkedFor is the longest outage of Redis after which an edge still
	// knows who was here before it.
	bookmarkedFor = time.Hour
)

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

// leaveMarkLocked keeps what a feed knows when its last peer has gone. However
// old it is, the feed that takes it reads on from there.
func (h *hub) leaveMarkLocked(f *feed) {
	b := f.bookmark()
	if b == nil {
		return
	}
	b.until = time.Now().Add(bookmarkedFor)
	// Room is made for many at once, or a drain would look through all of them
	// for each.
	if len(h.marks) >= maxBookmarks {
		for mesh := range h.marks {
			if delete(h.marks, mesh); len(h.marks) <= maxBookmarks*7/8 {
				break
			}
		}
	}
	h.marks[f.mesh] = b
}

// bookmark is what the feed knows, or nil if that is nothing.
func (f *feed) bookmark() *bookmark {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.open:
		return f.mark // as it was before
	case len(f.ledger.peers) == 0:
		return nil
	}
	return &bookmark{
		epoch: f.epoch, left: slices.Clone(f.left), heard: f.heard, heardID: f.heardID, recent: f.recent, loss: f.loss,
		ledger: f.ledger.copied(), // the feed may still be reading
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
	f.epoch, f.left, f.recent, f.ledger, f.loss = b.epoch, b.left, b.recent, b.ledger.copied(), b.loss
	f.standLocked(b.heard, b.heardID)
	f.compareLocked(head, b.heard)
	f.earlyLocked()
}
