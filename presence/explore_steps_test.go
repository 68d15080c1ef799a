package presence

import (
	"fmt"
	"strings"
)

// turn is a step being made: a copy of the world that has changed, and the
// promise that this has broken, if any.
type turn struct {
	x      *explorer
	w      world
	move   move
	broken string
	ended  bool // nothing moves any more, see checkEnd
}

// steps makes every step that is possible in w.
func (x *explorer) steps(w *world) []turn {
	var out []turn
	add := func(m move, do func(t *turn)) {
		t := turn{x: x, w: *w, move: m}
		do(&t)
		out = append(out, t)
	}
	for p := range int8(x.scope.peers) {
		for e := range int8(maxEdges) {
			if w.mayAttach(p, e) {
				add(move{"attach", p, e, 0, ""}, func(t *turn) { t.attach(p, e) })
				for token := int8(1); token <= w.peers[p].acked; token++ {
					add(move{"resume", p, e, token, ""}, func(t *turn) { t.resume(p, e, token) })
				}
			}
		}
		if !w.down {
			add(move{"settle", p, -1, 0, ""}, func(t *turn) { t.settle(p) })
			add(move{"touch", p, -1, 0, ""}, func(t *turn) { t.settlerTouches(p) })
		}
	}
	for i, s := range w.socks {
		if s.gen > 0 && !w.edges[s.edge].stalled {
			x.sockSteps(w, i, add)
		}
	}
	for e := range int8(maxEdges) {
		x.edgeSteps(w, e, add)
	}
	x.redisSteps(w, add)
	if w.mayTick() {
		add(move{"time passes", -1, -1, 0, ""}, func(t *turn) { t.pass() })
	}
	return out
}

func (w *world) mayAttach(p, e int8) bool {
	// Edges are alike, so the first to be used is the first by name.
	first := e == 0 || w.peers[0].issued > 0 || w.peers[1].issued > 0
	return first && !w.down && !w.edges[e].stalled && w.left.attach[p] > 0 && w.open(p) < 2 && w.socks[maxSocks-1].gen == 0
}

func (x *explorer) sockSteps(w *world, i int, add func(move, func(*turn))) {
	s := w.socks[i]
	named := func(what string) move { return move{what, s.peer, s.edge, s.gen, ""} }
	if !s.acked && s.dead == 0 {
		add(named("hello_ack to"), func(t *turn) { t.ack(i) })
	}
	if s.gen < w.peers[s.peer].issued {
		add(named("bell taken closes"), func(t *turn) { t.w.remove(i) })
	}
	if s.dead == 0 && w.left.drop > 0 {
		add(named("network loses"), func(t *turn) { t.w.left.drop--; t.w.socks[i].dead = 1 })
	}
	if s.acked && s.dead == 0 && s.gen == w.peers[s.peer].issued && w.left.bye > 0 {
		add(named("goodbye of"), func(t *turn) { t.goodbye(i) })
	}
	if w.down {
		if s.dead > 0 || s.age >= staleTicks {
			add(named("closed in vain:"), func(t *turn) { t.w.remove(i) })
		}
		return
	}
	add(named("renew"), func(t *turn) { t.renew(i) })
	if s.dead > 0 || w.banned {
		add(named("detach"), func(t *turn) { t.detach(i) })
	}
}

func (x *explorer) edgeSteps(w *world, e int8, add func(move, func(*turn))) {
	at := func(s sock) bool { return s.edge == e }
	named := func(what string) move { return move{what, -1, e, 0, ""} }
	switch {
	case w.edges[e].stalled:
		add(named("continue"), func(t *turn) { t.w.edges[e].stalled = false })
	case w.left.stall > 0:
		add(named("stall"), func(t *turn) { t.w.left.stall--; t.w.edges[e].stalled = true })
	}
	if w.left.crash > 0 {
		add(named("crash"), func(t *turn) {
			if t.w.removeAll(at) {
				t.w.left.crash--
				t.w.edges[e] = edgeState{}
			}
		})
	}
}

