package presence

import (
	"cmp"
	"fmt"
	"strings"
)

// hear is what observers make of a journal entry, and what no entry may be.
func (t *turn) hear(e heardEvent) {
	q := &t.w.peers[e.peer]
	switch bit := uint8(1) << e.gen; {
	case e.gen == 0:
		t.fail("L2: the id of an event derives from the attachment")
	case e.event == "peer_joined":
		if q.seen && !q.behind {
			t.fail("L1: a peer that is here is not seen joining")
		}
		q.seen = true
	case q.gone&bit != 0:
		if !q.behind {
			t.fail("L2: an attachment is announced as left once")
		}
		q.seen = false
	default:
		t.hearLeft(q)
		if !t.ended && !t.x.noted(t.w.image, e) {
			t.fail("L2: what a peer owned is to be cleaned up, as of the attachment that left")
		}
		q.gone, q.seen = q.gone|bit, false
	}
}

func (t *turn) hearLeft(q *peerState) {
	switch {
	case !q.seen && !q.behind:
		t.fail("L2: who was not here is not announced as left")
	case q.bye || t.w.banned:
	case q.lost < graceTicks:
		t.fail("L1: a peer lost for less than 90 s is not seen leaving")
	case q.noticed < graceTicks:
		t.fail("L2: a peer is announced as left no earlier than 90 s after the loss was noticed")
	}
}

// noted reports whether an image holds the note of a clean-up.
func (x *explorer) noted(id imageID, e heardEvent) bool {
	p := x.oracle.peer(e.peer)
	note := cleanupMember(Left{Peer: p, Generation: generation(e.gen), Member: alice, Key: "key-" + p.ID})
	_, ok := x.oracle.images[id].score(cleanupKey(x.oracle.store.rdb.Tag(p.Mesh)), note)
	return ok
}

// check looks for what must never be, whatever happened before.
func (x *explorer) check(w *world) string {
	if broken := x.sound(w.image); broken != "" {
		return broken
	}
	for p := range int8(x.scope.peers) {
		if broken := x.checkOld(w, p); broken != "" {
			return broken
		}
	}
	return x.checkEnd(w)
}

// checkOld lets everything that older attachments of a peer may still have
// under way arrive now, and what is under way behind a detach.
func (x *explorer) checkOld(w *world, p int8) string {
	q := &w.peers[p]
	i := x.oracle.images[w.image]
	if q.behind && newest(i, x.oracle, p) < q.acked {
		return "" // Redis does not know yet of the attachment that has been acked
	}
	_, alive := i.key(leaseKey(x.oracle.store.rdb.Tag(x.oracle.bench.mesh), x.oracle.peer(p)))
	for gen := int8(1); gen <= q.issued; gen++ {
		verbs := []string{"renew", "detach", "leave", "update", "status"}
		switch {
		case gen == q.parted && gen == q.issued && !q.behind && (alive || !q.seen):
			// Nothing is under way for so long that the lease runs out, so
			// what may be restored then is no matter.
			verbs = []string{"renew", "detach", "update", "status"}
		case gen >= q.acked:
			continue
		}
		for _, verb := range verbs {
			a := x.oracle.ask(question{
				image: w.image, verb: verb, peer: p, edge: q.at[gen], gen: gen, epochs: w.epochs, slow: w.slow,
				cursor: x.oracle.head(w.image),
			})
			if a.image != w.image || strings.HasPrefix(a.word, "failed") {
				return fmt.Sprintf("L3: %s of %s attachment %d, which is over, takes effect (%s)", verb, peerName(p), gen, a.word)
			}
		}
	}
	return ""
}

// sound checks that records, leases and index of an image fit together: each
// lease has its record, each record is in the index, and no later than its
// lease ends.
func (x *explorer) sound(id imageID) string {
	if broken, known := x.soundness[id]; known {
		return broken
	}
	broken := ""
	for p := range int8(x.scope.peers) {
		if b := x.soundPeer(x.oracle.images[id], p); b != "" {
			broken = b
		}
	}
	x.soundness[id] = broken
	return broken
}

