package edge

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

const (
	// ackWindow is how many messages may be pushed and not acked to a peer
	// that acks.
	ackWindow = 256

	// proofWindow is the same for a peer that never acked. An answered ping
	// stands in for its acks.
	proofWindow = 64

	// repeatAfter is when a message that was not acked is pushed again, on a
	// connection that has acked before. Others get it at their next connect:
	// existing one-shot clients never ack and recognise no repeat.
	repeatAfter = 30 * time.Second

	// inboxPage and inboxPageBytes bound one read of an inbox.
	inboxPage      = 32
	inboxPageBytes = 256 << 10
)

// A box is what waits for one peer and what of it was pushed.
type box struct {
	mu        sync.Mutex
	inboxes   []inbox
	opened    bool // this connection is a candidate for them
	busy      presence.Status
	busyStale bool   // Redis may hold another status
	sent      []sent // pushed on this connection, oldest first
	window    int    // how many of sent are neither acked nor confirmed
	acks      bool   // the peer has acked before
	eager     bool   // fixed: it takes all priorities while working
	answered  uint64 // number of the last ping that was answered
}

// An inbox is one key's, as this connection reads it.
type inbox struct {
	key    string
	member bool // the member's, which its connections share
	best   bool // this connection reads it now
	lanes  []lane
}

// A lane is one priority of an inbox.
type lane struct {
	name   queue.Lane
	after  uint64 // SEQ behind which to read on
	repeat uint64 // up to this SEQ, messages were pushed before
	stale  bool   // Redis may hold messages behind after
	rings  int    // grows with every reason to look
	turns  int    // grows whenever after goes back
}

// sent is a message on its way.
type sent struct {
	inbox, lane int
	seq         uint64
	id          string
	clientID    string
	at          time.Time
	ping        uint64 // number of the ping behind it; 0 if there is none yet
	arrived     bool   // that ping was answered
	confirmed   bool   // and Redis knows
}

// lanesOf makes the lanes of a fresh inbox: all must be looked at.
func lanesOf() []lane {
	lanes := make([]lane, 0, len(queue.Lanes()))
	for _, name := range queue.Lanes() {
		lanes = append(lanes, lane{name: name, stale: true, rings: 1})
	}
	return lanes
}

// status is what the peer is doing, as far as this edge knows.
func (b *box) status() presence.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busy
}

// setStatus takes what Redis has answered. It does not unsay a bell: that may
// tell of a later change.
func (b *box) setStatus(s presence.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !s.At.Before(b.busy.At) {
		b.busy = s
	}
}

// doubtStatus says that the status may have changed.
func (b *box) doubtStatus() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busyStale = true
}

// takeDoubt reports whether the status is to be read, by whoever asks first.
func (b *box) takeDoubt() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	stale := b.busyStale
	b.busyStale = false
	return stale
}

// admits reports whether the peer may be given messages of that lane now.
func (b *box) admits(name queue.Lane) bool {
	status := wire.Status(b.busy.Value)
	if b.eager && status == wire.StatusWorking {
		status = wire.StatusIdle
	}
	return slices.Contains(wire.LanesFor(status), wire.Lane(name))
}

// doubt makes the pump look into every lane.
func (b *box) doubt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.inboxes {
		b.inboxes[i].doubt()
	}
}

func (x *inbox) doubt() {
	for j := range x.lanes {
		x.lanes[j].doubt()
	}
}

func (l *lane) doubt() {
	l.stale = true
	l.rings++
}

// turnBack makes the pump read on behind an earlier SEQ. What it is reading is
// of no use then.
func (l *lane) turnBack(after uint64) {
	l.after = after
	l.turns++
	l.doubt()
}

// restart makes the pump look into every lane from its beginning: Redis may
// have lost messages, so that others take the places of what was pushed, or it
// may have forgotten that some were acked.
func (b *box) restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.inboxes {
		x := &b.inboxes[i]
		for j := range x.lanes {
			x.lanes[j].turnBack(0)
		}
	}
}

// underWay reports whether a message was pushed on this connection and not
// acked since.
func (b *box) underWay(i, j int, e *queue.Entry) bool {
	return slices.ContainsFunc(b.sent, func(s sent) bool {
		return s.seq == e.Seq && s.inbox == i && s.lane == j && s.id == e.ID
	})
}

