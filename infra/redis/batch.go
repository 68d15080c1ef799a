package redis

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// pipelineLength bounds one pipeline: beyond some hundred commands the saving
// per command is gone and the answers only wait for each other.
const pipelineLength = 200

// A Call is one run of a script, for [Client.RunAll].
type Call struct {
	Script *Script
	Keys   []string
	Args   []any
}

// RunAll runs many scripts in pipelines of at most [pipelineLength] commands,
// one after the other on each node, and returns their results in the order of
// calls. Each command carries its own error: in a cluster one node may be away.
func (c *Client) RunAll(ctx context.Context, calls []Call) []*goredis.Cmd {
	b := &batch{c: c, calls: calls, out: make([]*goredis.Cmd, len(calls))}
	pending := make([]int, len(calls))
	for i := range pending {
		pending[i] = i
	}
	until := time.Now().Add(insistBatchFor)
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		b.pass(ctx, pending)
		if pending = b.refused(pending); len(pending) == 0 || time.Now().After(until) {
			return b.out
		}
		c.Refresh(ctx)
		if !wait(ctx, pause) {
			return b.out
		}
	}
}

type batch struct {
	c     *Client
	calls []Call
	out   []*goredis.Cmd // each index is written by one goroutine at a time
}

// pass runs the calls at the given indices once.
func (b *batch) pass(ctx context.Context, indices []int) {
	byNode := map[*goredis.Client][]int{}
	for _, i := range indices {
		n, err := b.c.home(ctx, firstOf(b.calls[i].Keys))
		if err != nil {
			b.out[i] = failed(ctx, err)
			continue
		}
		byNode[n] = append(byNode[n], i)
	}
	var wg sync.WaitGroup
	for n, some := range byNode {
		wg.Go(func() { b.at(ctx, n, some) })
	}
	wg.Wait()
}

func failed(ctx context.Context, err error) *goredis.Cmd {
	cmd := goredis.NewCmd(ctx)
	cmd.SetErr(err)
	return cmd
}

// at runs calls on one node. When it does not answer a pipeline in time the
// others are not even sent: they would wait as long, one after the other.
func (b *batch) at(ctx context.Context, n *goredis.Client, indices []int) {
	var silence error
	for some := range slices.Chunk(indices, pipelineLength) {
		if silence != nil {
			for _, i := range some {
				b.out[i] = failed(ctx, silence)
			}
			continue
		}
		if err := b.send(ctx, n, some); isTimeout(err) {
			silence = err
		}
	}
}

// send runs calls in one pipeline and returns the first error.
func (b *batch) send(ctx context.Context, n *goredis.Client, indices []int) error {
	pipe := n.Pipeline()
	for _, i := range indices {
		call := b.calls[i]
		b.out[i] = pipe.Do(ctx, evalArgs("EVALSHA", b.c.variant(call.Script).sha, call.Keys, call.Args)...)
	}
	_, err := pipe.Exec(ctx)
	for _, i := range indices {
		what, _ := b.c.judge(b.out[i].Err())
		if isNoScript(b.out[i].Err()) || what == asked {
			b.out[i] = b.c.Run(ctx, b.calls[i].Script, b.calls[i].Keys, b.calls[i].Args...)
		}
	}
	return err
}

// refused keeps the indices of calls that certainly did not run.
func (b *batch) refused(indices []int) []int {
	var out []int
	for _, i := range indices {
		if what, _ := b.c.judge(b.out[i].Err()); what != final {
			out = append(out, i)
		}
	}
	return out
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
