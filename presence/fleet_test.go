package presence

import (
	"slices"
	"strconv"
	"testing"
)

func TestEachPartitionHasOneOrderThatAllEdgesAgreeOn(t *testing.T) {
	t.Parallel()
	edges := []string{"a", "b", "c", "d", "e"}
	first := map[string]int{}
	fleets := make([]*fleet, len(edges))
	for i, e := range edges {
		fleets[i] = newFleet(e, edges, 1000)
	}
	for p := range 1000 {
		var ranks []int
		for i, f := range fleets {
			ranks = append(ranks, f.ranks[p])
			if f.ranks[p] == 0 {
				first[edges[i]]++
			}
		}
		if slices.Sort(ranks); !slices.Equal(ranks, []int{0, 1, 2, 3, 4}) {
			t.Fatalf("partition %d: ranks %v", p, ranks)
		}
	}
	for e, n := range first {
		if n < 120 || n > 280 {
			t.Errorf("%s comes first in %d of 1000 partitions, want about 200", e, n)
		}
	}
}

func TestWhenAnEdgeGoesOnlyItsPartitionsChangeHands(t *testing.T) {
	t.Parallel()
	all := []string{"a", "b", "c", "d"}
	for i, e := range all[:3] {
		with, without := newFleet(e, all, 1000), newFleet(e, all[:3], 1000)
		gone := newFleet("d", all, 1000)
		for p := range 1000 {
			if with.ranks[p] != 0 && without.ranks[p] == 0 && gone.ranks[p] != 0 {
				t.Fatalf("edge %d took over partition %d, which was not the gone edge's", i, p)
			}
		}
	}
}

func BenchmarkFleet(b *testing.B) {
	var edges []string
	for i := range 100 {
		edges = append(edges, "edge"+strconv.Itoa(i))
	}
	for b.Loop() {
		newFleet("edge1", edges, 1024)
	}
}