func (b *box) find(key string) int {
	return slices.IndexFunc(b.inboxes, func(x inbox) bool { return x.key == key })
}

// limit is how many messages may be on their way.
func (b *box) limit() int {
	if b.acks {
		return ackWindow
	}
	return proofWindow
}

// rung takes a doorbell that carries its message. Where nothing waits before
// it, it is pushed without asking Redis.
func (c *conn) rung(bell *queue.InboxBell) {
	b := &c.box
	b.mu.Lock()
	i := b.find(bell.Inbox)
	if i < 0 || !b.inboxes[i].best {
		b.mu.Unlock()
		return
	}
	j := slices.Index(queue.Lanes(), bell.Lane)
	l := &b.inboxes[i].lanes[j]
	direct := !l.stale && bell.Prev <= l.after && bell.Seq > l.after &&
		b.admits(l.name) && b.window < b.limit() && c.socket.out.room()
	switch {
	case direct:
		c.pushLocked(i, j, &bell.Entry)
	case b.underWay(i, j, &bell.Entry):
		// It was read before its bell was heard.
	case bell.Seq <= l.after:
		// It was acked since, or Redis went back and it takes the place of another.
		l.turnBack(bell.Seq - 1)
	default:
		l.doubt()
	}
	look := !direct || !b.acks
	b.mu.Unlock()
	if look {
		c.kick()
	}
}

// pushLocked puts a message into the outbox. The caller holds box.mu, so that
// messages of a lane stay in order.
func (c *conn) pushLocked(i, j int, e *queue.Entry) {
	b := &c.box
	l := &b.inboxes[i].lanes[j]
	kind := pushDirect
	if e.Seq <= l.repeat {
		kind = pushRepeat
	}
	c.server.metrics.pushes[kind].Inc()
	c.socket.put(directPush(c, e))
	b.sent = append(b.sent, sent{
		inbox: i, lane: j, seq: e.Seq, at: time.Now(),
		id: strings.Clone(e.ID), clientID: strings.Clone(e.ClientID), // parts of a bell, whose body must not stay
	})
	b.window++
	l.after = e.Seq
	l.repeat = max(l.repeat, e.Seq)
}

// bringInboxes pushes what waits, as far as status, window and outbox allow.
// It reports false if something is left that will be brought without a bell:
// once the outbox has room, or pings and acks have made the window free.
func (c *conn) bringInboxes(ctx context.Context) (done bool, err error) {
	if err := c.refreshStatus(ctx); err != nil {
		return false, err
	}
	if err := c.skipEmpty(ctx); err != nil {
		return false, err
	}
	done = true
	for i := range c.box.inboxes {
		for j := range c.box.inboxes[i].lanes {
			drained, err := c.bringLane(ctx, i, j)
			if err != nil {
				return false, err
			}
			done = done && drained
		}
	}
	c.prove()
	return done, nil
}

func (c *conn) bringLane(ctx context.Context, i, j int) (done bool, err error) {
	for ctx.Err() == nil {
		job := c.box.job(i, j)
		switch {
		case job.idle:
			return true, nil
		case job.room <= 0:
			c.server.metrics.hit(boundWindow)
			return false, nil
		case !c.socket.out.room():
			return false, nil
		}
		limit := min(inboxPage, job.room)
		page, cancel := context.WithTimeout(ctx, handleWithin)
		entries, err := c.server.queue.Read(page, c.peer.Mesh, job.key, job.lane, job.after, limit, inboxPageBytes)
		cancel()
		if err != nil {
			return false, err
		}
		c.pushPage(i, j, job, entries, limit)
	}
	return false, ctx.Err()
}

// laneJob is what is to be read next of a lane.
type laneJob struct {
	idle  bool // nothing, or nothing now
	key   string
	lane  queue.Lane
	after uint64
	rings int
	turns int
	room  int // messages that the window still takes
}

func (b *box) job(i, j int) laneJob {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := &b.inboxes[i]
	l := &x.lanes[j]
	return laneJob{
		idle: !x.best || !l.stale || !b.admits(l.name),
		key:  x.key, lane: l.name, after: l.after, rings: l.rings, turns: l.turns, room: b.limit() - b.window,
	}
}

