package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// A loss is what a feed still has to do because Redis may have lost something:
// it went back in time, was emptied, or another process has taken over.
// Guarded by feed.mu.
type loss struct {
	at      time.Time // when it was noticed; zero if there is nothing to do
	blind   bool      // it was not known who was here
	told    bool      // those who are gone have been announced
	unheard map[string]presence.Presence
	asked   time.Time // when the registry was asked for the mesh
	mesh    bool      // the mesh itself is lost
}

// audit compares what peers were told with what Redis holds, mesh by mesh.
func (s *Server) audit(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.RenewEvery / ticksPerRound)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		lost := 0
		for _, f := range s.hub.all() {
			err := f.audit(ctx, time.Now())
			if err != nil && !errors.Is(err, presence.ErrHold) && !errors.Is(err, presence.ErrBehind) && ctx.Err() == nil {
				s.log.WarnContext(ctx, "compare with what is known", "mesh", f.mesh, "err", err)
			}
			if f.meshLost() {
				lost++
			}
		}
		s.metrics.lostMeshes.Set(float64(lost))
	}
}

// all lists the meshes that have a peer here.
func (h *hub) all() []*feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*feed, 0, len(h.feeds))
	for _, f := range h.feeds {
		out = append(out, f)
	}
	return out
}

// held is told of a hold: the leases there are renewed at once, and where
// another Redis has taken over, what it holds is compared.
func (s *Server) held(h presence.Hold) {
	var due []*conn
	for _, c := range s.peers() {
		if h.Covers(c.peer.Mesh) {
			due = append(due, c)
		}
	}
	s.renewer.soon(due...)
	if h.Reason != presence.HoldRestart {
		return
	}
	for _, f := range s.hub.all() {
		if h.Covers(f.mesh) {
			f.suspect()
			f.mu.Lock()
			f.lostLocked()
			f.mu.Unlock()
		}
	}
}

// lostLocked starts the time that all have to come back or to be written back.
// Of what waits for those here something may be lost, too, and that they read it.
func (f *feed) lostLocked() {
	blind := !f.ledger.read
	f.loss = loss{at: time.Now(), blind: blind, mesh: f.loss.mesh}
	for c := range f.conns {
		c.reopen()
	}
}

// due says what is to be done now.
type due int

const (
	dueNothing due = iota
	dueLedger      // the roster was never read
	dueMesh        // is the mesh still known?
	dueLeft        // who has not come back has left
	dueJoined      // who is here and nobody was told of has joined
)

func (f *feed) dueAt(now time.Time) due {
	f.mu.Lock()
	defer f.mu.Unlock()
	cfg := &f.server.cfg
	passed := now.Sub(f.loss.at)
	switch {
	case !f.open || len(f.conns) == 0:
		return dueNothing
	case !f.loss.at.IsZero() && f.stray:
		return dueNothing // the journal comes first
	case (f.loss.mesh || !f.loss.at.IsZero()) && now.Sub(f.loss.asked) >= cfg.RenewEvery:
		return dueMesh
	case f.loss.at.IsZero() && !f.ledger.read:
		return dueLedger
	case f.loss.at.IsZero():
		return dueNothing
	case !f.loss.told && passed > cfg.LeaseTTL+cfg.RenewEvery:
		return dueLeft
	case f.loss.told && passed > cfg.LeaseTTL+2*cfg.RenewEvery:
		return dueJoined
	}
	return dueNothing
}

func (f *feed) audit(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	switch f.dueAt(now) {
	case dueLedger:
		return f.openLedger(ctx)
	case dueMesh:
		return f.lookForMesh(ctx, now)
	case dueLeft:
		return f.announceLeft(ctx)
	case dueJoined:
		return f.announceJoined(ctx)
	case dueNothing:
	}
	return nil
}

func (f *feed) openLedger(ctx context.Context) error {
	f.mu.Lock()
	f.ledger.opened()
	f.mu.Unlock()
	roster, err := f.server.presence.Roster(ctx, f.mesh)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loss.at.IsZero() { // else it is not what they were told
		f.ledger.closed(roster)
	}
	return nil
}

