package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"syscall"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// stormPerMesh is how many peers of a mesh come back.
const stormPerMesh = 50

// afterwards is how long what follows an answer may take: the inboxes.
const afterwards = 300 * time.Millisecond

// storm measures everybody coming back at once, because an edge died.
func (b *bench) storm(ctx context.Context) ([]row, error) {
	f, err := b.newFleet(ctx)
	if err != nil {
		return nil, err
	}
	defer f.close()
	members, err := f.members(ctx, b.Peers, stormPerMesh)
	if err != nil {
		return nil, err
	}
	bare, err := f.startBare(ctx)
	if err != nil {
		return nil, err
	}
	var hello, resume, least comeback
	err = b.rounds(
		func(int) error { return hello.add(f.comeBack(ctx, members, (*peer).again)) },
		func(int) error { return resume.add(f.comeBack(ctx, members, (*peer).resume)) },
		func(int) error { return least.add(f.comeBare(ctx, bare, len(members))) },
	)
	against := "gws, one verification, one script"
	return []row{
		{fmt.Sprintf("peers back a second, %d at once, by a resume", b.Peers), "", resume.speed, against, least.speed, []goal{atLeast(ratio, 0.5)}},
		{"the same by a whole handshake", "", hello.speed, against, least.speed, nil},
		{"peer_left heard meanwhile, both ways", "", series{hello.left + resume.left}, "", nil, []goal{atMost(value, 0)}},
		{"servers' processor, a resume", "µs", resume.cpu, "a whole handshake", hello.cpu, []goal{atMost(ratio, 0.7)}},
		{"the same, of it Redis's", "µs", resume.redis, "a whole handshake", hello.redis, nil},
	}, err
}

// comeback is how fast peers came back, and at what cost.
type comeback struct {
	speed, cpu, redis series
	left              float64
}

func (c *comeback) add(one comeback, err error) error {
	c.speed, c.cpu, c.redis = append(c.speed, one.speed...), append(c.cpu, one.cpu...), append(c.redis, one.redis...)
	c.left += one.left
	return err
}

var leftEvent = []byte(`"event":"peer_left"`)

// comeBack has peers lose their edge and come to another one.
func (f *fleet) comeBack(ctx context.Context, members []*member, how func(*peer, context.Context, string) error) (out comeback, err error) {
	f.edges = nil
	old, err := f.startEdge(ctx)
	if err != nil {
		return out, err
	}
	peers, err := arrive(ctx, members, at(old))
	defer func() { part(peers) }()
	if err != nil {
		return out, err
	}
	if err := pause(ctx, afterwards); err != nil {
		return out, err
	}
	old.stop(syscall.SIGKILL)
	f.edges = nil
	fresh, err := f.startEdge(ctx)
	if err != nil {
		return out, err
	}
	// Its peers leave for good: the next round begins without them.
	defer fresh.stop(syscall.SIGTERM)
	took := time.Duration(0)
	used, err := f.during(ctx, func() error {
		began := time.Now()
		err := each(ctx, len(peers), func(ctx context.Context, i int) error { return how(peers[i], ctx, fresh.addr) })
		took = time.Since(began)
		if err != nil {
			return err
		}
		return pause(ctx, afterwards)
	})
	if err != nil {
		return out, err
	}
	n := float64(len(peers))
	return comeback{
		speed: series{n / took.Seconds()}, cpu: series{(used.edges + used.redis) / n},
		redis: series{used.redis / n}, left: float64(heardLeaving(peers)),
	}, nil
}

// heardLeaving reads what peers were sent until now and counts departures.
func heardLeaving(peers []*peer) (n int64) {
	for _, p := range peers {
		_ = p.nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		for {
			m, err := p.read()
			if err != nil {
				break
			}
			if bytes.Contains(m, leftEvent) {
				n++
			}
		}
	}
	return n
}

// comeBare has as many sockets prove a key to the bare program.
func (f *fleet) comeBare(ctx context.Context, e *edge, n int) (out comeback, err error) {
	openings := make([][]byte, n)
	for i := range openings {
		key := newKey()
		pub := wire.PublicKey(key)
		openings[i] = []byte(pub + " " + hex.EncodeToString(ed25519.Sign(key, []byte(pub))))
	}
	links := make([]*link, n)
	defer func() {
		for _, l := range links {
			if l != nil {
				l.cut()
			}
		}
	}()
	began := time.Now()
	err = each(ctx, n, func(ctx context.Context, i int) (err error) {
		if links[i], err = dial(ctx, e.addr); err != nil {
			return err
		}
		if err := links[i].write(opText, openings[i]); err != nil {
			return err
		}
		_, err = links[i].read()
		return err
	})
	return comeback{speed: series{float64(n) / time.Since(began).Seconds()}}, err
}
