package edge

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// add makes a peer known to the feed. It gets nothing before its pump has
// brought it what it missed.
func (f *feed) add(c *conn, start presence.Cursor, g wire.Grants) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grants[c.member.Key] = g
	f.adoptLocked(start.Epoch)
	c.pos, c.posID = uint64(start.Seq), start.ID
	c.confirmed = start.String()
	f.conns[c] = struct{}{}
	if old := f.byPeer[c.peer.ID]; old == nil || newer(c.held.Generation, old.held.Generation) {
		f.byPeer[c.peer.ID] = c
	}
	if start.Epoch != f.epoch {
		f.strayLocked()
	}
}

// remove forgets a peer's socket.
func (f *feed) remove(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	if f.byPeer[c.peer.ID] == c {
		delete(f.byPeer, c.peer.ID)
	}
}

// holder returns the connection that speaks for a peer here.
func (f *feed) holder(peer string) *conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byPeer[peer]
}

// members lists the connections here.
func (f *feed) members() []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]*conn, 0, len(f.conns))
	for c := range f.conns {
		out = append(out, c)
	}
	return out
}

// newer compares generations, decimal numbers without leading zeros.
func newer(a, b string) bool { return len(a) > len(b) || len(a) == len(b) && a > b }

// taken closes whoever spoke for a peer before the given generation did.
func taken(conns []*conn, peer, generation string) {
	for _, c := range conns {
		if c.peer.ID == peer && newer(generation, c.held.Generation) {
			c.close(wire.CloseNormal, wire.ReasonSessionReplaced, closedReplaced)
		}
	}
}

// statusChanged has the pump of a peer read its status, which may admit lanes.
func (f *feed) statusChanged(peer string) {
	if c := f.holder(peer); c != nil {
		c.box.doubtStatus()
		c.kick()
	}
}

// readerChanged follows a hand-over of an inbox.
func (f *feed) readerChanged(b queue.ReaderBell) {
	for _, c := range f.members() {
		c.box.mu.Lock()
		i := c.box.find(b.Inbox)
		shared := i >= 0 && c.box.inboxes[i].member
		c.box.mu.Unlock()
		if shared {
			c.reads(i, c.peer.ID == b.Peer)
		}
	}
}

// banned closes a member's sockets. It reports whether there were any.
func banned(conns []*conn, member string) (here bool) {
	for _, c := range conns {
		if c.member.Key == member {
			here = true
			c.close(wire.CloseBanned, wire.ReasonBanned, closedBanned)
		}
	}
	return here
}

// everybody is the target of a removal that spares nobody.
const everybody = "*"

// sendAway closes the sockets of a member or of peers, who are named with blanks
// between them, and with them their leases: who is removed has left. Member
// connections are spared unless all is set, because their clients would only
// come back at once.
func sendAway(conns []*conn, target string, all bool, code wire.CloseCode, reason string, why closeReason) {
	targets := strings.Fields(target)
	for _, c := range conns {
		hit := target == everybody || slices.Contains(targets, c.member.Key) || slices.Contains(targets, c.peer.ID)
		if hit && (all || c.kind == presence.KindSession) {
			// Who disconnects itself gets its answer first.
			c.socket.end(code, reason, why, code == wire.CloseNormal)
		}
	}
}

// expel ends all leases of a member, those in their grace included.
func (f *feed) expel(member string) {
	s := f.server
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		if err := s.presence.Expel(ctx, f.mesh, member); err != nil {
			s.log.WarnContext(ctx, "expel member", "mesh", f.mesh, "err", err)
		}
	})
}

// recheck finds out what the bells of a silence would have said: who was taken
// over, who was banned, and what members grant.
func (f *feed) recheck() {
	s := f.server
	s.renewer.soon(f.members()...)
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		if err := errors.Join(f.checkBans(ctx), f.refreshAllGrants(ctx)); err != nil {
			s.log.WarnContext(ctx, "read bans and grants", "mesh", f.mesh, "err", err)
		}
	})
}

// checkBans finds bans that this edge has not heard of.
func (f *feed) checkBans(ctx context.Context) error {
	members, err := f.server.registry.Members(ctx, f.mesh)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.RevokedAt != nil && banned(f.members(), m.Key) {
			f.expel(m.Key)
		}
	}
	return nil
}

// grantsChanged reads anew what a member lets others do, if it is here.
func (f *feed) grantsChanged(member string) {
	f.mu.Lock()
	_, here := f.grants[member]
	f.mu.Unlock()
	if !here {
		return
	}
	f.server.spawn(func() {
		ctx, cancel := context.WithTimeout(f.server.base, handleWithin)
		defer cancel()
		if err := f.refreshGrants(ctx, member); err != nil {
			f.server.log.WarnContext(ctx, "read grants", "mesh", f.mesh, "err", err)
		}
	})
}

// refreshAllGrants does so for all members that are here, and forgets others.
func (f *feed) refreshAllGrants(ctx context.Context) error {
	here := map[string]bool{}
	f.mu.Lock()
	for c := range f.conns {
		here[c.member.Key] = true
	}
	maps.DeleteFunc(f.grants, func(key string, _ wire.Grants) bool { return !here[key] })
	f.mu.Unlock()
	return f.refreshGrants(ctx, slices.Collect(maps.Keys(here))...)
}

func (f *feed) refreshGrants(ctx context.Context, members ...string) error {
	f.granting.Lock()
	defer f.granting.Unlock()
	for _, key := range members {
		g, err := f.server.registry.Grants(ctx, f.mesh, key)
		if err != nil {
			return err
		}
		f.mu.Lock()
		if _, here := f.grants[key]; here {
			f.grants[key] = g
		}
		f.mu.Unlock()
	}
	return nil
}

// policyChanged tells the peers here how the owner wants groups to be written
// from now on.
func (f *feed) policyChanged() {
	s := f.server
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		m, err := s.registry.Mesh(ctx, f.mesh)
		if err != nil {
			s.log.WarnContext(ctx, "read policy", "mesh", f.mesh, "err", err)
			return
		}
		data, err := json.Marshal(m.GroupPolicy)
		if err != nil || m.GroupPolicy == nil {
			return
		}
		push := eventFrame(&wire.Push{
			Event: wire.EventGroupPolicy, EventData: data, MessageID: newEventID(), MeshID: f.mesh,
			CreatedAt: wire.At(time.Now()),
		})
		for _, c := range f.members() {
			c.socket.put(push)
		}
	})
}

// profileChanged tells those connections that are a member's what an admin has
// changed.
func (f *feed) profileChanged(conns []*conn, member string) {
	s := f.server
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		_, m, err := s.registry.Admission(ctx, f.mesh, member)
		if err != nil {
			s.log.DebugContext(ctx, "read profile", "mesh", f.mesh, "err", err)
			return
		}
		data, err := json.Marshal(profileOf(&m))
		if err != nil {
			return
		}
		push := eventFrame(&wire.Push{
			Event: wire.EventProfileUpdated, EventData: data, MessageID: newEventID(), MeshID: f.mesh,
			CreatedAt: wire.At(time.Now()),
		})
		for _, c := range conns {
			if c.member.Key == member {
				c.socket.put(push)
			}
		}
	})
}
