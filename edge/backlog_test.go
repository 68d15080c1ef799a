package edge

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// shown is a gauge that tells what it shows.
type shown struct {
	prometheus.Gauge
	value float64
}

func (s *shown) Set(v float64) { s.value = v }

func TestTheDepthOfTheFullestLaneIsShownUntilARoundHasSeenLess(t *testing.T) {
	t.Parallel()
	gauge := &shown{}
	d := &depth{gauge: gauge, round: 3}
	for i, step := range []struct {
		saw  int64
		want float64
	}{
		{2, 2}, {7, 7}, {0, 7}, // the first round
		{0, 7}, {9, 9}, {0, 9}, // fuller
		{1, 9}, {0, 9}, {0, 1}, // emptied: known when the round is over
	} {
		if d.saw(step.saw); gauge.value != step.want {
			t.Errorf("step %d: shows %v, want %v", i, gauge.value, step.want)
		}
	}
}
