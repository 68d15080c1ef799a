package presence

import (
	"sync"
	"time"
)

// contact judges whether a lease that ran out did so because its holder did
// not renew it. That takes unbroken contact with the same Redis, whose clock
// runs evenly, for as long as a lease lasts: otherwise an outage of two
// minutes would expel everybody.
type contact struct {
	gap  time.Duration // a longer silence breaks contact
	jump time.Duration // a larger step of Redis's clock breaks it
	wait time.Duration // so long must it last to be trusted

	mu    sync.Mutex // guards the following fields
	since time.Time  // contact is unbroken from here on; zero before the first
	last  probe
}

// probe is one answered question to Redis. Sent and answered are readings of
// this process's monotonic clock.
type probe struct {
	sent, answered time.Time
	redis          time.Time // by Redis's own clock
	runID          string    // of the Redis process, empty if it does not tell
}

// heard takes an answered probe and returns why contact counts as broken, or
// "" if it is not.
func (c *contact) heard(p probe) HoldReason {
	c.mu.Lock()
	defer c.mu.Unlock()
	reason, first := HoldReason(""), c.since.IsZero()
	if !first {
		reason = c.broken(p)
	}
	if first || reason != "" {
		c.since = p.answered
	}
	c.last = p
	return reason
}

func (c *contact) broken(p probe) HoldReason {
	switch {
	case p.runID != c.last.runID:
		return HoldRestart
	case p.sent.Sub(c.last.answered) > c.gap:
		return HoldGap
	case c.jumped(p):
		return HoldClock
	default:
		return ""
	}
}

// jumped compares how far Redis's clock went between two probes with the least
// and the most that can have passed here.
func (c *contact) jumped(p probe) bool {
	went := p.redis.Sub(c.last.redis)
	least, most := p.sent.Sub(c.last.answered), p.answered.Sub(c.last.sent)
	return went < least-c.jump || went > most+c.jump
}

// trusted reports whether expiries are to be believed at now.
func (c *contact) trusted(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero() && now.Sub(c.last.answered) <= c.gap && now.Sub(c.since) >= c.wait
}

// warrant is what a settling on the strength of this contact must be held to:
// the Redis process that is trusted, and until when by its clock.
type warrant struct {
	runID  string
	latest int64 // milliseconds
}

// warrantAt gives a settling that begins at now the time within to happen. One
// that waits longer, in a paused Redis, say, must not happen at all.
func (c *contact) warrantAt(now time.Time, within time.Duration) warrant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return warrant{c.last.runID, c.last.redis.Add(now.Sub(c.last.answered) + within).UnixMilli()}
}

// fresh reports whether an answer came within the last d.
func (c *contact) fresh(now time.Time, d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero() && now.Sub(c.last.answered) <= d
}
