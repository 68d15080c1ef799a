package commons

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// What lists and searches read is much more than what asks for it: a search
// looks at up to 4 MiB. So a member has a budget of bytes on each edge.
const (
	readBurst     = 128 << 20
	readPerSecond = 16 << 20

	// readersKept bounds the budgets in memory; those that are full again go.
	readersKept = 4096
)

// walks are the requests that look at a whole shelf, and change nothing.
var walks = map[wire.Type]bool{
	wire.TypeRecall: true, wire.TypeListTasks: true, wire.TypeListSkills: true, wire.TypeListState: true, wire.TypeGetContext: true,
	wire.TypeListContexts: true, wire.TypeListScheduled: true, wire.TypeMCPList: true, wire.TypeMeshInfo: true,
}

// budgets are what members may still have read here.
type budgets struct {
	mu sync.Mutex
	of map[string]*rate.Limiter // by mesh and member
}

func (b *budgets) get(who *Caller) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := who.Peer.Mesh + " " + who.Member.Key
	l := b.of[name]
	if l == nil {
		if len(b.of) >= readersKept {
			b.forgetFull()
		}
		l = rate.NewLimiter(readPerSecond, readBurst)
		b.of[name] = l
	}
	return l
}

func (b *budgets) forgetFull() {
	for name, l := range b.of {
		if l.Tokens() >= readBurst {
			delete(b.of, name)
		}
	}
}

type meterKey struct{}

// metered refuses a walk of a member that has spent its budget. Otherwise spend
// is to be called when the request has been answered.
func (s *Commons) metered(ctx context.Context, who *Caller, t wire.Type) (metered context.Context, spend func(), err error) {
	if !walks[t] {
		return ctx, func() {}, nil
	}
	l := s.budgets.get(who)
	if l.Tokens() <= 0 {
		return ctx, nil, errTooFast
	}
	read := new(atomic.Int64)
	return context.WithValue(ctx, meterKey{}, read), func() {
		l.ReserveN(time.Now(), int(min(read.Load(), readBurst)))
	}, nil
}

// meter notes what was read.
func meter(ctx context.Context, all map[string]string) {
	read, ok := ctx.Value(meterKey{}).(*atomic.Int64)
	if !ok {
		return
	}
	for field, value := range all {
		read.Add(int64(len(field) + len(value)))
	}
}
