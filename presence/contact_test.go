package presence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// clockwork plays a Redis and an edge whose clocks a test moves.
type clockwork struct {
	here, there time.Time
	runID       string
}

func (c *clockwork) pass(d time.Duration) { c.here, c.there = c.here.Add(d), c.there.Add(d) }

func (c *clockwork) probe() probe {
	p := probe{sent: c.here, redis: c.there.Add(time.Millisecond), runID: c.runID}
	c.pass(2 * time.Millisecond)
	p.answered = c.here
	return p
}

func TestOnlyUnbrokenContactForAWholeLeaseIsTrusted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		do   func(c *clockwork)
		want HoldReason
	}{
		{"nothing special", func(*clockwork) {}, ""},
		{"four seconds of silence", func(c *clockwork) { c.pass(4 * time.Second) }, ""},
		{"six seconds of silence", func(c *clockwork) { c.pass(6 * time.Second) }, HoldGap},
		{"another process", func(c *clockwork) { c.runID = "b" }, HoldRestart},
		{"a clock that lags a little", func(c *clockwork) { c.there = c.there.Add(-500 * time.Millisecond) }, ""},
		{"a clock set forward", func(c *clockwork) { c.there = c.there.Add(time.Minute) }, HoldClock},
		{"a clock set back", func(c *clockwork) { c.there = c.there.Add(-time.Minute) }, HoldClock},
		{"an edge that was suspended", func(c *clockwork) { c.there = c.there.Add(30 * time.Second) }, HoldClock},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			w := &clockwork{here: time.Unix(1000, 0), there: time.Unix(5000, 0), runID: "a"}
			k := &contact{gap: 5 * time.Second, jump: time.Second, wait: 120 * time.Second}
			if got := steady(k, w, 121); got != "[]" || !k.trusted(w.here) {
				t.Fatalf("after two minutes: %s, trusted %v", got, k.trusted(w.here))
			}
			c.do(w)
			if got := k.heard(w.probe()); got != c.want || k.trusted(w.here) != (got == "") {
				t.Fatalf("got %q, trusted %v; want %q", got, k.trusted(w.here), c.want)
			}
			if c.want == "" {
				return
			}
			steady(k, w, 118)
			if k.trusted(w.here) {
				t.Fatal("trusted again before a whole lease has passed")
			}
			if steady(k, w, 4); !k.trusted(w.here) {
				t.Fatal("not trusted after a whole lease")
			}
		})
	}
}

// steady lets seconds pass with a probe each, and returns what broke.
func steady(k *contact, w *clockwork, seconds int) string {
	broken := []HoldReason{}
	for range seconds {
		if reason := k.heard(w.probe()); reason != "" {
			broken = append(broken, reason)
		}
		w.pass(time.Second)
	}
	return fmt.Sprint(broken)
}

func TestNobodyIsTrustedBeforeTheFirstContactOrDuringSilence(t *testing.T) {
	t.Parallel()
	w := &clockwork{here: time.Unix(1000, 0), there: time.Unix(5000, 0)}
	k := &contact{gap: 5 * time.Second, jump: time.Second, wait: 10 * time.Second}
	if k.trusted(w.here) {
		t.Fatal("trusted at once")
	}
	steady(k, w, 12)
	w.pass(6 * time.Second)
	if k.trusted(w.here) {
		t.Fatal("trusted although Redis has been silent for longer than a gap")
	}
}

func TestL1_ASettlingHappensOnlyUnderItsWarrant(t *testing.T) {
	t.Parallel()
	b := newBench(t, short)
	h := b.attach(b.session("p1"))
	b.expire(h.Peer)
	now := b.redisNow().UnixMilli()
	own, err := runID(t.Context(), b.node())
	b.must(err)
	for name, held := range map[string]warrant{
		"another process took over":   {runID: strings.Repeat("0", 40), latest: now + 60_000},
		"it waited in a paused Redis": {runID: own, latest: now - 1},
	} {
		call := b.store.settling(h.Peer, held)
		answer, err := b.rdb.Run(t.Context(), call.Script, call.Keys, call.Args...).StringSlice()
		b.must(err)
		if len(answer) != 0 {
			t.Errorf("%s, and settled: %q", name, answer)
		}
	}
	call := b.store.settling(h.Peer, warrant{runID: own, latest: now + 60_000})
	answer, err := b.rdb.Run(t.Context(), call.Script, call.Keys, call.Args...).StringSlice()
	b.must(err)
	if left, ok := parseLeft(h.Peer, answer); !ok || left.ID != h.ID {
		t.Errorf("under its warrant: %q", answer)
	}
}

// node is the one node of a private server.
func (b *bench) node() redis.Node {
	b.Helper()
	nodes, err := b.rdb.Masters(b.Context())
	b.must(err)
	return nodes[0]
}
