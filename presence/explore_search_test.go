package presence

import (
	"fmt"
	"strings"
	"time"
)

// scope is one bounded world to explore.
type scope struct {
	peers   int
	faults  faults
	nearest int // how many states are enough for a test, 0 for all
}

// explorer visits every state of a scope, nearest first.
type explorer struct {
	scope  scope
	oracle *oracle
	trust  [leaseTicks + 1]bool

	seen        map[world]struct{}
	nodes       []node // as in the order of visits
	transitions int

	met func(move) // is called with every transition, unless nil

	soundness map[imageID]string
	endings   map[imageID]ending
}

// node is how a state was reached first.
type node struct {
	from int32
	move move
}

// finding is what an exploration came to.
type finding struct {
	broken   string // the promise, or "" if none
	trace    []move // the shortest way there
	complete bool   // there is no other state
}

func newExplorer(s scope, o *oracle, hold time.Duration) *explorer {
	return &explorer{
		scope: s, oracle: o, trust: trust(hold),
		seen: map[world]struct{}{}, soundness: map[imageID]string{}, endings: map[imageID]ending{},
	}
}

// run explores until a promise is broken, there is nothing new, or enough is
// seen.
func (x *explorer) run(enough func(states int) bool) finding {
	start := newWorld(x.scope)
	x.seen[start] = struct{}{}
	x.nodes = append(x.nodes, node{from: -1})
	queue := []world{start}
	for at := int32(0); int(at) < len(x.nodes); at++ {
		w := queue[0]
		queue = queue[1:]
		for _, t := range x.steps(&w) {
			x.transitions++
			if x.met != nil {
				x.met(t.move)
			}
			if t.broken == "" {
				if _, known := x.seen[t.w]; known {
					continue
				}
				t.broken = x.check(&t.w)
			}
			x.seen[t.w] = struct{}{}
			x.nodes = append(x.nodes, node{from: at, move: t.move})
			queue = append(queue, t.w)
			if t.broken != "" {
				return finding{broken: t.broken, trace: x.trace(int32(len(x.nodes) - 1))}
			}
		}
		if enough(len(x.nodes)) {
			return finding{}
		}
	}
	return finding{complete: true}
}

// nearby is enough for a test.
func (x *explorer) nearby(states int) bool { return x.scope.nearest > 0 && states > x.scope.nearest }

func (x *explorer) trace(at int32) (out []move) {
	for ; x.nodes[at].from >= 0; at = x.nodes[at].from {
		out = append([]move{x.nodes[at].move}, out...)
	}
	return out
}

func (x *explorer) String() string {
	return fmt.Sprintf("%d states, %d transitions, %d situations of Redis, %d scripts run",
		len(x.nodes), x.transitions, len(x.oracle.images), len(x.oracle.answers))
}

func (f finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "broken: %s\n", f.broken)
	for i, m := range f.trace {
		fmt.Fprintf(&b, "%4d  %s\n", i+1, m)
	}
	return b.String()
}
