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

const (
	// pairs is how many peers write, each to another one, and window how many
	// messages of each are on their way at once.
	pairs  = 32
	window = 2

	// pairsPerMesh spreads them over some meshes.
	pairsPerMesh = 4

	// letters is the length of a message's text.
	letters = 600
)

// A load is pairs of peers that write to each other.
type load struct {
	fleet *fleet
	pairs []*pair
	tasks sync.WaitGroup

	on        atomic.Bool // messages are answered with the next one
	delivered atomic.Int64
	acked     atomic.Int64
	refused   atomic.Pointer[string]
}

// A pair is one who writes and one who reads.
type pair struct {
	load     *load
	from, to *peer
	sent     atomic.Int64
	text     string         // of all messages, behind the ids
	at       chan time.Time // when those on their way were written
	took     func(time.Duration)
}

// newLoad has the peers come: those who write at one edge, those who read at
// another, or the same.
func (f *fleet) newLoad(ctx context.Context, n int, from, to *edge) (*load, error) {
	members, err := f.members(ctx, 2*n, 2*pairsPerMesh)
	if err != nil {
		return nil, err
	}
	peers, err := arrive(ctx, members, func(i int) string {
		if i%2 == 0 {
			return from.addr
		}
		return to.addr
	})
	l := &load{fleet: f}
	for i := 0; err == nil && i < len(peers); i += 2 {
		l.pairs = append(l.pairs, newPair(l, peers[i], peers[i+1]))
	}
	if err != nil {
		part(peers)
		return nil, err
	}
	for _, p := range l.pairs {
		l.tasks.Go(func() { p.from.listen(p.heardByWriter) })
		l.tasks.Go(func() { p.to.listen(p.heardByReader) })
	}
	return l, nil
}

// onTheWay bounds what a pair has on its way when nobody waits for answers.
const onTheWay = 4096

func newPair(l *load, from, to *peer) *pair {
	return &pair{
		load: l, from: from, to: to, at: make(chan time.Time, onTheWay),
		text: fmt.Sprintf(`"targetSpec":"%s","priority":"next","nonce":"%s","ciphertext":"%s"}`,
			to.key, strings.Repeat("n", 32), strings.Repeat("c", letters)),
	}
}

// write sends the next message of the pair.
func (p *pair) write() {
	n := p.sent.Add(1)
	p.at <- time.Now()
	_ = p.from.write(opText, fmt.Appendf(nil, `{"type":"send","id":"%d","client_message_id":"%s",%s`,
		n, wire.NewID(wire.LongID), p.text)) // an error shows in what does not come
}

var (
	pushed  = []byte(`{"type":"push","messageId":"d`)
	stored  = []byte(`{"type":"ack"`)
	queued  = []byte(`"queued":true`)
	idStart = len(pushed) - 1
)

const idLength = 32

func (p *pair) heardByWriter(m []byte) {
	if !bytes.HasPrefix(m, stored) {
		return
	}
	if !bytes.Contains(m, queued) {
		text := string(m)
		p.load.refused.Store(&text)
	}
	p.load.acked.Add(1)
}

// heardByReader acks a message, and has the next one written.
func (p *pair) heardByReader(m []byte) {
	if !bytes.HasPrefix(m, pushed) {
		return
	}
	sent := <-p.at
	if p.took != nil {
		p.took(time.Since(sent))
	}
	_ = p.to.write(opText, fmt.Appendf(nil, `{"type":"client_ack","brokerMessageId":"%s"}`, m[idStart:idStart+idLength]))
	p.load.delivered.Add(1)
	if p.load.on.Load() {
		p.write()
	}
}

// run keeps window messages of each pair on their way for a while and returns
// how many went, and how long it took until the last was acked by its reader.
func (l *load) run(ctx context.Context, d time.Duration) (messages int, took time.Duration, err error) {
	before, began := l.delivered.Load(), time.Now()
	l.on.Store(true)
	for _, p := range l.pairs {
		for range window {
			p.write()
		}
	}
	err = pause(ctx, d)
	l.on.Store(false)
	if err == nil {
		err = l.settle(ctx)
	}
	return int(l.delivered.Load() - before), time.Since(began), err
}

// pace has the pairs write by turns, rate messages a second, for a while. took
// is told how long each was on its way, by many goroutines.
func (l *load) pace(ctx context.Context, d time.Duration, rate float64, took func(time.Duration)) error {
	for _, p := range l.pairs {
		p.took = took
	}
	began := time.Now()
	for n := 0; ; n++ {
		due := time.Duration(float64(n) / rate * float64(time.Second))
		if due > d {
			return l.settle(ctx)
		}
		if early := due - time.Since(began); early > 0 {
			if err := pause(ctx, early); err != nil {
				return err
			}
		}
		l.pairs[n%len(l.pairs)].write()
	}
}

// settle waits until everything that was written has been stored, read and
// acked, and nothing waits in Redis.
func (l *load) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return until(ctx, func() error {
		if why := l.refused.Load(); why != nil {
			return fmt.Errorf("%w: refused: %s", errNever, *why)
		}
		sent := int64(0)
		for _, p := range l.pairs {
			sent += p.sent.Load()
		}
		if got, acked := l.delivered.Load(), l.acked.Load(); got < sent || acked < sent {
			return fmt.Errorf("of %d messages %d were acked and %d delivered", sent, acked, got)
		}
		return l.fleet.nothingWaits(ctx, l.meshes())
	})
}

func (l *load) meshes() []string {
	var ids []string
	for i := 0; i < len(l.pairs); i += pairsPerMesh {
		ids = append(ids, l.pairs[i].from.member.mesh.id)
	}
	return ids
}

// nothingWaits asks whether the inboxes of meshes are empty.
func (f *fleet) nothingWaits(ctx context.Context, meshes []string) error {
	for _, id := range meshes {
		waiting, err := f.client.Raw().HExists(ctx, "head:"+f.client.Tag(id)+":"+id, "bytes").Result()
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		if waiting {
			return fmt.Errorf("messages wait in %s", id)
		}
	}
	return nil
}

// close has all peers leave.
func (l *load) close() {
	for _, p := range l.pairs {
		part([]*peer{p.from, p.to})
	}
	l.tasks.Wait()
}
