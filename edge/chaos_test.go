package edge_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// chaos is a small fleet and some peers to which everything happens.
type chaos struct {
	t     *testing.T
	rand  *rand.Rand
	edges []*edgetest.Edge
	peers []*edgetest.Peer
	at    []*edgetest.Edge      // where each peer is
	got   [][]string            // texts that each peer was given
	want  []map[string][]string // direct messages that each peer must get, by sender
	all   []string              // broadcasts of the first peer
}

// TestPromisesHoldWhateverHappens drives a fleet with random sends, cuts,
// moves, killed edges and lost subscriptions. L1: nobody is seen leaving. L4,
// Q1, Q3: what was acked arrives, in order. The seed is in the test's name.
func TestPromisesHoldWhateverHappens(t *testing.T) {
	t.Parallel()
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			c := newChaos(t, seed)
			watcher := c.peers[0].Member.Mesh.Session(edgetest.Start(t, edgetest.WithRedis(c.edges[0].Redis)), "watcher")
			watcher.Pushes()
			for range 80 {
				c.step()
			}
			c.check()
			for _, p := range watcher.Pushes() {
				if p.IsEvent() {
					t.Errorf("somebody saw %s: %s", p.Event, p.EventData)
				}
			}
		})
	}
}

func newChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	one, other := two(t)
	c := &chaos{t: t, rand: rand.New(rand.NewPCG(seed, 0)), edges: []*edgetest.Edge{one, other}}
	m := one.NewMesh()
	for i := range 4 {
		c.peers = append(c.peers, m.Session(c.edges[i%2], fmt.Sprint("peer", i)))
		c.at = append(c.at, c.edges[i%2])
		c.want = append(c.want, map[string][]string{})
	}
	c.got = make([][]string, len(c.peers))
	return c
}

func (c *chaos) edge() *edgetest.Edge { return c.edges[c.rand.IntN(len(c.edges))] }

func (c *chaos) step() {
	i, j := c.rand.IntN(len(c.peers)), c.rand.IntN(len(c.peers))
	switch n := c.rand.IntN(100); {
	case n < 50 && i != j:
		text := fmt.Sprintf("%d>%d %d", i, j, len(c.want[j][c.peers[i].Key()]))
		if c.say(i, c.peers[j].Key(), text) {
			c.want[j][c.peers[i].Key()] = append(c.want[j][c.peers[i].Key()], text)
		}
	case n < 70:
		text := fmt.Sprint("all ", len(c.all))
		if c.say(0, "*", text) {
			c.all = append(c.all, text)
		}
	case n < 80:
		c.take(i)
		c.peers[i].Cut()
		c.back(i)
	case n < 88:
		c.back(i) // takes over from itself
	case n < 92:
		c.replaceEdge()
	case n < 95:
		_ = c.edge().Client.Raw().Do(c.t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err()
	default:
		c.take(i)
	}
}

// say sends with the client's usual patience: the same id until it is acked.
func (c *chaos) say(i int, target, text string) bool {
	id := wire.NewID(wire.LongID)
	deadline := time.Now().Add(edgetest.Patience)
	for time.Now().Before(deadline) {
		ack := c.peers[i].Message(target, text, func(s *wire.Send) { s.ClientMessageID = id })
		if ack.Queued {
			return true
		}
	}
	c.t.Errorf("%s was never acked", text)
	return false
}

// back opens a peer anew, somewhere.
func (c *chaos) back(i int) {
	old := c.peers[i]
	c.at[i] = c.edge()
	c.peers[i] = old.Again(c.at[i])
	if !c.peers[i].Ack.Resumed {
		c.t.Errorf("peer %d was not resumed", i)
	}
	old.Closed()
	c.collect(i, old.Frames())
}

func (c *chaos) replaceEdge() {
	k := c.rand.IntN(len(c.edges))
	dead := c.edges[k]
	dead.Kill()
	c.edges[k] = edgetest.Start(c.t, edgetest.WithRedis(dead.Redis))
	for i := range c.peers {
		if c.at[i] == dead {
			c.back(i)
		}
	}
}

// take collects and acks what a peer has been given so far.
func (c *chaos) take(i int) { c.collect(i, c.peers[i].Frames()) }

func (c *chaos) collect(i int, frames []wire.Message) {
	for _, f := range frames {
		if p, ok := f.(*wire.Push); ok && !p.IsEvent() {
			c.got[i] = append(c.got[i], edgetest.Text(p))
			c.peers[i].AckMessage(p)
		}
	}
}

func (c *chaos) check() {
	for i := range c.peers {
		c.peers[i].Settle()
		c.take(i)
		first := firsts(c.got[i])
		for sender, want := range c.want[i] {
			got := slices.DeleteFunc(slices.Clone(first), func(s string) bool { return !slices.Contains(want, s) })
			if !slices.Equal(got, want) {
				c.t.Errorf("peer %d from %.8s:\ngot  %q\nwant %q", i, sender, got, want)
			}
		}
		if i == 0 {
			continue // its own broadcasts
		}
		got := slices.DeleteFunc(slices.Clone(first), func(s string) bool { return !slices.Contains(c.all, s) })
		if !slices.Equal(got, c.all) {
			c.t.Errorf("peer %d: broadcasts\ngot  %q\nwant %q", i, got, c.all)
		}
	}
}

// firsts drops repeats.
func firsts(texts []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(texts), func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}
