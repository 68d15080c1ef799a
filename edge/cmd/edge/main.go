// Command edge runs one edge of a claudemesh. Its configuration is the
// environment; `edge -help` lists it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/claudemesh/claudemesh/edge"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "edge: serves peers; configured by these variables of the environment:")
		_ = edge.Usage(os.Stderr)
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg, err := edge.LoadConfig()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	s, err := edge.New(ctx, cfg, log)
	if ctx.Err() != nil && err != nil {
		log.Info("told to stop before it served", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer s.Close()
	ln, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return err
	}
	log.Info("edge listens", "addr", ln.Addr().String())
	return s.Run(ctx, ln)
}
