package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/claudemesh/claudemesh/edge/commons"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// Server is one edge: the sockets of some peers of any number of meshes.
type Server struct {
	// Fixed.
	cfg       Config
	id        string
	log       *slog.Logger
	redis     *redis.Client
	presence  *presence.Store
	queue     *queue.Queue
	registry  *registry.Store
	watcher   *presence.Watcher
	commons   *commons.Commons
	functions map[string]http.Handler
	metrics   *metrics
	metricsAt net.Listener // nil if the counts are served with everything else
	upgrader  *gws.Upgrader
	hub       *hub
	bus       *bus
	renewer   *renewer
	reporter  *reporter
	hooks     *hooks
	turnstile *rate.Limiter
	strangers *pool
	arrivals  arrivals
	timing    timing
	tokens    tokenKeys
	started   time.Time

	// base outlives the context of Run by the time of the drain. It is kept
	// here because gws's callbacks bring no context along. Set by Run before
	// anything starts.
	base context.Context

	draining atomic.Bool
	tasks    sync.WaitGroup // everything that spawn has started

	mu        sync.Mutex
	upgrading int // requests that are about to become sockets
	sockets   map[*socket]struct{}
	empty     chan struct{} // closed when no socket is left; nil unless somebody waits
}

// timing holds what tests shorten and no operator should.
type timing struct {
	workingTTL time.Duration
	requests   rate.Limit // a second, of one socket
}

// New connects to Redis and prepares an edge. [Server.Close] must be called
// when it is not needed any more.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c, err := redis.Open(ctx, redis.Options{URL: string(cfg.RedisURL)})
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	remedies, err := c.Check(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("edge: %w", err), c.Close())
	}
	for _, remedy := range remedies {
		log.WarnContext(ctx, "redis settings", "remedy", remedy)
	}
	s := &Server{
		cfg: cfg, id: wire.NewID(wire.ShortID), redis: c, metrics: newMetrics(), upgrader: newUpgrader(log),
		sockets: map[*socket]struct{}{}, started: time.Now(),
		turnstile: rate.NewLimiter(rate.Limit(cfg.AdmitRate), cfg.AdmitRate),
		timing:    timing{workingTTL: wire.WorkingTTL, requests: requestsPerSecond},
	}
	s.log = log.With("edge", s.id)
	s.strangers = &pool{size: int64(cfg.MaxStrangers), shown: s.metrics.strangers}
	s.connectRooms()
	s.watcher = s.newWatcher()
	s.commons = s.newCommons()
	if s.tokens, err = sharedTokenKeys(ctx, cfg.ResumeKeys, c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	s.hub = &hub{server: s, feeds: map[string]*feed{}, marks: map[string]*bookmark{}}
	s.bus = newBus(c, s.id, s.log)
	s.bus.deaf, s.bus.hear, s.bus.regained = s.metrics.deaf, s.hub.heard, s.hub.regained
	s.renewer = newRenewer(s)
	s.reporter = &reporter{server: s, every: reportEvery}
	s.hooks = newHooks(s.metrics)
	if err := s.listenMetrics(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if s.functions, err = s.newFunctions(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// connectRooms gives each room the key names of the others that its scripts
// need.
func (s *Server) connectRooms() {
	s.registry = registry.New(s.redis, registry.Options{})
	s.queue = queue.New(s.redis, queue.Options{
		MembersKey: s.registry.MembersKey, BansKey: s.registry.BansKey,
		SessionsKey: s.registry.SessionsKey, GrantsKey: s.registry.GrantsKey,
		Rate: s.cfg.SendRate, Burst: s.cfg.SendBurst, AckReplicas: s.cfg.AckReplicas,
	})
	s.presence = presence.New(s.redis, presence.Options{
		TTL: s.cfg.LeaseTTL, RenewEvery: s.cfg.RenewEvery,
		JournalLua: queue.JournalLua, JournalKeys: s.queue.JournalKeys,
		MembersKey: s.registry.MembersKey, BansKey: s.registry.BansKey,
		GrantsKey: s.registry.GrantsKey, MeshKey: s.registry.MeshKey,
	})
}

// Close ends the connection to Redis.
func (s *Server) Close() error { return errors.Join(s.closeMetrics(), s.redis.Close()) }

// Run serves ln until ctx is done, then lets every peer move to another edge
// within cfg.DrainWithin. When it returns, no goroutine of the server is left.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.base = base
	ln, err := s.secured(s.proxied(ln))
	if err != nil {
		return err
	}
	front := s.newHTTPServer()
	g, broken := errgroup.WithContext(base)
	g.Go(func() error { return s.bus.Run(base) })
	g.Go(func() error { return s.watcher.Run(base) })
	g.Go(func() error { return s.commons.Run(base) })
	g.Go(func() error { return s.renewer.Run(base) })
	g.Go(func() error { return s.audit(base) })
	g.Go(func() error { return s.reporter.Run(base) })
	g.Go(func() error { return s.serveMetrics(base) })
	g.Go(func() error { return s.pulse(base) })
	g.Go(func() error { return s.retire(base) })
	g.Go(func() error { return serve(front, ln) })
	g.Go(func() error {
		defer stop()
		select {
		case <-ctx.Done():
		case <-broken.Done():
		}
		return s.shutdown(base, front)
	})
	err = g.Wait()
	s.tasks.Wait()
	return err
}

// secured wraps a listener in TLS if there is a certificate.
func (s *Server) secured(ln net.Listener) (net.Listener, error) {
	if s.cfg.TLSCert == "" {
		return ln, nil
	}
	cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, string(s.cfg.TLSKey))
	if err != nil {
		return nil, fmt.Errorf("edge: certificate: %w", err)
	}
	return tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // a WebSocket cannot be hijacked from HTTP/2
	}), nil
}

