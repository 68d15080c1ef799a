package edgetest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// Patience is how long a test waits for what must happen. It is long because a
// crowded machine is no defect.
const Patience = 60 * time.Second

// An Option changes how an edge is started.
type Option func(*options)

type options struct {
	redis  *redistest.Server
	url    string
	conf   []string
	adapt  []func(*edge.Config)
	server []func(*edge.Server)
	logger *slog.Logger
}

// WithRedis has the edge use a server that exists.
func WithRedis(s *redistest.Server) Option { return func(o *options) { o.redis = s } }

// WithCluster has the edge use a cluster. [Edge.Redis] is nil then.
func WithCluster(c *redistest.Cluster) Option { return func(o *options) { o.url = c.URL() } }

// WithRedisConf adds lines to the configuration of the edge's own server.
func WithRedisConf(lines ...string) Option {
	return func(o *options) { o.conf = append(o.conf, lines...) }
}

// WithConfig changes the edge's configuration.
func WithConfig(adapt func(*edge.Config)) Option {
	return func(o *options) { o.adapt = append(o.adapt, adapt) }
}

// WithServer changes the server before it runs.
func WithServer(adapt func(*edge.Server)) Option {
	return func(o *options) { o.server = append(o.server, adapt) }
}

// WithLog shows the edge's log with the test's output.
func WithLog(t testing.TB) Option {
	return func(o *options) {
		o.logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// WithLease sets how long a lost peer is kept. Renewals and pings follow.
func WithLease(ttl time.Duration) Option {
	return WithConfig(func(c *edge.Config) {
		c.LeaseTTL, c.RenewEvery, c.DrainWithin = ttl, ttl/3, ttl/2
	})
}

// Edge is one running edge.
type Edge struct {
	Server   *edge.Server
	Redis    *redistest.Server
	Client   *redis.Client // the test's own connection to Redis
	Registry *registry.Store
	Addr     string // host:port
	URL      string // of the WebSocket
	HTTP     string // of everything else, without a slash

	t        testing.TB
	listener *listener
	cancel   context.CancelFunc
	done     chan struct{}
	once     sync.Once
	killed   atomic.Bool
}

// listener remembers what it has accepted, so that a test can cut it all.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	return c, err
}

func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	_ = l.Close() // last: it makes the server say goodbye
}

// Start starts an edge, by default with a Redis server of its own.
func Start(t testing.TB, opts ...Option) *Edge {
	t.Helper()
	o := options{logger: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	if o.redis == nil && o.url == "" {
		o.redis = redistest.Start(t, o.conf...)
	}
	if o.redis != nil {
		o.url = o.redis.URL()
	}
	e := &Edge{Redis: o.redis, Client: redistest.Connect(t, o.url), t: t, done: make(chan struct{})}
	e.Registry = registry.New(e.Client, registry.Options{})
	cfg := edge.DefaultConfig()
	cfg.RedisURL = edge.Secret(o.url)
	cfg.SendRate, cfg.SendBurst = 60_000, 10_000 // tests of the limit set it back
	for _, adapt := range o.adapt {
		adapt(&cfg)
	}
	var err error
	if e.Server, err = edge.New(t.Context(), cfg, o.logger); err != nil {
		t.Fatal(err)
	}
	for _, adapt := range o.server {
		adapt(e.Server)
	}
	e.run()
	t.Cleanup(e.Stop)
	return e
}

func (e *Edge) run() {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.t.Fatal(err)
	}
	ln := &listener{Listener: tcp}
	e.listener = ln
	e.Addr = ln.Addr().String()
	e.URL, e.HTTP = "ws://"+e.Addr+"/ws", "http://"+e.Addr
	// The edge outlives the test's context, because it is stopped by Cleanup.
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.t.Context()))
	e.cancel = cancel
	go func() {
		defer close(e.done)
		if err := e.Server.Run(ctx, ln); err != nil && !e.killed.Load() {
			e.t.Errorf("edge: %v", err)
		}
	}()
}

// Stop stops the edge as SIGTERM does, and returns when it is gone.
func (e *Edge) Stop() {
	e.once.Do(func() {
		e.cancel()
		<-e.done
		_ = e.Server.Close()
	})
}

// Drain begins what [Edge.Stop] does and does not wait for it.
func (e *Edge) Drain() { e.cancel() }

// Kill ends the edge as kill -9 does: Redis hears nothing any more, and every
// socket is just gone.
func (e *Edge) Kill() {
	e.once.Do(func() {
		e.killed.Store(true)
		_ = e.Server.Close()
		e.listener.cut()
		e.cancel()
		<-e.done
	})
}

// Eventually waits until check returns nil.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(Patience)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %v", err)
		}
	}
}
