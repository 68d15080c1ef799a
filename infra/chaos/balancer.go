package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Balancer spreads connections over the edges that are ready.
type Balancer interface {
	// Addr is where peers connect to.
	Addr() string
	// Kind says what it is, for people.
	Kind() string
	Close() error
}

// checkEvery is how often a balancer asks an edge whether it is ready.
const checkEvery = 200 * time.Millisecond

// newBalancer starts HAProxy, or the fall-back where there is none.
func newBalancer(ctx context.Context, dir, addr string, edges []string, install bool, say io.Writer) (Balancer, error) {
	path := findHAProxy(ctx, install, say)
	if path == "" {
		fmt.Fprintln(say, "chaos: no HAProxy here, and none could be installed: using a balancer of our own")
		return newPlainBalancer(ctx, addr, edges)
	}
	conf := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(conf, []byte(haproxyConf(addr, edges)), 0o600); err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	p, err := startProcess(dir, "haproxy", exec.Command(path, "-db", "-f", conf))
	if err != nil {
		return nil, err
	}
	b := &haproxy{process: p, addr: addr}
	if err := b.await(ctx); err != nil {
		p.kill()
		return nil, err
	}
	return b, nil
}

// installWithin bounds the installation of HAProxy.
const installWithin = 3 * time.Minute

// findHAProxy returns the path of HAProxy, after installing it if that is asked
// for and needs no password; "" if there is none.
func findHAProxy(ctx context.Context, install bool, say io.Writer) string {
	look := func() string {
		for _, name := range []string{"haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/opt/homebrew/bin/haproxy"} {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
		return ""
	}
	if path := look(); path != "" || !install {
		return path
	}
	command := []string{"apt-get", "install", "-y", "--no-install-recommends", "haproxy"}
	if os.Geteuid() != 0 {
		command = append([]string{"sudo", "-n"}, command...)
	}
	fmt.Fprintln(say, "chaos: no HAProxy here;", strings.Join(command, " "))
	ctx, cancel := context.WithTimeout(ctx, installWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(say, "chaos: not installed:", err)
	}
	return look()
}

type haproxy struct {
	*process
	addr string
}

func (b *haproxy) Addr() string { return b.addr }
func (b *haproxy) Kind() string { return "haproxy" }
func (b *haproxy) Close() error { b.kill(); return nil } // a polite stop waits for every connection

// await returns when an edge is reached through the balancer.
func (b *haproxy) await(ctx context.Context) error {
	return eventually(ctx, serveWithin, func() error {
		if !b.running() {
			return fmt.Errorf("%w: %w", errEnded, b.failure())
		}
		_, err := askHealth(ctx, b.addr)
		return err
	})
}

// haproxyConf passes TCP through and asks edges whether they are ready. A
// connection that an edge refuses is offered to the next.
func haproxyConf(addr string, edges []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  timeout check 2s
  option redispatch 1
  retries 3
frontend peers
  bind %s
  default_backend edges
backend edges
  balance roundrobin
  option httpchk GET /health/ready
  http-check expect status 200
  default-server check inter %dms fall 1 rise 1
`, addr, checkEvery.Milliseconds())
	for i, edge := range edges {
		fmt.Fprintf(&b, "  server edge%d %s\n", i, edge)
	}
	return b.String()
}

// plainBalancer is the fall-back.
type plainBalancer struct {
	ln    net.Listener
	edges []string
	ready []atomic.Bool
	next  atomic.Uint64
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	over  bool
}

func newPlainBalancer(ctx context.Context, addr string, edges []string) (*plainBalancer, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("chaos: balancer: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // Close ends it
	b := &plainBalancer{ln: ln, edges: edges, ready: make([]atomic.Bool, len(edges)), stop: stop, conns: map[net.Conn]struct{}{}}
	for i := range edges {
		b.tasks.Go(func() { b.watch(ctx, i) })
	}
	b.tasks.Go(b.accept)
	return b, nil
}

func (b *plainBalancer) Addr() string { return b.ln.Addr().String() }
func (b *plainBalancer) Kind() string { return "a balancer of our own" }

func (b *plainBalancer) Close() error {
	b.stop()
	err := b.ln.Close()
	b.mu.Lock()
	b.over = true
	for c := range b.conns {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.tasks.Wait()
	return err
}

func (b *plainBalancer) watch(ctx context.Context, i int) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		b.ready[i].Store(isReady(ctx, b.edges[i]))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func isReady(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/health/ready", nil)
	if err != nil {
		return false
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (b *plainBalancer) accept() {
	for {
		c, err := b.ln.Accept()
		if err != nil {
			return // closed
		}
		b.tasks.Go(func() { b.connect(c) })
	}
}

func (b *plainBalancer) keep(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		_ = c.Close()
		return false
	}
	b.conns[c] = struct{}{}
	return true
}

func (b *plainBalancer) drop(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
	_ = c.Close()
}

// connect offers a connection to each ready edge in turn.
func (b *plainBalancer) connect(c net.Conn) {
	if !b.keep(c) {
		return
	}
	defer b.drop(c)
	for range b.edges {
		i := int(b.next.Add(1) % uint64(len(b.edges)))
		if !b.ready[i].Load() {
			continue
		}
		up, err := net.DialTimeout("tcp", b.edges[i], time.Second)
		if err != nil || !b.keep(up) {
			continue
		}
		defer b.drop(up)
		var back sync.WaitGroup
		back.Go(func() { _, _ = io.Copy(c, up); _ = c.Close() })
		_, _ = io.Copy(up, c)
		_ = up.Close()
		back.Wait()
		return
	}
}