func serve(front *http.Server, ln net.Listener) error {
	if err := front.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("edge: serve: %w", err)
	}
	return nil
}

// shutdown drains first, so that health checks are answered as long as peers
// are here.
func (s *Server) shutdown(ctx context.Context, front *http.Server) error {
	s.drain(ctx)
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	if err := front.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("edge: shut down: %w", err), front.Close())
	}
	return nil
}

// spawn runs f in a goroutine that Run waits for.
func (s *Server) spawn(f func()) { s.tasks.Go(f) }

// expect says that a socket is coming. It reports false when the edge takes no
// more; otherwise adopt or forgo must follow.
func (s *Server) expect() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.upgrading++
	return true
}

// adopt counts a socket that was expected. It reports false when the edge has
// begun to drain meanwhile.
func (s *Server) adopt(k *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upgrading--
	s.sockets[k] = struct{}{}
	return !s.draining.Load()
}

// forgo says that an expected socket does not come.
func (s *Server) forgo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upgrading--
	s.tellEmptyLocked()
}

// drop forgets a socket that has ended.
func (s *Server) drop(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, k)
	s.tellEmptyLocked()
}

func (s *Server) tellEmptyLocked() {
	if s.empty != nil && len(s.sockets)+s.upgrading == 0 {
		close(s.empty)
		s.empty = nil
	}
}

// emptied returns a channel that is closed when no socket is left.
func (s *Server) emptied() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.empty
	if done == nil {
		done = make(chan struct{})
		s.empty = done
		s.tellEmptyLocked()
	}
	return done
}

// stopAdmitting makes the edge unready: expected sockets are the last.
func (s *Server) stopAdmitting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining.Store(true)
}

func (s *Server) socketsHere() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*socket, 0, len(s.sockets))
	for k := range s.sockets {
		out = append(out, k)
	}
	return out
}

// strangersHere lists the sockets that have not said hello.
func (s *Server) strangersHere() []*socket {
	var out []*socket
	for _, k := range s.socketsHere() {
		if k.peerConn() == nil {
			out = append(out, k)
		}
	}
	return out
}

// peers lists the sockets that have said hello.
func (s *Server) peers() []*conn {
	var out []*conn
	for _, k := range s.socketsHere() {
		if c := k.peerConn(); c != nil {
			out = append(out, c)
		}
	}
	return out
}
