package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	headerWithin   = 5 * time.Second  // for the headers of a request
	requestWithin  = 10 * time.Second // for the whole of one
	idleWithin     = 60 * time.Second // between two on one connection
	maxHeaderBytes = 8 << 10
)

// newHTTPServer has the limits of a server that strangers talk to.
func (s *Server) newHTTPServer() *http.Server {
	return &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerWithin,
		ReadTimeout:       requestWithin,
		WriteTimeout:      requestWithin,
		IdleTimeout:       idleWithin,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// routes lists everything that is answered over HTTP.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(wire.Path, s.serveSocket)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /health/ready", s.ready)
	if s.metricsAt == nil {
		mux.Handle(metricsRoute, s.metricsHandler())
	}
	mux.HandleFunc("POST /hook/set-status", s.hook)
	mux.HandleFunc(wire.RouteWebhook, s.commons.ServeWebhook)
	mux.Handle("/api/v1/", s.commons.API())
	s.mountFunctions(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "This is an edge of a claudemesh: peers connect to "+wire.Path+
			" by WebSocket, GET /health tells how it is.", http.StatusNotFound)
	})
	return mux
}

// serveSocket accepts WebSockets. The path is exact: a query would end up in
// access logs, and no peer needs one.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.RawQuery != "" || r.URL.ForceQuery:
		http.Error(w, wire.Path+" takes no query", http.StatusNotFound)
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, wire.Path+" speaks WebSocket only", http.StatusUpgradeRequired)
	case !s.expect():
		w.Header().Set("Retry-After", "1")
		http.Error(w, "this edge is stopping, another one is there", http.StatusServiceUnavailable)
	default:
		s.upgrade(w, r)
	}
}

// mountFunctions serves invites and administration, or says that they are
// elsewhere.
func (s *Server) mountFunctions(mux *http.ServeMux) {
	for pattern, h := range s.functions {
		mux.Handle(pattern, h)
	}
	if len(s.functions) > 0 {
		return
	}
	notHere := func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, http.StatusServiceUnavailable, map[string]any{
			"ok":    false,
			"error": map[string]string{"code": "not_configured", "message": "this edge does not serve functions"},
		})
	}
	for _, paths := range functionPaths {
		for _, path := range paths {
			mux.HandleFunc(path, notHere)
		}
	}
}

// healthReport is what GET /health tells. "db" repeats "redis" for monitors of
// the reference broker, which look there.
type healthReport struct {
	Status  string `json:"status"`
	Redis   string `json:"redis"`
	DB      string `json:"db"`
	Version string `json:"version"`
	GitSHA  string `json:"gitSha"`
	Edge    string `json:"edge"`   // which one answers behind a balancer, as in hello_ack
	Uptime  int64  `json:"uptime"` // seconds
}

// healthWithin is how long Redis may take to answer a health check.
const healthWithin = 2 * time.Second

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	report := healthReport{
		Status: "ok", Redis: "up", DB: "up",
		Version: build().version, GitSHA: build().sha, Edge: s.id, Uptime: int64(time.Since(s.started).Seconds()),
	}
	status := http.StatusOK
	if !s.redisUp(r.Context()) {
		report.Status, report.Redis, report.DB = "degraded", "down", "down"
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, report)
}

// ready tells a balancer whether to send new peers here.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.draining.Load():
		answerJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "draining"})
	case !s.redisUp(r.Context()):
		answerJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "redis is down"})
	default:
		answerJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	}
}

func (s *Server) redisUp(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	return s.redis.Raw().Ping(ctx).Err() == nil
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone, there is nobody to tell
}

// buildInfo is what the Go toolchain has stamped into the binary.
type buildInfo struct{ version, sha string }

func build() buildInfo {
	b := buildInfo{version: "dev", sha: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.version = v
	}
	for _, set := range info.Settings {
		if set.Key == "vcs.revision" {
			b.sha = set.Value
		}
	}
	return b
}

// A pool bounds something that is taken and given back.
type pool struct {
	size  int64
	taken atomic.Int64
	shown interface{ Set(float64) }
}

func (p *pool) take() bool {
	n := p.taken.Add(1)
	if n > p.size {
		p.taken.Add(-1)
		return false
	}
	p.shown.Set(float64(n))
	return true
}

func (p *pool) give() { p.shown.Set(float64(p.taken.Add(-1))) }
