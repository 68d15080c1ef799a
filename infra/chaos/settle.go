package chaos

import (
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// rosterWithin is how long after the faults rosters may still be wrong.
const rosterWithin = 30 * time.Second

// settle lets the fleet calm down and asks it how things stand: who is here,
// who has left, what has arrived.
func (r *run) settle() error {
	began := time.Now()
	if err := r.awaitAll(inWithin); err != nil {
		return err
	}
	if !pause(r.ctx, min(rosterWithin, max(r.o.Renew, 2*time.Second))-time.Since(began)) {
		return r.ctx.Err()
	}
	r.out.Write(history.Record{Kind: history.Judged})
	r.askRosters()
	r.seeOff(began)
	r.askRosters()
	for _, a := range r.absent {
		r.start(a)
	}
	if err := r.awaitAll(inWithin); err != nil {
		return err
	}
	if err := r.collect(); err != nil {
		return err
	}
	r.out.Write(history.Record{Kind: history.Over})
	return nil
}

// seeOff waits until everybody who stays away was announced as left, or should
// have been, after whatever hold there is. The check tells which.
func (r *run) seeOff(began time.Time) {
	if len(r.absent) == 0 {
		return
	}
	most := 2*(r.o.TTL+r.o.Renew+r.o.gap()+r.o.Slack) + r.o.Late
	r.tell("%d peers stay away: up to %v until the last was announced", len(r.absent), most.Round(time.Second))
	_ = eventually(r.ctx, most-time.Since(began), func() error {
		for _, a := range r.absent {
			if !r.board.change(a.name, func(*standing) {}).seenOff {
				return fmt.Errorf("%s is still listed", a.name)
			}
		}
		return nil
	})
	pause(r.ctx, afterwards) // for an announcement too many
}

// afterwards is how long is listened for what must not come any more.
const afterwards = 2 * time.Second

// askRosters has the steady peers of every mesh ask who is here.
func (r *run) askRosters() {
	for _, m := range r.world.meshes {
		for _, a := range m.peers {
			if a.steady {
				a.driver.tell(command{Op: "roster", Peer: a.name})
			}
		}
	}
}

// collect waits until everything that was sent is acked or refused, and
// everything that waited has arrived.
func (r *run) collect() error {
	err := eventually(r.ctx, inWithin, func() error {
		r.revive()
		if n := r.board.outstanding(); n > 0 {
			return fmt.Errorf("%d messages are neither acked nor refused", n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return eventually(r.ctx, inWithin, func() error {
		r.revive()
		left := 0
		for _, a := range r.world.actors {
			s := r.board.change(a.name, func(*standing) {})
			if s.synced {
				continue
			}
			if left++; !s.asked {
				r.board.change(a.name, func(s *standing) { s.asked = true })
				a.driver.tell(command{Op: "sync", Peer: a.name})
			}
		}
		if left > 0 {
			return fmt.Errorf("%d peers have not been given what waited for them", left)
		}
		return nil
	})
}