// announceLeft tells the mesh of those whom nobody has written back. Redis
// knows whether another edge has done so.
func (f *feed) announceLeft(ctx context.Context) error {
	roster, err := f.server.presence.Roster(ctx, f.mesh)
	if err != nil {
		return err
	}
	f.mu.Lock()
	missing, unheard := f.ledger.missing(roster), f.ledger.unheard(roster)
	heard := presence.Cursor{Epoch: f.epoch, Seq: int64(f.heard), ID: f.heardID}
	f.mu.Unlock()
	if err := f.server.watcher.Forget(ctx, f.mesh, heard, missing); err != nil {
		if errors.Is(err, presence.ErrBehind) {
			f.suspect() // at the next tick it will have been read
		}
		return fmt.Errorf("edge: announce who is gone: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loss.told, f.loss.unheard = true, unheard
	return nil
}

// announceJoined tells the peers here of those who are here and of whom they
// were never told: the joining was lost before it was heard. Others may well
// have heard it, so it is not for the journal. One renewal interval has passed
// since they were found, so that nobody is among them who has just come.
func (f *feed) announceJoined(ctx context.Context) error {
	roster, err := f.server.presence.Roster(ctx, f.mesh)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, p := range f.ledger.unheard(roster) {
		if _, before := f.loss.unheard[id]; before && !f.loss.blind {
			f.joinLocked(&p)
			f.ledger.add(knownOf(&p))
		}
	}
	// Who was blind knows now, from the next look at the roster.
	f.loss = loss{mesh: f.loss.mesh, asked: f.loss.asked}
	return nil
}

// joinLocked gives the peers here an event that is in no journal.
func (f *feed) joinLocked(p *presence.Presence) {
	known := knownOf(p)
	data := wire.PeerEvent{Name: known.Name, Pubkey: known.Key}
	if r, err := decodeRecord(p.Record); err == nil {
		data.Groups = r.Groups
	}
	body, err := json.Marshal(data)
	if err != nil {
		return
	}
	e := &queue.JournalEntry{
		Seq: f.heard, ID: presence.EventID(p.Peer, p.Generation, string(wire.EventPeerJoined)),
		Kind: queue.KindEvent, Event: string(wire.EventPeerJoined), Member: p.Member, Peer: p.ID, Target: everybody,
	}
	if !p.Everyone {
		e.Flags = queue.FlagOthers
	}
	push := eventFrame(&wire.Push{
		Event: wire.EventPeerJoined, EventData: body, MessageID: e.ID, MeshID: f.mesh, CreatedAt: wire.At(time.Now()),
	})
	for c := range f.conns {
		if c.live && f.isForLocked(c, e) {
			f.server.metrics.pushes[pushPresence].Inc()
			c.socket.put(push)
		}
	}
}

// lookForMesh finds out whether the registry has lost the mesh, and says so
// once: nobody who loses their connection can come back before it is restored.
func (f *feed) lookForMesh(ctx context.Context, now time.Time) error {
	_, err := f.server.registry.Mesh(ctx, f.mesh)
	gone := errors.Is(err, registry.ErrNoMesh)
	if err != nil && !gone {
		return fmt.Errorf("edge: look for mesh: %w", err)
	}
	f.mu.Lock()
	before := f.loss.mesh
	f.loss.mesh, f.loss.asked = gone, now
	peers := len(f.conns)
	f.mu.Unlock()
	switch {
	case gone && !before:
		f.server.log.ErrorContext(ctx, "redis has lost a mesh, its members and invites: restore them from a backup",
			"mesh", f.mesh, "connected", peers)
	case before && !gone:
		f.server.log.InfoContext(ctx, "a lost mesh is back", "mesh", f.mesh)
	}
	return nil
}

// meshLost reports whether the registry has lost the mesh.
func (f *feed) meshLost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loss.mesh
}

// errMeshLost says that the registry has lost a mesh that has peers.
var errMeshLost = errors.New("edge: mesh lost")

// orLost tells a mesh that was lost from one that never was: peers are in it,
// whom their edges have written back.
func (s *Server) orLost(ctx context.Context, refused error, mesh string) error {
	if !errors.Is(refused, registry.ErrNoMesh) && !errors.Is(refused, presence.ErrNotMember) {
		return refused
	}
	if _, err := s.registry.Mesh(ctx, mesh); !errors.Is(err, registry.ErrNoMesh) {
		return cmp.Or(err, refused) // archived, or no member, or Redis is away
	}
	peers, err := s.presence.Roster(ctx, mesh)
	if err == nil && len(peers) > 0 {
		return errMeshLost
	}
	return cmp.Or(err, refused)
}

// knows is the epoch in which peers of the mesh were told that one is here, or
// "" if they were not, or were told that it has left.
func (f *feed) knows(peer string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, told := f.ledger.peers[peer]; !told {
		return ""
	}
	if n := len(f.left); n > 0 && !f.loss.at.IsZero() {
		return f.left[n-1] // it was lost together with the peer
	}
	return f.epoch
}
