package edge

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/commons"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

const (
	// maxEarly bounds the entries kept while a gap before them is read. What
	// does not fit is read from the journal too.
	maxEarly = 256

	// journalPage is how many entries one read of the journal brings.
	journalPage = 128

	// remembered is how many ids of entries are kept, to notice a journal that
	// went back in time.
	remembered = 64

	// rereadAfter is the pause after a failed read of the journal.
	rereadAfter = 250 * time.Millisecond
)

// A feed is what this edge knows of one mesh: the peers it holds there, and
// how far it has read the journal.
type feed struct {
	// Fixed.
	server *Server
	mesh   string
	mark   *bookmark     // what was known when the mesh had peers here before, or nil
	begun  chan struct{} // closed when the feed listens, or has failed to

	// Written before begun is closed.
	failed  error
	listens time.Time // since when bells are heard

	users int // guarded by hub.mu

	granting sync.Mutex // from reading grants to keeping them, so that the older never replace the newer

	mu     sync.Mutex
	conns  map[*conn]struct{}
	byPeer map[string]*conn       // the newest of each peer
	grants map[string]wire.Grants // of the members that are here
	ears   map[*ear]struct{}      // listeners without a socket of a peer

	epoch   string
	left    []string // epochs that this feed has seen end
	stray   bool     // the journal may not be the one that was heard; read finds out
	heard   uint64   // SEQ of the last entry given to the live peers
	heardID string
	open    bool // heard is known
	recent  [remembered]seen
	early   map[uint64]queue.JournalEntry // heard beyond a gap
	reading bool                          // a goroutine reads the journal
	doubt   bool                          // something may have been missed
	ledger  ledger
	loss    loss
}

// seen is one entry that went by.
type seen struct {
	seq uint64
	id  string
}

func newFeed(s *Server, mesh string) *feed {
	return &feed{
		server: s, mesh: mesh, begun: make(chan struct{}),
		conns: map[*conn]struct{}{}, byPeer: map[string]*conn{},
		grants: map[string]wire.Grants{}, early: map[uint64]queue.JournalEntry{}, ears: map[*ear]struct{}{},
	}
}

func (f *feed) channels() []string {
	c := f.server.redis
	return []string{c.MeshBell(f.mesh), c.EdgeBell(f.mesh, f.server.id)}
}

// begin subscribes, and only then looks where the journal stands: whatever
// comes in between is heard twice rather than never.
func (f *feed) begin(ctx context.Context) {
	defer close(f.begun)
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	if err := f.server.bus.join(ctx, f.channels()...); err != nil {
		f.failed = err
		f.forget()
		return
	}
	f.listens = time.Now()
	heads, err := f.server.queue.Heads(ctx, []string{f.mesh})
	if err == nil && len(heads) != 1 {
		err = fmt.Errorf("%d heads of one mesh", len(heads))
	}
	if err != nil {
		f.failed = fmt.Errorf("edge: read head: %w", err)
		f.forget()
		f.server.bus.leave(f.channels()...)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mark != nil {
		f.goOnLocked(f.mark, heads[0])
		f.mark = nil
		return
	}
	f.startLocked(heads[0])
}

// forget makes room for another attempt. Those who already wait for this one
// see that it failed.
func (f *feed) forget() {
	h := f.server.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.feeds[f.mesh] == f {
		delete(h.feeds, f.mesh)
	}
	if f.mark != nil && h.marks[f.mesh] == nil {
		h.marks[f.mesh] = f.mark // the next attempt needs it as much
	}
}

// startLocked takes the journal's head as the place from which on this feed
// listens.
func (f *feed) startLocked(head queue.Head) {
	f.open = true
	f.epoch = head.Epoch
	f.standLocked(head.Seq, head.ID)
	f.earlyLocked()
}

// heardEntry takes an entry from the bell.
func (f *feed) heardEntry(e queue.JournalEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		f.keepEarlyLocked(e)
		return
	}
	switch {
	case f.stray:
		f.doubt = true // it is in the journal, which is about to be read
	case e.Seq <= f.heard:
		if f.contradictsLocked(e.Seq, e.ID) {
			f.strayLocked()
		}
	case e.Seq == f.heard+1:
		f.passLocked(&e)
		f.earlyLocked()
	default:
		f.keepEarlyLocked(e)
		f.readLocked()
	}
}

