// Command invite is the function by which people come into meshes: a Lambda
// bootstrap where AWS_LAMBDA_RUNTIME_API is set, an HTTP server otherwise.
// `invite -help` lists its configuration.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/claudemesh/claudemesh/functions/config"
	"github.com/claudemesh/claudemesh/functions/invite"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/serve"
	"github.com/claudemesh/claudemesh/infra/redis"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve.Run(ctx, "invite", function); err != nil {
		fmt.Fprintln(os.Stderr, "invite:", err)
		os.Exit(1)
	}
}

func function(c *redis.Client, cfg config.Config, log *slog.Logger) (http.Handler, error) {
	return invite.NewHandler(registry.New(c, registry.Options{}), invite.Config{
		WebURL: cfg.WebURL(), Address: serve.Address(cfg), Log: log,
	}), nil
}
