package edge

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/claudemesh/claudemesh/queue"
)

// maxLeft bounds the epochs of a mesh that are remembered as ended.
const maxLeft = 4

// standLocked takes an entry for the last one heard.
func (f *feed) standLocked(seq uint64, id string) {
	f.heard, f.heardID = seq, id
	f.recent[seq%remembered] = seen{seq, id}
}

// contradictsLocked reports whether another entry was heard under a SEQ.
func (f *feed) contradictsLocked(seq uint64, id string) bool {
	r := f.recent[seq%remembered]
	return r.seq == seq && r.id != "" && r.id != id
}

// strayLocked says that the journal may not be the one that was heard: it went
// back in time, or it is another one. Nothing is passed on before that is
// known, because entries that came instead of others may have been missed too.
func (f *feed) strayLocked() {
	if f.stray {
		return
	}
	f.stray = true
	clear(f.early)
	f.readLocked()
}

// standing is where the journal stands, as far as was heard, and in which
// epoch.
func (f *feed) standing() (epoch string, heard uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.epoch, f.heard
}

// findBack compares the journal with what was heard, and goes on from the last
// entry that both have. The epoch in which entries were lost ends for
// everybody, so that no place among them is believed again.
func (f *feed) findBack(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	f.mu.Lock()
	lost, heard := append(slices.Clone(f.left), f.epoch), f.heard
	f.mu.Unlock()
	turned, err := f.server.queue.Turn(ctx, f.mesh, lost...)
	if err != nil {
		return false, err
	}
	// As much as is remembered, and more, so that a page that ends early has
	// shown all there is to compare.
	entries, head, err := f.server.queue.Journal(ctx, f.mesh, heard-min(heard, remembered), journalPage)
	if err != nil {
		return false, err
	}
	if head.Epoch != turned.Epoch {
		return false, fmt.Errorf("edge: the journal of %s is replaced again", f.mesh)
	}
	return f.goOn(entries, head), nil
}

// goOn passes on what the journal holds behind the last entry that was heard in
// it. Without such an entry nobody knows what was missed.
func (f *feed) goOn(entries []queue.JournalEntry, head queue.Head) (done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stray = false
	before := f.heard
	common, ok := f.commonLocked(entries, head)
	f.turnLocked(head.Epoch)
	if !ok {
		f.restartLocked(head)
		f.lossLocked()
		f.reading = f.doubt
		return !f.reading
	}
	f.server.log.Warn("journal went back", "mesh", f.mesh, "heard", before, "common", common.seq, "head", head.Seq)
	f.standLocked(common.seq, common.id)
	for i, r := range f.recent {
		if r.seq > common.seq {
			f.recent[i] = seen{}
		}
	}
	now := append(slices.Clone(entries), queue.JournalEntry{Seq: head.Seq, ID: head.ID})
	for c := range f.conns {
		came := slices.ContainsFunc(now, func(e queue.JournalEntry) bool { return e.Seq == c.pos && e.ID == c.posID })
		if c.goal = min(c.goal, head.Seq); !came { // else it has come since
			f.pullLocked(c, common, before)
		}
	}
	done = f.passAllLocked(entries, head)
	f.lossLocked()
	return done
}

// commonLocked is the last entry that was heard and is still in the journal.
func (f *feed) commonLocked(entries []queue.JournalEntry, head queue.Head) (found seen, ok bool) {
	same := func(seq uint64, id string) bool {
		r := f.recent[seq%remembered]
		return seq <= f.heard && r.seq == seq && r.id != "" && r.id == id
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if e := &entries[i]; same(e.Seq, e.ID) {
			return seen{e.Seq, e.ID}, true
		}
	}
	if same(head.Seq, head.ID) {
		return seen{head.Seq, head.ID}, true // its entry has been dropped by age
	}
	return seen{}, f.heard == 0 && (head.Seq == 0 || len(entries) > 0 && entries[0].Seq == 1)
}

// pullLocked puts a peer back to the last common entry, so that it is given
// what came instead of what was lost. One that has yet to be given some of what
// was lost will never see that, and is told so.
func (f *feed) pullLocked(c *conn, common seen, before uint64) {
	switch {
	case c.pos <= common.seq:
	case c.pos < before && !c.live:
		f.resyncLocked(c)
	default:
		c.pos, c.posID = common.seq, common.id
	}
}

// lossLocked has the leases of everybody here looked after: what Redis lost of
// the journal it may have lost of them too, and of peers elsewhere. Each is
// pinged behind what it was told, so that its place is soon one to be believed.
func (f *feed) lossLocked() {
	f.lostLocked()
	for c := range f.conns {
		c.pingLocked()
	}
	f.server.renewer.soon(slices.Collect(maps.Keys(f.conns))...)
}

// turnLocked takes over the journal's epoch. Places of the one before are no
// longer to be trusted.
func (f *feed) turnLocked(epoch string) {
	if f.epoch == epoch {
		return
	}
	if f.epoch != "" {
		f.left = append(f.left, f.epoch)
		f.left = f.left[max(0, len(f.left)-maxLeft):]
	}
	f.left = slices.DeleteFunc(f.left, func(e string) bool { return e == epoch })
	f.epoch = epoch
}

// restartLocked begins anew at head: the journal is another one. Nobody can say
// what was missed, so everybody is told.
func (f *feed) restartLocked(head queue.Head) {
	f.server.log.Warn("journal replaced", "mesh", f.mesh, "heard", f.heard, "head", head.Seq)
	f.recent = [remembered]seen{}
	f.early = map[uint64]queue.JournalEntry{}
	f.turnLocked(head.Epoch)
	f.standLocked(head.Seq, head.ID)
	f.deafenLocked()
	for c := range f.conns {
		f.resyncLocked(c)
	}
}
