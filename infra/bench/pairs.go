package bench

import "context"

// pair measures two edges against one. On a machine with few cores nothing is
// gained by the second one, so what is compared is how many messages a second
// of an edge's processor time carries: with two edges there are two such
// seconds. Each message crosses from one edge to the other, which is the worst
// case.
func (b *bench) pair(ctx context.Context) ([]row, error) {
	one, closeOne, err := b.loaded(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer closeOne()
	two, closeTwo, err := b.loaded(ctx, 2)
	if err != nil {
		return nil, err
	}
	defer closeTwo()
	var single, double series
	err = b.rounds(
		func(int) (err error) { single, err = one.capacity(ctx, b, single); return err },
		func(int) (err error) { double, err = two.capacity(ctx, b, double); return err },
	)
	return []row{{
		"messages that the processors of two edges carry, each crossing", "/s", double,
		"those that one edge's carries", single,
		[]goal{atLeast(ratio, 1.7)},
	}}, err
}

// loaded starts a fleet whose messages cross from its first edge to its last.
func (b *bench) loaded(ctx context.Context, edges int) (*load, func(), error) {
	f, err := b.newFleet(ctx)
	if err != nil {
		return nil, nil, err
	}
	for range edges {
		if _, err := f.startEdge(ctx); err != nil {
			f.close()
			return nil, nil, err
		}
	}
	l, err := f.newLoad(ctx, pairs, f.edges[0], f.edges[edges-1])
	if err != nil {
		f.close()
		return nil, nil, err
	}
	_, _, err = l.run(ctx, b.Round/4)
	return l, func() {
		l.close()
		f.close()
	}, err
}

// capacity appends how many messages a second the edges could carry if each had
// a core and nothing else held them up.
func (l *load) capacity(ctx context.Context, b *bench, to series) (series, error) {
	n := 0
	used, err := l.fleet.during(ctx, func() (err error) {
		n, _, err = l.run(ctx, b.Round)
		return err
	})
	const second = 1e6
	return append(to, float64(n)*second*float64(len(l.fleet.edges))/used.edges), err
}
