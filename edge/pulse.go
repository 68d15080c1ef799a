package edge

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// silentRounds is how many ping intervals without an answer end a socket,
// times two: 2.5 intervals.
const silentRounds = 5

// pulse pings every socket in its turn, ends those that do not answer, and
// repeats what was not acked. One loop serves all sockets: a ticker for each
// would cost more than the socket.
func (s *Server) pulse(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.PingEvery / ticksPerRound)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			for _, c := range s.peers() {
				s.pulseOf(c, now)
			}
		}
	}
}

func (s *Server) pulseOf(c *conn, now time.Time) {
	if now.Sub(c.pongAt.get()) > s.cfg.PingEvery*silentRounds/2 {
		c.log.Info("peer is silent")
		c.socket.cut(closedSilent)
		return
	}
	if !now.Before(c.pingAt) {
		c.pingAt = now.Add(s.cfg.PingEvery)
		c.ping()
	}
	c.repeatOverdue(now)
}

// spread returns a random part of d.
func spread(d time.Duration) time.Duration { return rand.N(d) }

// atomicTime is a moment that several goroutines read and write.
type atomicTime struct{ nanos atomic.Int64 }

func (t *atomicTime) set(v time.Time) { t.nanos.Store(v.UnixNano()) }
func (t *atomicTime) get() time.Time  { return time.Unix(0, t.nanos.Load()) }
