package edge

import (
	"testing"
	"time"
)

func TestTheWorstOfTheLastMinuteIsTold(t *testing.T) {
	t.Parallel()
	var w worst
	began := time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		after     time.Duration
		add, want time.Duration
	}{
		{0, 0, 0},
		{time.Second, 300 * time.Millisecond, 300 * time.Millisecond},
		{2 * time.Second, 100 * time.Millisecond, 300 * time.Millisecond},
		{35 * time.Second, 200 * time.Millisecond, 300 * time.Millisecond},
		{59 * time.Second, 0, 300 * time.Millisecond},
		{70 * time.Second, 0, 200 * time.Millisecond},
		{100 * time.Second, 0, 0},
		{time.Hour, time.Second, time.Second},
		{time.Hour - time.Minute, 2 * time.Second, 2 * time.Second}, // a clock that went back
	} {
		now := began.Add(step.after)
		if step.add > 0 {
			w.add(now, step.add)
		}
		if got := w.of(now); got != step.want {
			t.Errorf("after %v: %v, want %v", step.after, got, step.want)
		}
	}
}
