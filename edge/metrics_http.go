package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsRoute is where the counts of this edge are read. They name no mesh and
// no peer, but say how busy the installation is.
const metricsRoute = "GET /metrics"

func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
}

// listenMetrics opens the address that the counts have for themselves, if there
// is one. It is opened before anything is served, so that a wrong one is an
// error at the start.
func (s *Server) listenMetrics(ctx context.Context) error {
	if s.cfg.MetricsAddr == "" {
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.MetricsAddr)
	if err != nil {
		return fmt.Errorf("edge: EDGE_METRICS_ADDR: %w", err)
	}
	s.metricsAt = ln
	return nil
}

// serveMetrics answers there until ctx is done, the drain included.
func (s *Server) serveMetrics(ctx context.Context) error {
	if s.metricsAt == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle(metricsRoute, s.metricsHandler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerWithin, ReadTimeout: requestWithin, WriteTimeout: requestWithin,
		IdleTimeout: idleWithin, MaxHeaderBytes: maxHeaderBytes,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	return serve(server, s.metricsAt)
}

func (s *Server) closeMetrics() error {
	if s.metricsAt == nil {
		return nil
	}
	if err := s.metricsAt.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