// pushPage pushes what was read, except what is on its way, unless none of it is
// wanted any more. Bells push nothing past a lane that is being read.
func (c *conn) pushPage(i, j int, job laneJob, entries []queue.Entry, limit int) {
	b := &c.box
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.inboxes[i].lanes[j]
	if !b.inboxes[i].best || !b.admits(job.lane) || l.turns != job.turns {
		return // in the last case there is something to be read before this page, or instead
	}
	size := 0
	for k := range entries {
		e := &entries[k]
		size += len(e.Body)
		if e.Seq <= l.repeat && b.underWay(i, j, e) {
			l.after = e.Seq
			continue
		}
		c.pushLocked(i, j, e)
	}
	drained := len(entries) == 0 || len(entries) < limit && size < inboxPageBytes/2
	if drained && l.rings == job.rings {
		l.stale = false
	}
}

// refreshStatus reads the status if it may have changed.
func (c *conn) refreshStatus(ctx context.Context) error {
	if !c.box.takeDoubt() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	p, here, err := c.server.presence.Get(ctx, c.peer)
	switch {
	case err != nil:
		c.box.doubtStatus()
	case here:
		c.box.setStatus(p.Status)
	}
	return err
}

// prove sends a ping behind messages to a peer that has never acked, so that
// its answer can stand in for an ack.
func (c *conn) prove() {
	b := &c.box
	b.mu.Lock()
	upTo := len(b.sent)
	need := !b.acks && slices.ContainsFunc(b.sent, func(s sent) bool { return s.ping == 0 })
	b.mu.Unlock()
	if !need {
		return
	}
	// What is pushed between these two locks may be behind the ping. It is not
	// counted, and the bell that pushed it has kicked the pump once more.
	n := c.ping()
	b.mu.Lock()
	for k := range b.sent[:min(upTo, len(b.sent))] {
		if b.sent[k].ping == 0 {
			b.sent[k].ping = n
		}
	}
	quick := b.answered >= n // the answer was here before the numbers were
	b.mu.Unlock()
	if quick && b.arrived(n) {
		c.kick()
	}
}

// arrived takes an answered ping. It reports whether there is something to
// confirm.
func (b *box) arrived(ping uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered = max(b.answered, ping)
	found := false
	for k := range b.sent {
		s := &b.sent[k]
		if s.ping != 0 && s.ping <= ping && !s.arrived {
			s.arrived, found = true, true
		}
	}
	return found
}

// confirm tells Redis what has certainly reached a peer that never acks, and
// makes the window free for more.
func (c *conn) confirm(ctx context.Context) error {
	for _, group := range c.box.unconfirmed() {
		page, cancel := context.WithTimeout(ctx, handleWithin)
		err := c.server.queue.Confirm(page, c.peer.Mesh, c.lease(), group.key, group.lane, group.seqs)
		cancel()
		if err != nil {
			return err
		}
		c.box.markConfirmed(group)
	}
	return nil
}

// proof is the messages of one lane whose arrival was proven.
type proof struct {
	inbox, index int
	key          string
	lane         queue.Lane
	seqs         []uint64
}

func (b *box) unconfirmed() []proof {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.acks {
		return nil // it speaks for itself
	}
	var groups []proof
	for _, s := range b.sent {
		if !s.arrived || s.confirmed {
			continue
		}
		k := slices.IndexFunc(groups, func(g proof) bool { return g.inbox == s.inbox && g.index == s.lane })
		if k < 0 {
			x := &b.inboxes[s.inbox]
			groups = append(groups, proof{inbox: s.inbox, index: s.lane, key: x.key, lane: x.lanes[s.lane].name})
			k = len(groups) - 1
		}
		groups[k].seqs = append(groups[k].seqs, s.seq)
	}
	return groups
}

// markConfirmed frees the window. The messages are remembered for a while, in
// case the peer acks them by their client id after all.
func (b *box) markConfirmed(g proof) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.sent {
		s := &b.sent[k]
		if s.inbox == g.inbox && s.lane == g.index && !s.confirmed && slices.Contains(g.seqs, s.seq) {
			s.confirmed = true
			b.window--
		}
	}
	for k := 0; len(b.sent) > ackWindow && k < len(b.sent); {
		if !b.sent[k].confirmed {
			k++
			continue
		}
		b.sent = slices.Delete(b.sent, k, k+1)
	}
}
