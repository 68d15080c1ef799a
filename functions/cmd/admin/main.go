// Command admin is the function by which owners look after their meshes: a
// Lambda bootstrap where AWS_LAMBDA_RUNTIME_API is set, an HTTP server
// otherwise. `admin -help` lists its configuration.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/config"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/rooms"
	"github.com/claudemesh/claudemesh/functions/serve"
	"github.com/claudemesh/claudemesh/infra/redis"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve.Run(ctx, "admin", function); err != nil {
		fmt.Fprintln(os.Stderr, "admin:", err)
		os.Exit(1)
	}
}

func function(c *redis.Client, cfg config.Config, log *slog.Logger) (http.Handler, error) {
	return admin.NewHandler(registry.New(c, registry.Options{}), rooms.Of(c, admin.Config{
		Creation: cfg.MeshCreation, OperatorTokenHash: cfg.OperatorTokenHash(),
		BrokerURL: cfg.BrokerURL(), Address: serve.Address(cfg), Log: log,
	}))
}
