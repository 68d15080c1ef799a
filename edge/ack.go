package edge

import (
	"context"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// clientAck removes an acked message from Redis. The peer may name it by the
// edge's id, by its author's, or by both; the author's id alone is looked up
// among what was pushed on this connection.
func (c *conn) clientAck(ctx context.Context, m *wire.ClientAck) error {
	id := m.BrokerMessageID
	if _, _, ok := queue.ParseID(id); !ok {
		id = c.box.byClientID(m.ClientMessageID)
	}
	if class, _, ok := queue.ParseID(id); !ok || class != queue.ClassDirect {
		return nil // nothing waits for it: broadcasts and events need no ack
	}
	if !c.box.pushed(id) && !c.socket.limit.allow() {
		c.server.metrics.hit(boundRequests)
		wait(ctx, hastePause) // whoever acks what it was not given here gives Redis work
	}
	if _, err := c.server.queue.Ack(ctx, c.peer.Mesh, c.lease(), c.box.keys(), id); err != nil {
		return err
	}
	first := c.box.acked(id)
	if c.box.resumable() {
		c.kick()
	}
	if first {
		return c.promote(ctx)
	}
	return nil
}

func (b *box) byClientID(clientID string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sent {
		if clientID != "" && (s.clientID == clientID || s.id == clientID) {
			return s.id
		}
	}
	return ""
}

// pushed reports whether a message was pushed on this connection and not acked
// since.
func (b *box) pushed(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.sent, func(s sent) bool { return s.id == id })
}

func (b *box) keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := make([]string, len(b.inboxes))
	for i, x := range b.inboxes {
		keys[i] = x.key
	}
	return keys
}

// acked forgets a message. It reports whether this was the first ack.
func (b *box) acked(id string) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first, b.acks = !b.acks, true
	if k := slices.IndexFunc(b.sent, func(s sent) bool { return s.id == id }); k >= 0 {
		if !b.sent[k].confirmed {
			b.window--
		}
		b.sent = slices.Delete(b.sent, k, k+1)
	}
	return first
}

// resumable reports whether a lane waits for the window and a page fits into
// it: reading one message for each ack would cost a script each.
func (b *box) resumable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.window > b.limit()-inboxPage {
		return false
	}
	for _, x := range b.inboxes {
		if x.best && slices.ContainsFunc(x.lanes, func(l lane) bool { return l.stale && b.admits(l.name) }) {
			return true
		}
	}
	return false
}

// promote makes a peer that acks the preferred reader of its member's inbox.
func (c *conn) promote(ctx context.Context) error {
	i := c.memberInbox()
	if i < 0 {
		return nil
	}
	r, err := c.server.queue.Promote(ctx, c.reader(c.member.Key))
	if err != nil {
		return err
	}
	c.reads(i, r.Best)
	return nil
}

// rank is the place in line for the member's inbox.
func (c *conn) rank() int {
	switch {
	case c.about.Transient:
		return queue.RankTransient
	case c.kind == presence.KindSession:
		return queue.RankSession
	default:
		return queue.RankUnproven
	}
}

// reader describes this connection as a candidate for an inbox.
func (c *conn) reader(key string) queue.Reader {
	return queue.Reader{
		Mesh: c.peer.Mesh, Lease: c.lease(), Inbox: key, Peer: c.peer.ID, Member: c.member.Key,
		Generation: c.held.Generation, Edge: c.held.Edge, Kind: queue.Kind(c.kind), Rank: c.rank(),
	}
}

// makeInboxes lists what this peer may read: what is its own, and its member's.
func (c *conn) makeInboxes() {
	if c.kind != presence.KindMember {
		c.box.inboxes = append(c.box.inboxes, inbox{key: c.peer.ID, best: true, lanes: lanesOf()})
	}
	c.box.inboxes = append(c.box.inboxes, inbox{key: c.member.Key, member: true, lanes: lanesOf()})
}

func (c *conn) memberInbox() int { return len(c.box.inboxes) - 1 }

// openReaders enters this connection as a candidate wherever it is one: for
// its own key, or for the key that it claims, and for its member's inbox. It
// does so once, and again after Redis has lost data.
func (c *conn) openReaders(ctx context.Context) error {
	c.box.mu.Lock()
	opened := c.box.opened
	c.box.opened = true
	c.box.mu.Unlock()
	if opened {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	if err := c.openEach(ctx); err != nil {
		c.box.mu.Lock()
		c.box.opened = false
		c.box.mu.Unlock()
		return err
	}
	return nil
}

func (c *conn) openEach(ctx context.Context) error {
	if c.kind != presence.KindMember {
		if _, err := c.server.queue.OpenReader(ctx, c.reader(c.key)); err != nil {
			return err
		}
	}
	r, err := c.server.queue.OpenReader(ctx, c.reader(c.member.Key))
	if err != nil {
		return err
	}
	c.reads(c.memberInbox(), r.Best)
	return nil
}

// reads says whether this connection reads an inbox from now on.
func (c *conn) reads(i int, best bool) {
	c.box.mu.Lock()
	x := &c.box.inboxes[i]
	began := best && !x.best
	if x.best = best; began {
		x.doubt()
	}
	c.box.mu.Unlock()
	if began {
		c.kick()
	}
}

// yieldMember leaves the member's inbox to the member's other connections. The
// peer's own inbox waits for it.
func (c *conn) yieldMember(ctx context.Context) error {
	return c.server.queue.CloseReader(ctx, c.peer.Mesh, c.member.Key, c.peer.ID, c.held.Generation)
}

// repeatOverdue makes the pump push again what a peer that acks has not acked
// for too long.
func (c *conn) repeatOverdue(now time.Time) {
	if c.box.rewind(now.Add(-repeatAfter)) {
		c.kick()
	}
}

// rewind takes back all messages from the first one that is overdue, in each
// lane that has one. A lane that is being read again shows first what of it is
// still on its way.
func (b *box) rewind(before time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.acks {
		return false
	}
	var back []*lane
	for _, s := range b.sent {
		if l := &b.inboxes[s.inbox].lanes[s.lane]; s.at.Before(before) && s.seq <= l.after {
			l.turnBack(s.seq - 1)
			back = append(back, l)
		}
	}
	b.sent = slices.DeleteFunc(b.sent, func(s sent) bool {
		l := &b.inboxes[s.inbox].lanes[s.lane]
		taken := s.seq > l.after && slices.Contains(back, l)
		if taken && !s.confirmed {
			b.window--
		}
		return taken
	})
	return len(back) > 0
}
