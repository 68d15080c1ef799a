// Command sidecar stands beside an edge on ECS: `sidecar certificate` puts the
// certificate where the edge reads it, `sidecar metrics` reports to CloudWatch.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/claudemesh/claudemesh/infra/aws/sidecar"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "certificate":
		c, err := sidecar.LoadCertificate()
		if err != nil {
			return err
		}
		return sidecar.WriteCertificate(c)
	case len(args) == 1 && args[0] == "metrics":
		cfg, err := sidecar.LoadConfig()
		if err != nil {
			return err
		}
		log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
		return sidecar.NewReporter(cfg, os.Stdout, log).Run(ctx)
	}
	return fmt.Errorf("sidecar: want one word, certificate or metrics; have %q", args)
}
