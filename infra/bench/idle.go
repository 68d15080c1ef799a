package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// idlePerMesh is how many peers a mesh has, as README's arithmetic assumes.
	idlePerMesh = 100

	// hurry is how much more often than usual leases are renewed, so that a
	// minute of it is measured in seconds.
	hurry      = 10
	renewEvery = 30 * time.Second / hurry

	// settleFor is how long memory is given to become what it stays.
	settleFor = 3 * time.Second
)

// sparse is how the processes whose memory counts collect garbage: often, so
// that what is measured is what is needed.
const sparse = "GOGC=20"

// idle measures peers that say nothing.
func (b *bench) idle(ctx context.Context) ([]row, error) {
	var memory, bareMemory, presence, renewal series
	err := b.rounds(
		func(int) error {
			got, err := b.present(ctx)
			memory, presence, renewal = append(memory, got.edge), append(presence, got.redis), append(renewal, got.minute)
			return err
		},
		func(int) error {
			got, err := b.connected(ctx)
			bareMemory = append(bareMemory, got)
			return err
		},
	)
	return []row{
		{fmt.Sprintf("edge's memory, an idle peer (of %d, no TLS)", b.Peers), "KB", memory, "gws alone", bareMemory, []goal{atMost(ratio, 1.3), atMost(value, 10)}},
		{"Redis's memory, a present peer", "KB", presence, "", nil, []goal{atMost(value, 1)}},
		{"Redis's processor, an idle peer and minute", "µs", renewal, "", nil, []goal{atMost(value, 15)}},
	}, err
}

// presentPeer is what one costs.
type presentPeer struct {
	edge, redis float64 // KB
	minute      float64 // µs of Redis
}

func (b *bench) present(ctx context.Context) (out presentPeer, err error) {
	f, err := b.newFleet(ctx)
	if err != nil {
		return out, err
	}
	defer f.close()
	e, err := f.startEdge(ctx, sparse, "EDGE_RENEW_EVERY="+renewEvery.String())
	if err != nil {
		return out, err
	}
	members, err := f.members(ctx, b.Peers+b.Peers/10+1, idlePerMesh)
	if err != nil {
		return out, err
	}
	// What the first ones cost is what the edge costs at all.
	first, err := arrive(ctx, members[b.Peers:], at(e))
	stop := stayOn(first)
	defer stop()
	if err != nil {
		return out, err
	}
	empty, err := f.look(ctx, e, b.Round)
	if err != nil {
		return out, err
	}
	peers, err := arrive(ctx, members[:b.Peers], at(e))
	stay := stayOn(peers)
	defer stay()
	if err != nil {
		return out, err
	}
	full, err := f.look(ctx, e, b.Round)
	n := float64(b.Peers)
	return presentPeer{
		edge: (full.edge - empty.edge) / n, redis: (full.redis - empty.redis) / n,
		minute: (full.minute - empty.minute) / n,
	}, err
}

// look measures an edge and its Redis at rest. What was said about those who
// came is thrown away first, as it is after five minutes.
func (f *fleet) look(ctx context.Context, e *edge, d time.Duration) (out presentPeer, err error) {
	if err := pause(ctx, min(settleFor, 2*d)); err != nil {
		return out, err
	}
	d = max(d, renewEvery).Truncate(renewEvery) // as many renewals of each
	used, err := f.during(ctx, func() error { return pause(ctx, d) })
	if err != nil {
		return out, err
	}
	if err := f.forget(ctx, "journal:*"); err != nil {
		return out, err
	}
	redis, err := f.redisMemory(ctx)
	if err != nil {
		return out, err
	}
	edge, err := e.memory()
	return presentPeer{edge / 1024, redis / 1024, used.redis * float64(time.Minute) / float64(d) / hurry}, err
}

// forget deletes keys.
func (f *fleet) forget(ctx context.Context, pattern string) error {
	raw := f.client.Raw()
	for keys := raw.Scan(ctx, 0, pattern, 1000).Iterator(); keys.Next(ctx); {
		if err := raw.Del(ctx, keys.Val()).Err(); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	return nil
}

// connected is the memory of a socket at the bare program, in KB.
func (b *bench) connected(ctx context.Context) (float64, error) {
	f, err := b.newFleet(ctx)
	if err != nil {
		return 0, err
	}
	defer f.close()
	e, err := f.startBare(ctx, sparse)
	if err != nil {
		return 0, err
	}
	var memory [2]float64
	var links []*link
	defer func() {
		for _, l := range links {
			l.cut()
		}
	}()
	for i, n := range []int{b.Peers/10 + 1, b.Peers} {
		some := make([]*link, n)
		err := each(ctx, n, func(ctx context.Context, i int) (err error) {
			some[i], err = dial(ctx, e.addr)
			return err
		})
		if err != nil {
			return 0, err
		}
		links = append(links, some...)
		if err := pause(ctx, min(settleFor, 2*b.Round)); err != nil {
			return 0, err
		}
		if memory[i], err = e.memory(); err != nil {
			return 0, err
		}
	}
	return (memory[1] - memory[0]) / 1024 / float64(b.Peers), nil
}

// stayOn reads what peers are sent, and answers pings, until stop is called.
func stayOn(peers []*peer) (stop func()) {
	var tasks sync.WaitGroup
	for _, p := range peers {
		if p != nil && p.link != nil {
			tasks.Go(func() { p.listen(func([]byte) {}) })
		}
	}
	return func() {
		part(peers)
		tasks.Wait()
	}
}
