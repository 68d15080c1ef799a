package redis

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// insistFor bounds how long a command is repeated that certainly did not
	// run: multi-key scripts wait so long while their slot moves, and a shard
	// without a master has found one by then.
	insistFor = 60 * time.Second

	// insistBatchFor is the same for a batch, whose callers come again anyway
	// and must not be held up by one slot of many.
	insistBatchFor = time.Second

	// minPause and maxPause bound the pause between two attempts.
	minPause = 5 * time.Millisecond
	maxPause = 250 * time.Millisecond
)

// verdict is what an error says about running the same command again.
type verdict int

const (
	final verdict = iota // it ran, may have run, or never will
	later                // it did not run, and may run soon
	moved                // it did not run: another node owns the slot
	asked                // it did not run: another node has the key already
)

// refusals begin the answers of a server that has not run the command and may
// soon run it, or find somebody who does.
var refusals = []string{"TRYAGAIN ", "CLUSTERDOWN ", "LOADING ", "MASTERDOWN ", "READONLY "}

// judge tells what can be done about err. With moved and asked comes an
// address.
func (c *Client) judge(err error) (verdict, string) {
	switch {
	case err == nil:
		return final, ""
	case isServerError(err):
		what, addr := judgeAnswer(err)
		if addr != "" && c.cluster == nil {
			return final, "" // a server that became a cluster's node; the next start will know
		}
		return what, addr
	case c.cluster == nil, c.cluster.closed.Load():
		return final, "" // there is nobody else to ask
	case errors.Is(err, goredis.ErrClosed), isDialError(err):
		return later, ""
	default:
		return final, ""
	}
}

func judgeAnswer(err error) (verdict, string) {
	if addr, ok := goredis.IsMovedError(err); ok {
		return moved, addr
	}
	if addr, ok := goredis.IsAskError(err); ok {
		return asked, addr
	}
	text := err.Error()
	if strings.Contains(text, "script: ") {
		return final, "" // a command inside a script was refused, and others before it were not
	}
	for _, word := range refusals {
		if strings.HasPrefix(text, word) {
			return later, ""
		}
	}
	return final, ""
}

// isDialError reports that no connection was made, so that nothing was sent.
func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// insist repeats what ended with err as long as it certainly did not run. once
// runs it at the given node, or wherever it belongs if that is nil, and returns
// its error.
func (c *Client) insist(ctx context.Context, err error, once func(n *goredis.Client, asking bool) error) error {
	until := time.Now().Add(insistFor)
	for attempt, pause := 0, minPause; ; attempt++ {
		what, addr := c.judge(err)
		if what == final {
			return err
		}
		c.Refresh(ctx)
		// A redirection is followed at once; a second one, or none, needs time.
		if what == later || attempt > 1 {
			if time.Now().After(until) || !wait(ctx, pause) {
				return err
			}
			pause = min(2*pause, maxPause)
		}
		var n *goredis.Client
		if what == moved || what == asked {
			n = c.cluster.at(addr)
		}
		err = once(n, what == asked && n != nil)
	}
}

// wait returns after d, or false when ctx is done before.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// run runs one command where its key lives, sharing that node's pipeline.
func (c *Client) run(ctx context.Context, key string, args []any) *goredis.Cmd {
	var cmd *goredis.Cmd
	once := func(n *goredis.Client, asking bool) error {
		cmd = c.runOnce(ctx, n, asking, key, args)
		return cmd.Err()
	}
	if err := once(nil, false); err != nil {
		cmd.SetErr(c.insist(ctx, err, once))
	}
	return cmd
}

func (c *Client) runOnce(ctx context.Context, n *goredis.Client, asking bool, key string, args []any) *goredis.Cmd {
	if n == nil {
		var err error
		if n, err = c.home(ctx, key); err != nil {
			return failed(ctx, err)
		}
	}
	if asking {
		cmd := goredis.NewCmd(ctx, args...)
		_ = askThen(ctx, n, cmd)
		return cmd
	}
	return c.shared.at(n).do(ctx, args)
}

// askThen runs commands at a node that is taking their slot over.
func askThen(ctx context.Context, n *goredis.Client, cmds ...goredis.Cmder) error {
	pipe := n.Pipeline()
	for _, cmd := range cmds {
		_ = pipe.Process(ctx, goredis.NewCmd(ctx, "ASKING"))
		_ = pipe.Process(ctx, cmd)
	}
	_, err := pipe.Exec(ctx)
	return err
}

// redirects makes single commands and pipelines of the cluster's go-redis
// client go where they belong.
type redirects struct{ k *cluster }

func (redirects) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (r redirects) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	c := &Client{cluster: r.k}
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil {
			return nil
		}
		return c.insist(ctx, err, func(n *goredis.Client, asking bool) error {
			switch {
			case n == nil:
				return next(ctx, cmd)
			case asking:
				_ = askThen(ctx, n, cmd)
				return cmd.Err()
			default:
				return n.Process(ctx, cmd)
			}
		})
	}
}

func (r redirects) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	c := &Client{cluster: r.k}
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			if what, _ := c.judge(cmd.Err()); what != final {
				_ = r.k.rdb.Process(ctx, cmd) // the command carries its own error
			}
		}
		if err == nil {
			return nil
		}
		for _, cmd := range cmds {
			if cmd.Err() != nil {
				return cmd.Err()
			}
		}
		return nil
	}
}
