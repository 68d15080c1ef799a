package edge

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// conn is one socket that has said hello.
type conn struct {
	// Fixed at hello.
	server *Server
	socket *socket
	feed   *feed
	peer   presence.Peer
	held   presence.Held
	kind   presence.Kind
	key    string // shown to others: session key if there is one, else member key
	member registry.Member
	about  wire.About
	log    *slog.Logger

	// Owned by the read loop.
	bye bool // said goodbye

	mu     sync.Mutex
	record record // as stored in the roster

	// Guarded by feed.mu.
	live      bool // gets entries as they are heard; until then the pump reads the journal
	pos       uint64
	posID     string
	goal      uint64 // a sync asks for everything up to this SEQ
	audience  audience
	pings     uint64 // number of the last ping
	marks     []mark // pings that were not answered yet, oldest first
	confirmed string // cursor up to which the peer has certainly received

	box  box  // what waits for this peer
	pump pump // brings it what it missed

	// Owned by the rounds of pulse.go and renew.go.
	pingAt  time.Time
	renewAt time.Time

	pongAt  atomicTime
	boundAt atomicTime // when the session key was bound last
}

// A mark is a ping and the place in the journal up to which everything was
// written before it. An answer proves that all that arrived: what was merely
// written may sit in the buffers of a dead connection.
type mark struct {
	ping uint64
	at   wire.Cursor
}

// maxMarks bounds the pings that wait for an answer.
const maxMarks = 8

// ping sends a numbered ping behind everything written so far and returns its
// number.
func (c *conn) ping() uint64 {
	c.feed.mu.Lock()
	defer c.feed.mu.Unlock()
	return c.pingLocked()
}

func (c *conn) pingLocked() uint64 {
	c.pings++
	if len(c.marks) == maxMarks {
		c.marks = append(c.marks[:0], c.marks[1:]...)
	}
	c.marks = append(c.marks, mark{c.pings, wire.Cursor{Epoch: c.feed.epoch, Seq: c.pos, ID: c.posID}})
	c.socket.put(newFrame(opPing, binary.BigEndian.AppendUint64(nil, c.pings)))
	return c.pings
}

// ponged takes the answer to a ping: everything before it has arrived.
func (c *conn) ponged(payload []byte) {
	c.pongAt.set(time.Now())
	if len(payload) != 8 {
		return // an unasked pong proves life, and nothing else
	}
	n := binary.BigEndian.Uint64(payload)
	c.feed.mu.Lock()
	for len(c.marks) > 0 && c.marks[0].ping <= n {
		c.confirmed = c.marks[0].at.String()
		c.marks = c.marks[1:]
	}
	known := n <= c.pings
	c.feed.mu.Unlock()
	if known && c.box.arrived(n) {
		c.kick()
	}
}

// cursor is the place up to which the peer has certainly received.
func (c *conn) cursor() string {
	c.feed.mu.Lock()
	defer c.feed.mu.Unlock()
	return c.confirmed
}

// lease is what scripts of the queue compare before they act for this peer.
func (c *conn) lease() queue.Lease {
	return queue.Lease{Key: c.server.presence.LeaseKey(c.peer), Value: c.held.Value()}
}

// close ends the socket with a close frame.
func (c *conn) close(code wire.CloseCode, reason string, why closeReason) {
	c.socket.close(code, reason, why)
}

// lost is called when a script says that this connection does not hold the
// lease: somebody else speaks for the peer, or it was announced as left.
// Renewing tells which, and closes the socket accordingly.
func (c *conn) lost() { c.server.renewer.soon(c) }

// ended is called once, when the socket is gone.
func (c *conn) ended(clean bool) {
	c.pump.stop()
	c.feed.remove(c)
	c.server.hooks.leave(c)
	c.server.hub.close(c.feed)
	c.server.metrics.sockets.Dec()
	c.log.Info("peer's socket ended", "reason", string(c.socket.endReason()), "clean", clean)
	why := c.socket.endReason()
	if why == closedReplaced || why == closedGone {
		return // the lease is not ours any more
	}
	ctx, cancel := context.WithTimeout(c.server.base, handleWithin)
	defer cancel()
	if err := c.letGo(ctx, clean, why); err != nil && !errors.Is(err, presence.ErrLost) {
		// The lease ends by itself, at most a renewal interval later.
		c.log.Warn("let go of lease", "err", err)
	}
}

// letGo gives the lease up: at once for a peer that is not coming back, after
// the grace for every other.
func (c *conn) letGo(ctx context.Context, clean bool, why closeReason) error {
	// An existing one-shot command names a throw-away key and closes cleanly.
	oneShot := c.kind == presence.KindClaim && clean
	removed := why == closedKicked || why == closedSentAway
	if c.bye || oneShot || removed || c.about.Transient {
		return c.server.presence.Leave(ctx, c.held)
	}
	return errors.Join(
		c.server.presence.Detach(ctx, c.held, c.cursor()),
		c.yieldMember(ctx),
	)
}

// copyRecord returns the record, safe to change except for shared slices,
// which nobody changes in place.
func (c *conn) copyRecord() record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record
}

// setRecord makes r what the edge knows of the peer.
func (c *conn) setRecord(r record) {
	c.mu.Lock()
	c.record = r
	c.mu.Unlock()
	c.feed.mu.Lock()
	c.audience = r.audience()
	c.feed.mu.Unlock()
}

// snapshot is the roster record for the case that Redis has lost it.
func (c *conn) snapshot() presence.Presence {
	r := c.copyRecord()
	b, err := encodeRecord(&r)
	if err != nil {
		b = []byte("{}")
	}
	return presence.Presence{
		Peer: c.peer, Generation: c.held.Generation, Member: c.member.Key, Key: c.key, Kind: c.kind,
		Announced: !c.about.Transient && !r.hidden(), Transient: c.about.Transient,
		Hello: c.kind != presence.KindSession, Everyone: c.kind == presence.KindSession,
		ConnectedAt: r.ConnectedAt.Time, Status: c.box.status(), Record: b,
	}
}
