package redis

import (
	"errors"
	"testing"
)

func TestAPipelineRefusesRatherThanGrows(t *testing.T) {
	t.Parallel()
	p := &pipeline{busy: lanes, waiting: make([]*errand, maxWaiting)}
	if err := p.do(t.Context(), []any{"PING"}).Err(); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	if n := len(p.waiting); n != maxWaiting {
		t.Errorf("%d wait", n)
	}
}
