package edge_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// A wire to Redis that can be cut. While it is, nothing connects.
type cable struct {
	ln   net.Listener
	to   string
	mu   sync.Mutex
	cut  bool
	open map[net.Conn]struct{}
	busy sync.WaitGroup
}

// lay returns the address of a cable to a server.
func lay(t *testing.T, server *redistest.Server) (c *cable, url string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cable") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c = &cable{ln: ln, to: strings.TrimPrefix(server.URL(), "unix://"), open: map[net.Conn]struct{}{}}
	c.busy.Go(c.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		c.set(true)
		c.busy.Wait()
		_ = os.RemoveAll(dir)
	})
	return c, "unix://" + path
}

func (c *cable) accept() {
	for {
		in, err := c.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("unix", c.to)
		if err != nil || !c.keep(in, out) {
			_ = in.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
			c.busy.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				_, _ = way[0].Close(), way[1].Close()
			})
		}
	}
}

func (c *cable) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, nc := range conns {
		if c.cut {
			_ = nc.Close()
		}
		c.open[nc] = struct{}{}
	}
	return !c.cut
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for nc := range c.open {
		if cut {
			_ = nc.Close()
			delete(c.open, nc)
		}
	}
}

// emptied starts a killed server without its data.
func emptied(t *testing.T, s *redistest.Server) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(s.Dir(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	s.Restart()
}

// plugged starts an edge that reaches Redis through a cable of its own.
func plugged(t *testing.T, server *redistest.Server) (*edgetest.Edge, *cable) {
	t.Helper()
	c, url := lay(t, server)
	return edgetest.Start(t, edgetest.WithRedis(server), edgetest.WithLease(lossLease),
		edgetest.WithConfig(func(cfg *edge.Config) { cfg.RedisURL = edge.Secret(url) })), c
}

func TestL1_NobodyWhoIsStillHereIsAnnouncedAfterAnOutageLongerThanALease(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]struct {
		down, up func(s *redistest.Server, one, other *cable)
	}{
		"paused": {
			func(s *redistest.Server, _, _ *cable) { s.Pause() },
			func(s *redistest.Server, _, _ *cable) { s.Resume() },
		},
		"stopped": {
			func(s *redistest.Server, _, _ *cable) { s.Stop() },
			func(s *redistest.Server, _, _ *cable) { s.Restart() },
		},
		"killed": {
			func(s *redistest.Server, _, _ *cable) { s.Kill() },
			func(s *redistest.Server, _, _ *cable) { s.Restart() },
		},
		"killed and without its data": {
			func(s *redistest.Server, _, _ *cable) { s.Kill() },
			nil,
		},
		"cut off": {
			func(_ *redistest.Server, one, other *cable) { one.set(true); other.set(true) },
			func(_ *redistest.Server, one, other *cable) { one.set(false); other.set(false) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			one, first := plugged(t, server)
			other, second := plugged(t, server)
			m := one.NewMesh()
			peers := []*edgetest.Peer{m.Session(one, "ana"), m.Session(other, "bob"), m.Session(one, "cy"), m.Session(other, "dee")}
			awaitRoster(t, peers[0], len(peers))
			<-time.After(lossLease) // the rosters have been read, and the hold of the start is nearly over
			seen := newsOf{}
			for _, p := range peers {
				seen.take(p)
			}
			records := kept(t, one, m)
			out.down(server, first, second)
			<-time.After(2 * lossLease) // a lease, a renewal, and more
			if out.up != nil {
				out.up(server, first, second)
			} else {
				emptied(t, server)
				edgetest.Eventually(t, func() error {
					return one.Registry.Restore(t.Context(), m.ID, wire.PublicKey(m.Owner), records)
				})
			}
			seen.comeBack(t, peers, other, one)
			awaitRoster(t, peers[0], len(peers))
			<-settled()
			seen.wantNothingNew(t, peers...)
			awaitRoster(t, peers[1], len(peers))
		})
	}
}

// newsOf holds the ids of the presence events that peers were given. A repeat has
// the id of the first time.
type newsOf map[string]bool

// take takes what a connection was given so far, and returns what is new.
func (k newsOf) take(p *edgetest.Peer) (fresh []string) {
	if !p.Over() {
		p.Settle()
	}
	for _, f := range p.Frames() {
		push, ok := f.(*wire.Push)
		if !ok || push.Event != wire.EventPeerJoined && push.Event != wire.EventPeerLeft {
			continue
		}
		if !k[push.MessageID] {
			fresh = append(fresh, string(push.Event)+" "+string(push.EventData))
		}
		k[push.MessageID] = true
	}
	return fresh
}

func (k newsOf) wantNothingNew(t *testing.T, ps ...*edgetest.Peer) {
	t.Helper()
	for _, p := range ps {
		if fresh := k.take(p); len(fresh) > 0 {
			t.Errorf("%s saw %q", p.Member.Name, fresh)
		}
	}
}

// comeBack has everybody whose socket is closed within a lease return, to
// another edge than before.
func (k newsOf) comeBack(t *testing.T, peers []*edgetest.Peer, edges ...*edgetest.Edge) {
	t.Helper()
	tick, end := time.NewTicker(5*time.Millisecond), time.After(lossLease)
	defer tick.Stop()
	for {
		for i, p := range peers {
			if p.Over() {
				k.wantNothingNew(t, p)
				peers[i] = p.Return(edges[i%len(edges)])
			}
		}
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

func TestL1_AnEdgeThatAloneLosesRedisCostsNobodyTheirPresence(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one, first := plugged(t, server)
	other, _ := plugged(t, server)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	awaitRoster(t, bob, 2)
	seen := newsOf{}
	seen.take(ana)
	seen.take(bob)
	first.set(true)
	ana.Closed() // long before its lease ends
	again := ana.Return(other)
	<-settled()
	first.set(false)
	<-settled()
	seen.wantNothingNew(t, bob, again)
	awaitRoster(t, bob, 2)
}