func (x *explorer) redisSteps(w *world, add func(move, func(*turn))) {
	plain := func(what string, left *int8, do func(t *turn)) {
		if *left > 0 {
			add(move{what, -1, -1, 0, ""}, do)
		}
	}
	if w.down {
		add(move{"Redis is back", -1, -1, 0, ""}, func(t *turn) { t.w.down = false; t.renewAll() })
		return
	}
	plain("Redis is out of reach", &w.left.outage, func(t *turn) { t.w.left.outage--; t.w.down = true })
	if w.snapshot < 0 {
		plain("replica falls behind", &w.left.rollback, func(t *turn) { t.w.snapshot = t.w.image; t.w.left.rollback-- })
	} else {
		add(move{"fail-over to the replica", -1, -1, 0, ""}, func(t *turn) { t.rollBack() })
	}
	plain("FLUSHALL", &w.left.flush, func(t *turn) { t.flush() })
	plain("Redis's clock goes back", &w.left.slow, func(t *turn) { t.w.left.slow--; t.w.slow = true; t.forgetContact() })
	plain("ban", &w.left.ban, func(t *turn) { t.w.left.ban--; t.w.banned = true; t.ask(question{verb: "ban"}) })
	if w.banned {
		add(move{"expel", -1, -1, 0, ""}, func(t *turn) { t.ask(question{verb: "expel"}) })
	}
}

// ask runs a verb and lets the observers read the journal.
func (t *turn) ask(q question) answer {
	q.image, q.epochs, q.slow = t.w.image, t.w.epochs, t.w.slow
	a := t.x.oracle.ask(q)
	t.w.image, t.move.word = a.image, a.word
	if strings.HasPrefix(a.word, "failed") {
		t.fail("a script fails")
	}
	for _, e := range a.events {
		t.hear(e)
	}
	return a
}

func (t *turn) fail(broken string) {
	if t.broken == "" {
		t.broken = broken
	}
}

func (t *turn) attach(p, e int8) {
	a := t.ask(question{verb: "attach", peer: p, edge: e, gen: t.w.peers[p].issued + 1})
	t.begin(p, e, a)
}

// resume goes on with an attachment that the client holds a token of. Only the
// newest will do, and only until it is announced as left.
func (t *turn) resume(p, e, token int8) {
	q := t.w.peers[p]
	a := t.ask(question{verb: "resume", peer: p, edge: e, gen: q.issued + 1, token: token})
	over := token < q.issued || q.gone&(1<<token) != 0
	switch {
	case a.word == "passed" && (over || q.behind || q.bye):
		return
	case a.word == "passed" && q.seen:
		t.fail("L1: who has not left can resume")
	case a.word != "banned" && over && !q.behind:
		t.fail("L3: an attachment that is over does not go on")
	}
	t.begin(p, e, a)
}

// begin makes the socket whose attachment has been answered.
func (t *turn) begin(p, e int8, a answer) {
	q := &t.w.peers[p]
	gen := q.issued + 1
	t.w.left.attach[p]--
	outcome, made, _ := strings.Cut(a.word, " ")
	t.move.word = fmt.Sprintf("%s as %d", outcome, gen)
	switch {
	case t.w.banned != (outcome == "banned"):
		t.fail("S2: a ban is checked by attach")
	case t.w.banned:
		return
	case made != generation(gen):
		t.fail("L3: a generation is newer than all before")
	}
	q.issued, q.at[gen], q.bye, q.parted, q.noticed, q.lost = gen, e, false, 0, graceTicks, 0
	for i := range t.w.socks {
		if t.w.socks[i].gen == 0 {
			t.w.socks[i] = sock{peer: p, gen: gen, edge: e, cursor: a.cursor}
			return
		}
	}
}

func (t *turn) ack(i int) {
	s := &t.w.socks[i]
	s.acked = true
	t.w.peers[s.peer].acked = max(t.w.peers[s.peer].acked, s.gen)
}

