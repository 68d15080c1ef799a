package main

import (
	"testing"
	"time"
)

func TestTheMiddleAndTheTailAreThoseOfTheSortedRuns(t *testing.T) {
	t.Parallel()
	var samples []sample
	for i := 100; i > 0; i-- {
		samples = append(samples, sample{time.Duration(i) * time.Millisecond, int64(i) << 20})
	}
	if got := percentile(samples, 50); got != 50*time.Millisecond {
		t.Errorf("median %v", got)
	}
	if got := percentile(samples, 90); got != 90*time.Millisecond {
		t.Errorf("90th %v", got)
	}
	if got := megabytes(samples); got != 50 {
		t.Errorf("memory %v", got)
	}
	if got := ms(1234 * time.Microsecond); got != "1.2 ms" {
		t.Errorf("%s", got)
	}
}
