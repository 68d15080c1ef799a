package edge

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// A depth is how full the fullest lane is that this edge has seen on its rounds
// through all partitions: of the last whole round, or of the one under way
// where that has seen a fuller one.
type depth struct {
	gauge       prometheus.Gauge
	seen        int64 // on the round under way
	last        int64 // of the round before
	step, round int   // partitions looked at, and how many make a round
}

// saw takes what one partition holds.
func (d *depth) saw(n int64) {
	d.seen = max(d.seen, n)
	if d.step++; d.step >= d.round {
		d.last, d.seen, d.step = d.seen, 0, 0
	}
	d.gauge.Set(float64(max(d.seen, d.last)))
}

// measure looks how much waits in one partition.
func (s *Server) measure(ctx context.Context, d *depth, partition int) {
	n, err := s.queue.Backlog(ctx, partition)
	if err != nil {
		s.log.DebugContext(ctx, "measure what waits", "partition", partition, "err", err)
		return
	}
	d.saw(n)
}
