package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// ErrUnconfirmed says that a script ran, but not enough replicas said in time
// that they have what it wrote: a fail-over now could undo it. Running it again
// asks them again.
var ErrUnconfirmed = errors.New("redis: not confirmed by enough replicas")

const (
	// confirmWithin is how long replicas have to confirm.
	confirmWithin = 2 * time.Second

	// confirmedTTL is how long the key lives whose writing is waited for.
	confirmedTTL = time.Minute
)

// RunDurable is [Client.Run] that returns when replicas have what the script
// wrote, and everything written on that node before: its answer may be an older
// message's. Concurrent calls wait together. With replicas 0 it is Run.
func (c *Client) RunDurable(ctx context.Context, replicas int, s *Script, keys []string, args ...any) *goredis.Cmd {
	if replicas <= 0 {
		return c.Run(ctx, s, keys, args...)
	}
	v := c.variant(s)
	cmd := c.runDurable(ctx, replicas, keys, evalArgs("EVALSHA", v.sha, keys, args))
	if isNoScript(cmd.Err()) {
		return c.runDurable(ctx, replicas, keys, evalArgs("EVAL", v.source, keys, args))
	}
	return cmd
}

func (c *Client) runDurable(ctx context.Context, replicas int, keys []string, args []any) *goredis.Cmd {
	var cmd *goredis.Cmd
	once := func(n *goredis.Client, asking bool) error {
		cmd = goredis.NewCmd(ctx, args...)
		if n == nil {
			var err error
			if n, err = c.home(ctx, firstOf(keys)); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		w := &write{ctx: ctx, cmd: cmd, asking: asking, mark: "confirm:" + TagOf(firstOf(keys)), replicas: replicas, done: make(chan struct{})}
		if err := c.confirm.at(n).submit(w); err != nil {
			cmd.SetErr(err)
			return err
		}
		select {
		case <-w.done:
			return cmd.Err()
		case <-ctx.Done():
			cmd = failed(ctx, ctx.Err()) // the other one is still in use
			return ctx.Err()
		}
	}
	if err := once(nil, false); err != nil {
		cmd.SetErr(c.insist(ctx, err, once))
	}
	return cmd
}

// committers holds one committer for each node.
type committers struct {
	mu     sync.Mutex
	byNode map[*goredis.Client]*committer
}

func (s *committers) at(n *goredis.Client) *committer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byNode == nil {
		s.byNode = map[*goredis.Client]*committer{}
	}
	k := s.byNode[n]
	if k == nil {
		k = &committer{node: n}
		s.byNode[n] = k
	}
	return k
}

// A committer sends writes of one node in pipelines that end with WAIT. While
// one is under way the next gathers, so that many writes wait together.
type committer struct {
	node *goredis.Client

	mu      sync.Mutex
	waiting []*write
	running bool
}

// write is one script to be confirmed. It belongs to the committer until done.
type write struct {
	ctx      context.Context // of the caller, who may have gone
	cmd      *goredis.Cmd
	asking   bool
	mark     string // a key in the slot of the script's keys
	replicas int
	done     chan struct{} // closed when cmd has its answer
}

// submit has a script committed, or returns [ErrBusy].
func (k *committer) submit(w *write) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) >= maxWaiting {
		return ErrBusy
	}
	k.waiting = append(k.waiting, w)
	if !k.running {
		k.running = true
		go k.work(context.WithoutCancel(w.ctx)) // it works for others, too
	}
	return nil
}

// work commits until nobody waits.
func (k *committer) work(ctx context.Context) {
	for {
		k.mu.Lock()
		n := min(len(k.waiting), pipelineLength)
		group := k.waiting[:n:n]
		k.waiting = k.waiting[n:]
		k.running = n > 0
		k.mu.Unlock()
		if n == 0 {
			return
		}
		k.commit(ctx, group)
	}
}

// commit runs a group and has it confirmed on the same connection. The mark is
// written because servers differ in what WAIT waits for after a script that
// wrote nothing: a repeat has to wait for what it repeats.
func (k *committer) commit(ctx context.Context, group []*write) {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	pipe := k.node.Pipeline()
	replicas := 0
	for _, w := range group {
		if err := w.ctx.Err(); err != nil {
			w.cmd.SetErr(err)
			continue // its sender has been told that it failed
		}
		if w.asking {
			_ = pipe.Process(ctx, goredis.NewCmd(ctx, "ASKING"))
		}
		_ = pipe.Process(ctx, w.cmd)
		if w.asking {
			_ = pipe.Process(ctx, goredis.NewCmd(ctx, "ASKING"))
		}
		pipe.Set(ctx, w.mark, 1, confirmedTTL)
		replicas = max(replicas, w.replicas)
	}
	confirmed := pipe.Do(ctx, "WAIT", replicas, confirmWithin.Milliseconds())
	_, _ = pipe.Exec(ctx) // each command carries its own error
	got, err := confirmed.Int()
	for _, w := range group {
		if w.cmd.Err() == nil && (err != nil || got < w.replicas) {
			w.cmd.SetErr(unconfirmed(got, w.replicas, err))
		}
		close(w.done)
	}
}

func unconfirmed(got, want int, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s", ErrUnconfirmed, err.Error()) // not its kind: the script did run
	}
	return fmt.Errorf("%w: %d of %d", ErrUnconfirmed, got, want)
}
