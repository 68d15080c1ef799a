package presence

import "hash/fnv"

// fleet says which edges share the work and how early this one's turn comes in
// each partition. It does not change once made.
type fleet struct {
	edges []string
	ranks []int // by partition: how many edges come before this one
}

// newFleet orders the edges of each partition by rendezvous hashing: when one
// goes, only its partitions find a new first edge.
func newFleet(edge string, edges []string, partitions int) *fleet {
	f := &fleet{edges: edges, ranks: make([]int, partitions)}
	for p := range f.ranks {
		f.ranks[p] = rank(edge, edges, p)
	}
	return f
}

func rank(edge string, edges []string, partition int) int {
	mine, before := weight(edge, partition), 0
	for _, other := range edges {
		w := weight(other, partition)
		if other != edge && (w > mine || w == mine && other > edge) {
			before++
		}
	}
	return before
}

// weight must come out alike in every process. FNV alone hardly mixes its last
// bytes, so that neighbouring partitions would go to the same edge.
func weight(edge string, partition int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(edge))
	x := h.Sum64() + uint64(partition)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