func (f *feed) keepEarlyLocked(e queue.JournalEntry) {
	if len(f.early) >= maxEarly {
		f.server.metrics.hit(boundEarly)
		return
	}
	f.early[e.Seq] = e
}

// earlyLocked passes on what was heard early and now has its turn.
func (f *feed) earlyLocked() {
	for len(f.early) > 0 {
		e, ok := f.early[f.heard+1]
		if !ok {
			break
		}
		f.passLocked(&e)
	}
	for seq := range f.early {
		if seq <= f.heard {
			delete(f.early, seq)
		}
	}
}

// passLocked gives the next entry to every peer that is up to date.
func (f *feed) passLocked(e *queue.JournalEntry) {
	f.standLocked(e.Seq, e.ID)
	f.overheardLocked(e)
	f.ledger.note(f.mesh, e)
	out := pushOf{epoch: f.epoch, mesh: f.mesh, entry: e}
	for c := range f.conns {
		if c.live && e.Seq > c.pos {
			f.giveLocked(c, &out)
		}
	}
}

// giveLocked gives an entry to one peer, if it is for it.
func (f *feed) giveLocked(c *conn, p *pushOf) {
	if f.isForLocked(c, p.entry) {
		f.server.metrics.pushes[p.kind()].Inc()
		c.socket.put(p.frame())
	}
	c.pos, c.posID = p.entry.Seq, p.entry.ID
}

// isForLocked is the audience of an entry: not its author, and for messages
// those who are visible, in the group since before, and willing.
func (f *feed) isForLocked(c *conn, e *queue.JournalEntry) bool {
	if e.Peer == c.peer.ID || e.Member == c.member.Key && strings.Contains(e.Flags, queue.FlagOthers) {
		return false
	}
	switch e.Kind {
	case queue.KindMessage:
	case queue.KindTopic:
		return commons.Hears(e.Target, c.member.Key) && f.takesLocked(c, e)
	default:
		return commons.Hears(e.Target, c.peer.ID, c.member.Key)
	}
	if c.audience.hidden || !c.audience.hears(e.Target, f.epoch, e.Seq) {
		return false
	}
	return f.takesLocked(c, e)
}

// takesLocked reports whether a peer's member lets the sender speak to many of
// whom it is one.
func (f *feed) takesLocked(c *conn, e *queue.JournalEntry) bool {
	session := ""
	if wire.IsLowerKey(e.Peer) {
		session = e.Peer // only a proven session key is a peer's id
	}
	return f.grants[c.member.Key].Allows(e.Member, session, wire.CapBroadcast)
}

// audience is what decides which messages to groups a peer hears.
type audience struct {
	hidden bool
	epoch  string // of the journal that the groups' SEQs belong to
	groups []memberOf
}

// memberOf is a group and the journal's SEQ when the peer joined it.
type memberOf struct {
	name  string
	since uint64
}

// hears reports whether an entry is for the peer. In another journal than the
// one in which a group was joined, everything comes after that.
func (a *audience) hears(target, epoch string, seq uint64) bool {
	if target == "*" {
		return true
	}
	other := a.epoch != "" && a.epoch != epoch
	for _, g := range a.groups {
		if (other || seq > g.since) && wire.GroupMatches(g.name, target) {
			return true
		}
	}
	return false
}

// suspect is called when something may have been missed: it reads the journal
// and every inbox.
func (f *feed) suspect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return
	}
	f.doubt = true
	f.readLocked()
	for c := range f.conns {
		c.kickAll()
	}
}

// place is where the journal stands, as far as was heard.
func (f *feed) place() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heard
}

// adoptLocked takes the epoch of a journal that had none when this feed began.
func (f *feed) adoptLocked(epoch string) {
	if f.epoch == "" {
		f.epoch = epoch
	}
}

// compare takes the journal's head, as read by the renewal round. Asked is
// where the feed stood before that: a head behind it went back in time.
func (f *feed) compare(head queue.Head, asked uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		f.compareLocked(head, asked)
	}
}

