package redis

import (
	"context"
	"errors"
	"testing"

	goredis "github.com/redis/go-redis/v9"
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

func TestACommitterRefusesRatherThanGrows(t *testing.T) {
	t.Parallel()
	k := &committer{running: true, waiting: make([]*write, maxWaiting)}
	if err := k.submit(&write{ctx: t.Context()}); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	if n := len(k.waiting); n != maxWaiting {
		t.Errorf("%d wait", n)
	}
}

func TestAWriteWhoseSenderGaveUpIsNotSent(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	node := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1", MaxRetries: -1}) // nobody is there
	defer node.Close()
	w := &write{ctx: gone, cmd: goredis.NewCmd(gone, "INCR", "x"), mark: "m", done: make(chan struct{})}
	(&committer{node: node}).commit(t.Context(), []*write{w})
	<-w.done
	if err := w.cmd.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