// asking is the question in the name of a socket.
func (s sock) asking(verb string) question {
	return question{verb: verb, peer: s.peer, edge: s.edge, gen: s.gen, cursor: s.cursor}
}

func (t *turn) renew(i int) {
	s := t.w.socks[i]
	q := t.w.peers[s.peer]
	switch RenewOutcome(t.ask(s.asking("renew")).word) {
	case Renewed:
		t.renewed(i)
	case Restored:
		t.renewed(i)
		if t.w.banned {
			t.fail("S2: a ban is checked by renew")
		}
	case Superseded:
		if s.gen == q.issued {
			t.fail("L3: the newest attachment is not superseded")
		}
		t.w.remove(i)
	case Gone:
		if told := !q.seen || q.gone>>s.gen != 0; !told && !q.bye && !t.w.banned {
			t.fail("L1: nobody was told that the peer left, so it need not join")
		}
		t.w.remove(i)
	case Unanswered:
		t.fail("L1: an answered renewal says what became of the lease")
	}
}

func (t *turn) renewed(i int) {
	s := &t.w.socks[i]
	s.age = 0
	if s.speaks(&t.w) {
		t.w.peers[s.peer].lost = 0
	}
}

func (t *turn) detach(i int) {
	s := t.w.socks[i]
	q := &t.w.peers[s.peer]
	known := newest(t.x.oracle.images[t.w.image], t.x.oracle, s.peer) > 0
	word := t.ask(s.asking("detach")).word
	t.w.remove(i)
	if s.gen < q.issued {
		return
	}
	switch {
	case word == "ok":
		q.parted, q.noticed = s.gen, 0
	case q.seen && known:
		t.fail("L2: the newest attachment can be given up")
	}
}

func (t *turn) goodbye(i int) {
	s := t.w.socks[i]
	q := &t.w.peers[s.peer]
	t.w.left.bye--
	q.bye = true
	t.w.remove(i)
	if t.w.down {
		return
	}
	word := t.ask(s.asking("leave")).word
	if word != "ok" || q.seen && !q.behind {
		t.fail("L2: a goodbye is announced at once")
	}
	q.parted = s.gen
}

func (t *turn) settle(p int8) {
	for _, e := range t.w.edges {
		if !e.stalled && t.x.trust[e.contact] {
			t.ask(question{verb: "settle", peer: p})
			return
		}
	}
}

// settlerTouches reads a lease as sweepers do, which corrects the index.
func (t *turn) settlerTouches(p int8) { t.ask(question{verb: "touch", peer: p}) }

func (t *turn) forgetContact() {
	for i := range t.w.edges {
		t.w.edges[i].contact = 0
	}
}

// rollBack brings back what Redis held at the snapshot. That the edges notice
// before any of them settles again is taken for granted; they probe once a
// second.
func (t *turn) rollBack() {
	t.w.image, t.w.snapshot = t.w.snapshot, -1
	t.forgetContact()
	t.renewAll()
	t.lose()
}

// renewAll has every lease renewed before time passes, as edges do that find
// out that they cannot trust what Redis holds.
func (t *turn) renewAll() {
	for i := range t.w.socks {
		if s := &t.w.socks[i]; s.gen > 0 {
			s.age = max(s.age, 1)
		}
	}
}

func (t *turn) flush() {
	t.w.left.flush--
	t.w.image = 0
	t.w.epochs++
	t.lose()
}

func (t *turn) lose() {
	for p := range t.w.peers {
		t.w.peers[p].behind = true
	}
}

func (t *turn) pass() {
	o := t.x.oracle
	t.w.pass()
	t.w.image = o.tick(t.w.image)
	if t.w.snapshot >= 0 {
		t.w.snapshot = o.tick(t.w.snapshot)
	}
	head := o.head(t.w.image)
	for i := range t.w.socks {
		s := &t.w.socks[i]
		if s.gen > 0 && s.acked && s.dead == 0 && !t.w.down && !t.w.edges[s.edge].stalled {
			s.cursor = o.confirm(s.cursor, head)
		}
	}
}