func (f *feed) compareLocked(head queue.Head, asked uint64) {
	f.adoptLocked(head.Epoch)
	switch {
	case head.Epoch != f.epoch, head.Seq < asked, f.contradictsLocked(head.Seq, head.ID):
		f.strayLocked()
	case head.Seq > f.heard:
		f.doubt = true
		f.readLocked()
	}
}

// resyncLocked tells a peer that entries are missing and puts it at the
// present.
func (f *feed) resyncLocked(c *conn) {
	c.pos, c.posID, c.goal, c.live = f.heard, f.heardID, 0, true
	f.server.metrics.resyncs.Inc()
	c.socket.put(resyncPush(f.mesh, f.cursorLocked(c)))
}

// cursorLocked is the place up to which c was given the journal.
func (f *feed) cursorLocked(c *conn) string {
	return wire.Cursor{Epoch: f.epoch, Seq: c.pos, ID: c.posID}.String()
}

// readLocked starts to read the journal, unless somebody does.
func (f *feed) readLocked() {
	if f.reading {
		return
	}
	f.reading = true
	f.server.metrics.gaps.Inc()
	f.server.spawn(func() { f.read(f.server.base) })
}

// read closes gaps until there is none.
func (f *feed) read(ctx context.Context) {
	for ctx.Err() == nil {
		f.mu.Lock()
		stray, idle := f.stray, len(f.conns)+len(f.ears) == 0
		f.doubt = false
		f.mu.Unlock()
		if idle && !stray {
			break
		}
		next := f.readOn
		if stray {
			next = f.findBack
		}
		done, err := next(ctx)
		if err != nil {
			f.server.log.WarnContext(ctx, "read journal", "mesh", f.mesh, "err", err)
			wait(ctx, rereadAfter)
			continue
		}
		if done {
			return
		}
	}
	f.mu.Lock()
	f.reading = false
	f.mu.Unlock()
}

// readOn reads a page of what is to be passed on next, and before it the entry
// that was passed on last, which shows whether the journal is still the same.
func (f *feed) readOn(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	after := f.place()
	entries, head, err := f.server.queue.Journal(ctx, f.mesh, after-min(after, 1), journalPage)
	if err != nil {
		return false, err
	}
	return f.fill(entries, head, after), nil
}

// fill passes on a page of the journal. It reports whether no gap is left; if
// so, nobody reads any more.
func (f *feed) fill(entries []queue.JournalEntry, head queue.Head, after uint64) (done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.adoptLocked(head.Epoch)
	if len(entries) > 0 && entries[0].Seq <= after {
		f.stray = f.stray || f.contradictsLocked(entries[0].Seq, entries[0].ID)
		entries = entries[1:]
	}
	if f.stray || head.Epoch != f.epoch || head.Seq < after {
		f.stray = true
		return false
	}
	if next := f.heard + 1; len(entries) > 0 && entries[0].Seq > next || len(entries) == 0 && head.Seq > f.heard {
		f.skipLocked(entries, head)
	}
	return f.passAllLocked(entries, head)
}

// passAllLocked passes on those of entries whose turn it is. It reports whether
// nothing is left to read.
func (f *feed) passAllLocked(entries []queue.JournalEntry, head queue.Head) (done bool) {
	for i := range entries {
		if entries[i].Seq == f.heard+1 {
			f.passLocked(&entries[i])
		}
	}
	f.earlyLocked()
	f.reading = f.doubt || f.stray || len(f.early) > 0 || head.Seq > f.heard
	return !f.reading
}

// skipLocked jumps over entries that the journal has dropped. They may have said
// who came and who left.
func (f *feed) skipLocked(entries []queue.JournalEntry, head queue.Head) {
	if len(entries) > 0 {
		f.standLocked(entries[0].Seq-1, "")
	} else {
		f.standLocked(head.Seq, head.ID)
	}
	f.ledger = ledger{}
	f.deafenLocked()
	for c := range f.conns {
		if c.live && c.pos < f.heard {
			f.resyncLocked(c)
		}
	}
}
