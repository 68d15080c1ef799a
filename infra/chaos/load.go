package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

const (
	// oldSends is what a client tries to send after it was taken over.
	oldSends = 3

	// maxOutstanding stops new messages while the fleet cannot take them.
	maxOutstanding = 2000
)

// lanes are the priorities of messages, as often as they are listed.
var lanes = []string{"next", "next", "now", "low"}

// talk has peers send to each other until ctx ends.
func (r *run) talk(ctx context.Context, rng *rand.Rand) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / r.o.Rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		from := r.world.actors[rng.IntN(len(r.world.actors))]
		to, lane := "*", lanes[rng.IntN(len(lanes))]
		if rng.IntN(100) >= r.o.BroadcastPercent {
			to = r.neighbour(rng, from).key
		}
		if to == from.key || !r.isHere(from) || r.board.outstanding() >= maxOutstanding {
			continue
		}
		r.say(from, command{To: to, Lane: lane, ID: fmt.Sprintf("%s-%d-%x", from.name, n, r.o.Seed)})
	}
}

func (r *run) say(from *actor, c command) {
	r.board.mu.Lock()
	r.board.waiting[c.ID] = true
	r.board.mu.Unlock()
	c.Op, c.Peer = "send", from.name
	from.driver.tell(c)
}

func (r *run) neighbour(rng *rand.Rand, of *actor) *actor {
	for _, m := range r.world.meshes {
		if m.id == of.mesh {
			return m.peers[rng.IntN(len(m.peers))]
		}
	}
	return of
}

func (r *run) isHere(a *actor) bool {
	s := r.board.change(a.name, func(*standing) {})
	return s.wanted && s.greeted
}

// A returning is a peer that comes back.
type returning struct {
	who *actor
	at  time.Time
}

// live has peers be cut, leave, come back and take over, until ctx ends.
func (r *run) live(ctx context.Context, rng *rand.Rand) {
	tick := time.NewTicker(r.o.LifeEvery)
	defer tick.Stop()
	var away []returning
	defer func() {
		for _, b := range away {
			r.absent = append(r.absent, b.who)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			away = r.comeBack(away, now)
			a := r.world.actors[rng.IntN(len(r.world.actors))]
			if a.steady || !r.isHere(a) {
				continue
			}
			if after := r.happenTo(rng, a); after > 0 {
				away = append(away, returning{a, now.Add(after)})
			}
		}
	}
}

func (r *run) comeBack(away []returning, now time.Time) []returning {
	var still []returning
	for _, b := range away {
		if now.Before(b.at) {
			still = append(still, b)
			continue
		}
		r.start(b.who)
	}
	return still
}

// happenTo does something to a peer, and tells after how long it is to be
// started again; 0 if it comes back by itself.
func (r *run) happenTo(rng *rand.Rand, a *actor) time.Duration {
	gone := r.o.TTL + r.o.Renew + 3*time.Second // for longer than any lease
	switch n := rng.IntN(100); {
	case n < 45:
		a.driver.tell(command{Op: "cut", Peer: a.name})
		return 0
	case n < 60:
		return r.leave(a, history.Vanish, scaled(rng, r.o.TTL, 0.05, 0.6))
	case n < 75:
		return r.leave(a, history.Vanish, gone+scaled(rng, r.o.TTL, 0, 1))
	case n < 83:
		return r.leave(a, history.Goodbye, scaled(rng, r.o.TTL, 0.05, 0.5))
	case n < 90:
		return r.leave(a, history.Away, scaled(rng, r.o.TTL, 0.05, 0.6))
	default:
		r.takeOver(a)
		return 0
	}
}

func (r *run) leave(a *actor, how string, after time.Duration) time.Duration {
	r.board.change(a.name, func(s *standing) { s.wanted, s.leftAt, s.seenOff = false, time.Now(), false })
	a.driver.tell(command{Op: "leave", Peer: a.name, How: how})
	return max(after, time.Millisecond)
}

// takeOver opens the session anew elsewhere while it is connected, and has the
// older client go on sending.
func (r *run) takeOver(a *actor) {
	r.start(a)
	to := r.world.actors[0].key
	for _, m := range r.world.meshes {
		if m.id == a.mesh {
			to = m.peers[0].key
		}
	}
	for range oldSends {
		r.olds++
		a.driver.tell(command{Op: "send", Peer: a.name, Old: true, To: to, Lane: "low", ID: fmt.Sprintf("old-%s-%d-%x", a.name, r.olds, r.o.Seed)})
	}
}

// start runs a new client for a peer.
func (r *run) start(a *actor) {
	r.board.change(a.name, func(s *standing) { s.wanted, s.ended, s.greeted = true, false, false })
	a.driver.tell(command{
		Op: "start", Peer: a.name, URL: r.fleet.URL(), Mesh: a.mesh, MemberID: a.memberID, MemberSeed: a.memberSeed, Seed: a.seed,
	})
}

// revive starts peers again whose clients have given up although they are
// wanted: while Redis has lost its data, nobody is let in.
func (r *run) revive() {
	for _, a := range r.world.actors {
		if s := r.board.change(a.name, func(*standing) {}); s.wanted && s.ended {
			r.start(a)
		}
	}
}

// scaled is a time between two shares of d.
func scaled(rng *rand.Rand, d time.Duration, from, to float64) time.Duration {
	return time.Duration(float64(d) * (from + rng.Float64()*(to-from)))
}
