package bench

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// broadcasts is how many are on their way at once.
const broadcasts = 4

// A crowd is sockets that hear the same, and one that speaks.
type crowd struct {
	speak   func() error
	started []byte // how what is heard begins
	members int
	heard   atomic.Int64
	tasks   sync.WaitGroup
	links   []*link
}

// fanout measures how fast one broadcast reaches everybody.
func (b *bench) fanout(ctx context.Context) ([]row, error) {
	f, err := b.newFleet(ctx)
	if err != nil {
		return nil, err
	}
	defer f.close()
	e, err := f.startEdge(ctx)
	if err != nil {
		return nil, err
	}
	other, err := f.startBare(ctx)
	if err != nil {
		return nil, err
	}
	ours, err := f.newCrowd(ctx, e, b.Peers)
	if err != nil {
		return nil, err
	}
	defer ours.close()
	bare, err := newBareCrowd(ctx, other, b.Peers)
	if err != nil {
		return nil, err
	}
	defer bare.close()
	var speed, cpu, bareSpeed, bareCPU series
	err = b.rounds(
		func(int) (err error) { speed, cpu, err = ours.measure(ctx, b.Round, e, speed, cpu); return err },
		func(int) (err error) {
			bareSpeed, bareCPU, err = bare.measure(ctx, b.Round, other, bareSpeed, bareCPU)
			return err
		},
	)
	who := fmt.Sprintf("gws alone, a prepared frame to %d sockets", b.Peers)
	return []row{
		{fmt.Sprintf("deliveries a second of broadcasts to %d peers", b.Peers), "", speed, who, bareSpeed, []goal{atLeast(ratio, 0.8)}},
		{"the server's processor, a delivery", "µs", cpu, who, bareCPU, nil},
	}, err
}

// newCrowd has n peers of one mesh come, of whom one speaks.
func (f *fleet) newCrowd(ctx context.Context, e *edge, n int) (*crowd, error) {
	members, err := f.members(ctx, n, n)
	if err != nil {
		return nil, err
	}
	peers, err := arrive(ctx, members, at(e))
	if err != nil {
		part(peers)
		return nil, err
	}
	speaker := peers[n-1]
	c := &crowd{members: n - 1, started: []byte(`{"type":"push","messageId":"j`)}
	text := fmt.Sprintf(`"targetSpec":"*","nonce":"%s","ciphertext":"%s"}`, strings.Repeat("n", 32), strings.Repeat("c", letters))
	c.speak = func() error {
		return speaker.write(opText, fmt.Appendf(nil, `{"type":"send","id":"1","client_message_id":"%s",%s`, wire.NewID(wire.LongID), text))
	}
	for _, p := range peers[:n-1] {
		c.listen(p.link)
	}
	c.links = append(c.links, speaker.link)
	c.tasks.Go(func() { speaker.listen(func([]byte) {}) })
	return c, nil
}

// newBareCrowd opens n sockets at the bare program.
func newBareCrowd(ctx context.Context, e *edge, n int) (*crowd, error) {
	links := make([]*link, n)
	err := each(ctx, n, func(ctx context.Context, i int) (err error) {
		links[i], err = dial(ctx, e.addr)
		return err
	})
	if err != nil {
		return nil, err
	}
	// As long as the push of a broadcast.
	text := []byte("*" + strings.Repeat("c", letters+pushOverhead))
	c := &crowd{members: n, started: []byte("*")}
	c.speak = func() error { return links[0].write(opText, text) }
	for _, l := range links {
		c.listen(l)
	}
	return c, nil
}

// pushOverhead is about what a push has around its text.
const pushOverhead = 470

func (c *crowd) listen(l *link) {
	c.links = append(c.links, l)
	c.tasks.Go(func() {
		for {
			m, err := l.read()
			if err != nil {
				return
			}
			if bytes.HasPrefix(m, c.started) {
				c.heard.Add(1)
			}
		}
	})
}

// measure speaks for a while and returns deliveries a second and the processor
// time of each.
func (c *crowd) measure(ctx context.Context, d time.Duration, at *edge, speed, cpu series) (series, series, error) {
	before, err := at.cpu()
	if err != nil {
		return speed, cpu, err
	}
	from, began, spoken := c.heard.Load(), time.Now(), int64(0)
	for time.Since(began) < d {
		if err := c.speak(); err != nil {
			return speed, cpu, err
		}
		spoken++
		if err := c.await(ctx, from+(spoken-broadcasts+1)*int64(c.members)); err != nil {
			return speed, cpu, err
		}
	}
	err = c.await(ctx, from+spoken*int64(c.members))
	took := time.Since(began)
	after, wrong := at.cpu()
	if err == nil {
		err = wrong
	}
	n := float64(c.heard.Load() - from)
	return append(speed, n/took.Seconds()), append(cpu, (after-before)/n), err
}

// glance is how often it is looked whether everybody has heard.
const glance = 200 * time.Microsecond

func (c *crowd) await(ctx context.Context, n int64) error {
	limit := time.Now().Add(answerWithin)
	for c.heard.Load() < n {
		if err := pause(ctx, glance); err != nil {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("bench: %d of %d deliveries came", c.heard.Load(), n)
		}
	}
	return nil
}

func (c *crowd) close() {
	for _, l := range c.links {
		l.cut()
	}
	c.tasks.Wait()
}