func (x *explorer) soundPeer(i *image, p int8) string {
	tag, mesh, name := x.oracle.store.rdb.Tag(x.oracle.bench.mesh), x.oracle.bench.mesh, peerName(p)
	lease, alive := i.key(leaseKey(tag, x.oracle.peer(p)))
	record, here := i.pair(rosterKey(tag, mesh), name)
	due, indexed := i.score(dueKey(tag), mesh+":"+name)
	_, placed := i.pair(cursorKey(tag, mesh), name)
	switch {
	case alive && !here:
		return "L2: a lease has a record that can be announced"
	case alive && !strings.HasPrefix(record, strings.SplitN(lease.items[0], "/", 2)[0]+" "):
		return "L3: lease and record are of one attachment"
	case here && !indexed:
		return "L2: who is here is in the index"
	case alive && due > lease.ttl:
		return fmt.Sprintf("L2: the index is %v late", due-lease.ttl)
	case placed && !here:
		return "L2: nothing is left of who has left"
	}
	return ""
}

// ending is what is announced if nothing moves any more but time and sweepers.
type ending struct {
	broken string
	events []heardEvent
}

// checkEnd lets all edges die and a new one sweep: everybody leaves, on time,
// exactly once.
func (x *explorer) checkEnd(w *world) string {
	end, known := x.endings[w.image]
	if !known {
		end = x.end(w.image)
		x.endings[w.image] = end
	}
	if end.broken != "" {
		return end.broken
	}
	t := turn{x: x, w: *w, ended: true}
	for p := range t.w.peers {
		// When is a matter of the steps that are explored.
		t.w.peers[p].bye = true
	}
	t.w.socks = [maxSocks]sock{}
	for _, e := range end.events {
		t.hear(e)
	}
	for p := range x.scope.peers {
		if q := t.w.peers[p]; q.seen && !q.behind {
			t.fail("L2: who does not come back is announced as left")
		}
	}
	return t.broken
}

func (x *explorer) end(id imageID) (out ending) {
	for range leaseTicks + 1 {
		a := x.oracle.ask(question{image: id, verb: "sweep"})
		if strings.HasPrefix(a.word, "failed") {
			out.broken = "L2: " + a.word
		}
		out.events = append(out.events, a.events...)
		for p := range int8(x.scope.peers) {
			if x.unsettled(x.oracle.images[a.image], p) {
				out.broken = "L2: who has no lease is gone after a sweep"
			}
		}
		id = x.oracle.tick(a.image)
	}
	return out
}

func (x *explorer) unsettled(i *image, p int8) bool {
	tag, mesh := x.oracle.store.rdb.Tag(x.oracle.bench.mesh), x.oracle.bench.mesh
	_, alive := i.key(leaseKey(tag, x.oracle.peer(p)))
	_, here := i.pair(rosterKey(tag, mesh), peerName(p))
	_, indexed := i.score(dueKey(tag), mesh+":"+peerName(p))
	return !alive && (here || indexed)
}

// head is where the journal of an image ends.
func (x *oracle) head(id imageID) cursorID {
	i := x.images[id]
	if i.head == 0 {
		name := x.store.opt.JournalKeys(x.bench.mesh)[1]
		epoch, _ := i.pair(name, "epoch")
		seq, _ := i.pair(name, "jseq")
		last, _ := i.pair(name, "jid")
		i.head = x.internCursor(strings.Join([]string{epoch, cmp.Or(seq, "0"), last}, "/"))
	}
	return i.head
}

// confirm moves a cursor on to the head of the same journal.
func (x *oracle) confirm(at, head cursorID) cursorID {
	a, okA := ParseCursor(x.cursors[at])
	h, okH := ParseCursor(x.cursors[head])
	if okA && okH && a.Epoch == h.Epoch && h.Seq > a.Seq {
		return head
	}
	return at
}
