package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// latency measures how long a message is on its way at half of the load that
// the machine takes, peers included.
func (b *bench) latency(ctx context.Context) ([]row, error) {
	f, err := b.newFleet(ctx)
	if err != nil {
		return nil, err
	}
	defer f.close()
	e, err := f.startEdge(ctx)
	if err != nil {
		return nil, err
	}
	l, err := f.newLoad(ctx, pairs, e, e)
	if err != nil {
		return nil, err
	}
	defer l.close()
	s, err := b.newStage(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer s.close()
	n, took, err := l.run(ctx, b.Round)
	if err != nil {
		return nil, err
	}
	half := max(float64(n)/took.Seconds()/2, 1)
	var ours, bare spread
	err = b.rounds(
		func(int) error {
			return ours.round(func(took func(time.Duration)) error { return l.pace(ctx, b.Round, half, took) })
		},
		func(int) error {
			return bare.round(func(took func(time.Duration)) error { return s.hops(ctx, b.Round, half, took) })
		},
	)
	against := "the least script's round trip, then a hop by pub/sub"
	return []row{
		{fmt.Sprintf("a message from its sender to its reader at %.0f a second, median", half), "ms", ours.p50, against, bare.p50, []goal{atMost(ratio, 2)}},
		{"the same, 99th of 100", "ms", ours.p99, against, bare.p99, []goal{atMost(ratio, 4)}},
	}, err
}

// A spread is how long something takes, by rounds.
type spread struct{ p50, p99 series }

// round measures once more. What it passes to work may be called by many.
func (s *spread) round(work func(took func(time.Duration)) error) error {
	var mu sync.Mutex
	var all series
	err := work(func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, float64(d.Microseconds())/1000)
	})
	mu.Lock()
	defer mu.Unlock()
	s.p50, s.p99 = append(s.p50, all.percentile(50)), append(s.p99, all.percentile(99))
	return err
}

// hops runs the least script rate times a second, publishes when it has
// answered, and tells how long it took until that was heard.
func (s *stage) hops(ctx context.Context, d time.Duration, rate float64, took func(time.Duration)) error {
	channel := s.client.EdgeBell(s.roles[0].direct.Mesh, "hop")
	sub := s.client.Raw().Subscribe(ctx, channel)
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer sub.Close()
	tasks.Go(func() {
		for m := range sub.Channel() {
			if began, err := time.Parse(time.RFC3339Nano, m.Payload); err == nil {
				took(time.Since(began))
			}
		}
	})
	began := time.Now()
	for n := 0; ; n++ {
		due := time.Duration(float64(n) / rate * float64(time.Second))
		if due > d {
			return pause(ctx, d/10) // what was published last is heard
		}
		if early := due - time.Since(began); early > 0 {
			if err := pause(ctx, early); err != nil {
				return err
			}
		}
		tasks.Go(func() {
			now := time.Now().Format(time.RFC3339Nano)
			if _, err := s.keep(ctx, &s.roles[0]); err == nil {
				_ = s.client.Publish(ctx, channel, now) // an error shows in what is not heard
			}
		})
	}
}
