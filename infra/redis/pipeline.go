package redis

import (
	"context"
	"errors"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// lanes is how many pipelines of shared commands are under way to one node at
// a time. With more of them fewer commands share one; with a single one a
// connection that hangs would hold up everybody.
const lanes = 2

// maxWaiting bounds the commands that wait for a lane to one node. They are
// many times what a node can answer before those who ask give up.
const maxWaiting = 1 << 16

// ErrBusy refuses a command because too many wait for the same node. It was not
// sent.
var ErrBusy = errors.New("redis: too many commands wait")

// pipelines holds one pipeline for each node.
type pipelines struct {
	mu     sync.Mutex
	byNode map[*goredis.Client]*pipeline
}

func (s *pipelines) at(n *goredis.Client) *pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byNode == nil {
		s.byNode = map[*goredis.Client]*pipeline{}
	}
	p := s.byNode[n]
	if p == nil {
		p = &pipeline{node: n}
		s.byNode[n] = p
	}
	return p
}

// A pipeline has concurrent callers share round trips. While all lanes are
// taken the next commands gather; a command that finds one free waits for
// nobody. (The one of go-redis takes no command by name: it runs each of them
// on a connection of its own.)
type pipeline struct {
	node *goredis.Client

	mu      sync.Mutex
	waiting []*errand
	busy    int // lanes taken
}

// An errand is one command that waits for a lane. The command belongs to the
// pipeline until done.
type errand struct {
	ctx  context.Context // of the caller, who may have gone
	cmd  *goredis.Cmd
	done chan struct{} // closed when cmd has its answer
}

// do runs one command.
func (p *pipeline) do(ctx context.Context, args []any) *goredis.Cmd {
	cmd := goredis.NewCmd(ctx, args...)
	p.mu.Lock()
	if p.busy < lanes {
		p.busy++
		p.mu.Unlock()
		_ = p.node.Process(ctx, cmd) // the command carries its own error
		p.goOn(ctx)
		return cmd
	}
	if len(p.waiting) >= maxWaiting {
		p.mu.Unlock()
		return failed(ctx, ErrBusy)
	}
	e := &errand{ctx: ctx, cmd: cmd, done: make(chan struct{})}
	p.waiting = append(p.waiting, e)
	p.mu.Unlock()
	select {
	case <-e.done:
		return cmd
	case <-ctx.Done():
		return failed(ctx, ctx.Err()) // the other one may be in use
	}
}

// goOn hands a lane over to those who wait, or gives it back.
func (p *pipeline) goOn(ctx context.Context) {
	if group := p.next(); len(group) > 0 {
		go p.work(context.WithoutCancel(ctx), group) // it works for others
	}
}

// next takes those who wait. Where nobody does the lane is free.
func (p *pipeline) next() []*errand {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.waiting), pipelineLength)
	if n == 0 {
		p.busy--
		p.waiting = nil
		return nil
	}
	group := p.waiting[:n:n]
	p.waiting = p.waiting[n:]
	return group
}

// work keeps a lane until nobody waits.
func (p *pipeline) work(ctx context.Context, group []*errand) {
	for ; len(group) > 0; group = p.next() {
		p.run(ctx, group)
	}
}

// run sends the commands of those who still wait, and tells all.
func (p *pipeline) run(ctx context.Context, group []*errand) {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	pipe := p.node.Pipeline()
	for _, e := range group {
		if err := e.ctx.Err(); err != nil {
			e.cmd.SetErr(err)
			continue
		}
		_ = pipe.Process(ctx, e.cmd)
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	for _, e := range group {
		close(e.done)
	}
}
