package edge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/claudemesh/claudemesh/queue"
)

// A hub knows the meshes that have a peer here.
type hub struct {
	server *Server

	mu    sync.Mutex
	feeds map[string]*feed
	marks map[string]*bookmark // of meshes that had a peer here until recently
}

// open returns the feed of a mesh, listening and up to date, and counts one
// more use of it. The caller ends the use with close.
func (h *hub) open(ctx context.Context, mesh string) (*feed, error) {
	h.mu.Lock()
	f := h.feeds[mesh]
	first := f == nil
	if first {
		f = newFeed(h.server, mesh)
		f.mark = h.takeMarkLocked(mesh)
		h.feeds[mesh] = f
	}
	f.users++
	h.mu.Unlock()
	if first {
		// The one who comes first works for all, and on: a peer who gives up
		// must not take the others along.
		h.server.spawn(func() { f.begin(h.server.base) })
	}
	select {
	case <-f.begun:
	case <-ctx.Done():
		h.close(f)
		return nil, fmt.Errorf("edge: open mesh: %w", ctx.Err())
	}
	if f.failed != nil {
		h.close(f)
		return nil, f.failed
	}
	return f, nil
}

// close ends one use of a feed. The last one ends the subscription.
func (h *hub) close(f *feed) {
	h.mu.Lock()
	f.users--
	last := f.users == 0
	if last && h.feeds[f.mesh] == f {
		delete(h.feeds, f.mesh)
		h.leaveMarkLocked(f)
	}
	h.mu.Unlock()
	if !last {
		return
	}
	h.server.spawn(func() {
		<-f.begun
		if f.failed != nil {
			return // it has left by itself
		}
		h.server.bus.leave(f.channels()...)
	})
}

func (h *hub) get(mesh string) *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.feeds[mesh]
}

// The first words of the bells that other packages ring.
const (
	bellArchived     = "archived"
	bellBanned       = "banned"
	bellDisconnected = "disconnected"
	bellFrame        = "frame"
	bellGrants       = "grants"
	bellKicked       = "kicked"
	bellPolicy       = "policy"
	bellProfile      = "profile"
	bellStatus       = "status"
	bellTaken        = "taken"
)

// fieldSep separates the fields of a bell's message. JSON never contains it.
const fieldSep = "\x1f"

// errBell says that a bell's message was not understood. It is ignored: newer
// edges may ring what older ones do not know.
var errBell = errors.New("edge: unknown bell")

// heard takes one message of the bus.
func (h *hub) heard(channel, message string) {
	word, rest, _ := strings.Cut(message, fieldSep)
	if channel == fleetBell {
		h.server.heardFleet(word, rest)
		return
	}
	f := h.get(meshOf(channel))
	if f == nil {
		return // its last peer has just left
	}
	if err := f.bell(word, rest, message); err != nil {
		h.server.log.Debug("bell", "mesh", f.mesh, "word", word, "err", err)
	}
}

// regained is called when a channel is heard again after a silence.
func (h *hub) regained(channel string) {
	f := h.get(meshOf(channel))
	if f == nil {
		return
	}
	f.suspect()
	if channel == h.server.redis.MeshBell(f.mesh) {
		f.recheck()
	}
}

// meshOf reads the mesh from the name of a channel, "bell:{p17}:MESH" with or
// without ":EDGE".
func meshOf(channel string) string {
	parts := strings.SplitN(channel, ":", 4)
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}

// bell takes one message about this mesh.
func (f *feed) bell(word, rest, message string) error {
	a, b, _ := strings.Cut(rest, fieldSep)
	switch word {
	case queue.BellJournal:
		e, ok := queue.ParseJournalBell(message)
		if !ok {
			return errBell
		}
		f.heardEntry(e)
	case queue.BellInbox:
		bell, ok := queue.ParseInboxBell(message)
		if !ok {
			return errBell
		}
		if c := f.holder(bell.Reader); c != nil {
			c.rung(&bell)
		}
	case queue.BellReader:
		bell, ok := queue.ParseReaderBell(message)
		if !ok {
			return errBell
		}
		f.readerChanged(bell)
	case bellPolicy:
		f.policyChanged()
	case bellFrame:
		f.heardFrame(rest)
	case bellStatus:
		f.server.arrivals.heard(f.mesh, note{word, a, b})
		f.statusChanged(a)
	case bellTaken, bellBanned, bellKicked, bellDisconnected, bellArchived, bellProfile, bellGrants:
		n := note{word, a, b}
		f.server.arrivals.heard(f.mesh, n) // first: who enters in between obeys by itself
		f.obey(f.members(), n)
		if word == bellBanned {
			f.expel(a) // also where it is only in its grace
		}
	default:
		return errBell
	}
	return nil
}
