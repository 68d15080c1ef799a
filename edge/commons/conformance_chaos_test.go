package commons_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	dyingFor   = 12 * time.Second
	killEvery  = 900 * time.Millisecond
	scheduled  = 60
	dyingLease = 3 * time.Second
)

// dying is a fleet whose edges are killed one after the other, and what one
// peer, who always comes back, has heard of all of it. What comes again has the
// same id, and counts once.
type dying struct {
	t     *testing.T
	rand  *rand.Rand
	edges []*edgetest.Edge
	at    int // the edge of bob
	bob   *edgetest.Peer

	texts map[string]map[string]bool // of scheduled messages: ids
	ticks map[int64]map[string]bool  // by number: ids
}

// TestNothingIsMissedOrDoneTwiceWhileEdgesDie kills edges under a clock, under
// schedules and under subscriptions. Every message is sent once, every tick
// told once, and no subscription is left of peers that did not come back.
func TestNothingIsMissedOrDoneTwiceWhileEdgesDie(t *testing.T) {
	t.Parallel()
	d := newDying(t)
	ana := d.bob.Member.Mesh.Session(d.edges[1], "ana")
	d.plan(ana)
	ask[*wire.ClockStatus](ana, &wire.SetClock{Speed: 100, ReqID: reqID()})
	look, kill, end := time.NewTicker(50*time.Millisecond), time.NewTicker(killEvery), time.After(dyingFor)
	defer look.Stop()
	defer kill.Stop()
	for dead := 0; ; {
		select {
		case <-look.C:
			d.listen()
			continue
		case <-kill.C:
			d.kill()
			dead++
			continue
		case <-end:
		}
		t.Logf("%d edges killed", dead)
		break
	}
	edgetest.Eventually(t, func() error {
		d.listen()
		if n := len(d.texts); n < scheduled {
			return fmt.Errorf("%d of %d scheduled messages have come", n, scheduled)
		}
		return nil
	})
	d.check()
}

func newDying(t *testing.T) *dying {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := &dying{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), texts: map[string]map[string]bool{}, ticks: map[int64]map[string]bool{},
	}
	one, other := edges(t, edgetest.WithLease(dyingLease))
	d.edges = []*edgetest.Edge{one, other, d.another(one)}
	d.bob = one.NewMesh().Session(one, "bob")
	return d
}

func (d *dying) another(e *edgetest.Edge) *edgetest.Edge {
	return edgetest.Start(d.t, edgetest.WithRedis(e.Redis), edgetest.WithLease(dyingLease))
}

// plan schedules messages over the time of dying, to bob and to everybody.
func (d *dying) plan(ana *edgetest.Peer) {
	for i := range scheduled {
		to := "*"
		if i%2 == 0 {
			to = d.bob.Key()
		}
		schedule(ana, to, fmt.Sprint("message ", i), time.Duration(d.rand.Int64N(int64(dyingFor))))
	}
}

// kill ends an edge, with peers that subscribed to something there and do not
// come back, and starts another one.
func (d *dying) kill() {
	i := d.rand.IntN(len(d.edges))
	m := d.bob.Member.Mesh
	ask[*wire.Subscribed](m.Session(d.edges[i], "eve"), &wire.Subscribe{Stream: "logs", ReqID: reqID()})
	lost := m.Session(d.edges[i], "eve")
	ask[*wire.Subscribed](lost, &wire.Subscribe{Stream: "logs", ReqID: reqID()})
	lost.Cut()
	d.edges[i].Kill()
	d.edges[i] = d.another(d.edges[i])
	if i != d.at {
		return
	}
	d.listen()
	d.at = d.rand.IntN(len(d.edges))
	d.bob = d.bob.Again(d.edges[d.at])
}

// listen takes what bob has heard.
func (d *dying) listen() {
	for _, f := range d.bob.Frames() {
		p, ok := f.(*wire.Push)
		switch {
		case !ok:
		case p.Event == wire.EventTick:
			var e wire.TickEvent
			if err := json.Unmarshal(p.EventData, &e); err != nil {
				d.t.Fatal(err)
			}
			note(d.ticks, e.Tick, p.MessageID)
		case !p.IsEvent():
			d.bob.AckMessage(p)
			note(d.texts, edgetest.Text(p), p.MessageID)
		}
	}
}

func note[K comparable](all map[K]map[string]bool, key K, id string) {
	if all[key] == nil {
		all[key] = map[string]bool{}
	}
	all[key][id] = true
}

func (d *dying) check() {
	d.bob.Settle()
	d.listen()
	for text, ids := range d.texts {
		if len(ids) != 1 {
			d.t.Errorf("%q was sent %d times", text, len(ids))
		}
	}
	last := int64(0)
	for n, ids := range d.ticks {
		if last = max(last, n); len(ids) != 1 {
			d.t.Errorf("tick %d was told %d times", n, len(ids))
		}
	}
	for n := int64(1); n <= last; n++ {
		if d.ticks[n] == nil {
			d.t.Errorf("nobody told of tick %d of %d", n, last)
		}
	}
	if least := int64(dyingFor / (time.Minute / 100) / 2); last < least {
		d.t.Errorf("%d ticks, fewer than %d", last, least)
	}
	ana := d.bob.Member.Mesh.Session(d.edges[0], "ana")
	if l := ask[*wire.ScheduledList](ana, &wire.ListScheduled{ReqID: reqID()}).Messages; len(l) > 0 {
		d.t.Errorf("still scheduled: %+v", l)
	}
	edgetest.Eventually(d.t, d.tidy)
	d.t.Logf("%d messages, %d ticks", len(d.texts), last)
}

// tidy reports who still has subscriptions and did not come back.
func (d *dying) tidy() error {
	m, redis := d.bob.Member.Mesh, d.edges[0].Client
	left, err := redis.Raw().HLen(d.t.Context(), "commons:"+redis.Tag(m.ID)+":"+m.ID+":subscription").Result()
	if left > 0 {
		return fmt.Errorf("%d peers still have subscriptions", left)
	}
	return err
}
