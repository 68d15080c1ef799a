package edge

import (
	"context"
	"errors"
	"sync"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// A pump brings one peer what it has missed: first the journal, then its
// inboxes. It is a goroutine that exists only while there is something to do,
// and it takes no more from Redis than the outbox has room for.
type pump struct {
	mu      sync.Mutex
	open    bool // hello_ack is written: nothing may come before it
	running bool
	again   bool // something happened since the running one looked
	stopped bool
	syncs   []wire.ReqID // requests to be answered when all is brought
	asked   bool         // there has been such a request
}

// maxSyncs bounds the sync requests of one peer that wait for an answer.
const maxSyncs = 16

// kick makes the pump look.
func (c *conn) kick() {
	p := &c.pump
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = true
	if p.open && !p.running && !p.stopped {
		p.running = true
		c.server.spawn(func() { c.runPump(c.server.base) })
	}
}

// kickAll makes the pump read every inbox, whether or not its bell was heard.
func (c *conn) kickAll() {
	c.box.doubt()
	c.kick()
}

// restart makes the pump read every inbox from its beginning.
func (c *conn) restart() {
	c.box.restart()
	c.kick()
}

// start lets the pump run: the peer has its hello_ack.
func (c *conn) start() {
	c.pump.mu.Lock()
	c.pump.open = true
	c.pump.mu.Unlock()
	c.kick()
}

func (p *pump) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
}

// next reports whether the pump must look once more, and ends it if not.
func (p *pump) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.again || p.stopped {
		p.running = false
		return false
	}
	p.again = false
	return true
}

func (c *conn) runPump(ctx context.Context) {
	for c.pump.next() && ctx.Err() == nil {
		// Requests that arrive while the pump reads wait for the next round:
		// an answer promises what waited when the request arrived.
		asked := c.pump.takeSyncs()
		done, err := c.bring(ctx, len(asked) > 0)
		switch {
		case err != nil:
			c.log.WarnContext(ctx, "bring what waits", "err", err)
			c.pump.putBack(asked)
			c.failed(ctx, err)
		case done:
			c.answerSyncs(asked)
		default:
			c.pump.putBack(asked) // an answered ping or an emptier outbox goes on
		}
	}
}

// failed waits a moment before the pump tries again. A lost lease ends it.
func (c *conn) failed(ctx context.Context, err error) {
	if isLost(err) {
		c.lost()
		return
	}
	wait(ctx, rereadAfter)
	c.pump.mu.Lock()
	c.pump.again = true
	c.pump.mu.Unlock()
}

// bring is one round. It reports whether nothing is left that may be brought
// now; if something is, whatever makes room kicks the pump again.
func (c *conn) bring(ctx context.Context, toHead bool) (done bool, err error) {
	reads := c.readsInboxes()
	if reads {
		if err := c.openReaders(ctx); err != nil {
			return false, err
		}
	}
	if toHead {
		if err := c.aim(ctx); err != nil {
			return false, err
		}
	}
	if done, err = c.bringJournal(ctx); !done || err != nil || !reads {
		return done, err
	}
	if err := c.confirm(ctx); err != nil {
		return false, err
	}
	return c.bringInboxes(ctx)
}

// readsInboxes reports whether this connection is given direct messages. A
// transient one that has not asked for them came for something else: it would
// take what waits for a peer that is away, and show it to nobody.
func (c *conn) readsInboxes() bool {
	c.pump.mu.Lock()
	defer c.pump.mu.Unlock()
	return !c.about.Transient || c.pump.asked
}

// bringJournal reads the journal until the peer is where the feed is. The last
// step is taken under the feed's lock, so that the next entry reaches the peer
// exactly once.
func (c *conn) bringJournal(ctx context.Context) (done bool, err error) {
	for ctx.Err() == nil {
		live, after := c.feed.goLive(c)
		if live {
			return true, nil
		}
		if !c.socket.out.room() {
			return false, nil
		}
		page, cancel := context.WithTimeout(ctx, handleWithin)
		entries, head, err := c.server.queue.Journal(page, c.peer.Mesh, after, journalPage/4)
		cancel()
		if err != nil {
			return false, err
		}
		if !c.feed.catchUp(c, entries, head) {
			return false, errStray
		}
	}
	return false, ctx.Err()
}

// goLive makes c get entries as they are heard, if it has been given all that
// the others were. Else it returns where to read on.
func (f *feed) goLive(c *conn) (live bool, after uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, here := f.conns[c]; !here {
		return true, 0 // it has ended
	}
	if c.pos >= max(f.heard, c.goal) {
		c.live = true
	}
	return c.live, c.pos
}

// aim has the peer read up to where the journal stands now, whether or not
// this edge has heard that much.
func (c *conn) aim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	heads, err := c.server.queue.Heads(ctx, []string{c.peer.Mesh})
	if err != nil {
		return err
	}
	c.feed.mu.Lock()
	defer c.feed.mu.Unlock()
	if c.goal = heads[0].Seq; c.pos < c.goal {
		c.live = false
	}
	return nil
}

// errStray says that a journal is not the one that was heard. Its feed is
// finding out how far it is.
var errStray = errors.New("edge: the journal went back or was replaced")

// catchUp gives a page of the journal to one peer. It reports false when the
// page is of another history than what the others were given.
func (f *feed) catchUp(c *conn, entries []queue.JournalEntry, head queue.Head) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.live {
		return true
	}
	f.adoptLocked(head.Epoch)
	// It is here because there was more to read than it has been given.
	if f.stray || head.Epoch != f.epoch || len(entries) == 0 && head.Seq <= c.pos {
		f.strayLocked()
		return false
	}
	if len(entries) == 0 || entries[0].Seq > c.pos+1 {
		f.resyncLocked(c)
		return true
	}
	for i := range entries {
		if e := &entries[i]; e.Seq == c.pos+1 {
			f.giveLocked(c, &pushOf{epoch: f.epoch, mesh: f.mesh, entry: e})
		}
	}
	return true
}

// askSync records a request. It reports false when too many wait.
func (c *conn) askSync(id wire.ReqID) bool {
	c.pump.mu.Lock()
	full := len(c.pump.syncs) >= maxSyncs
	if !full {
		c.pump.syncs = append(c.pump.syncs, id)
		c.pump.asked = true
	}
	c.pump.mu.Unlock()
	if !full {
		c.kickAll()
	}
	return !full
}

func (p *pump) takeSyncs() []wire.ReqID {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.syncs
	p.syncs = nil
	return asked
}

func (p *pump) putBack(asked []wire.ReqID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.syncs = append(asked, p.syncs...)
}

func (c *conn) answerSyncs(asked []wire.ReqID) {
	for _, id := range asked {
		c.feed.mu.Lock()
		cursor := c.feed.cursorLocked(c)
		c.feed.mu.Unlock()
		c.socket.send(&wire.Synced{ReqID: id, Cursor: cursor})
	}
}
