package bench

import (
	"context"
	"time"
)

// callersPerPair is how many scripts of a message run at once, for as many on
// their way as the pairs have.
const callersPerPair = window

// direct measures the life of a message by processor time.
func (b *bench) direct(ctx context.Context) ([]row, error) {
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
	s, err := b.newStage(ctx, pairs)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if _, _, err := l.run(ctx, b.Round/4); err != nil { // what happens once: scripts are loaded, readers promoted
		return nil, err
	}
	var redis, edges, same, least, perSecond series
	err = b.rounds(
		func(int) error {
			n, took := 0, time.Duration(0)
			used, err := f.during(ctx, func() (err error) {
				n, took, err = l.run(ctx, b.Round)
				return err
			})
			redis, edges = append(redis, used.redis/float64(n)), append(edges, used.edges/float64(n))
			perSecond = append(perSecond, float64(n)/took.Seconds())
			return err
		},
		func(int) (err error) {
			same, err = s.cost(ctx, same, b.Round/2, s.verbs)
			return err
		},
		func(int) (err error) {
			least, err = s.cost(ctx, least, b.Round/2, s.least)
			return err
		},
	)
	return []row{
		{"Redis's processor, a message stored, acked, pushed, acked by its reader", "µs", redis, "the same scripts, nobody listening", same, []goal{atMost(ratio, 1.3)}},
		{"the same", "µs", redis, "the least scripts", least, nil},
		{"edge's processor, the same message", "µs", edges, "centrifuge, without ack and removal: 36 µs", nil, []goal{atMost(value, 30)}},
		{"messages a second, machine shared with the peers", "", perSecond, "", nil, nil},
	}, err
}

// cost appends what one round of something costs Redis, each time.
func (s *stage) cost(ctx context.Context, to series, d time.Duration, do func(context.Context, *role) error) (series, error) {
	n := 0
	used, err := s.during(ctx, func() (err error) {
		n, err = s.play(ctx, pairs*callersPerPair, d, do)
		return err
	})
	return append(to, used.redis/float64(n)), err
}
