package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/claudemesh/claudemesh/functions/config"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/lambdahttp"
	"github.com/claudemesh/claudemesh/infra/redis"
)

const (
	headerWithin   = 5 * time.Second // for the headers of a request
	idleWithin     = 60 * time.Second
	stopWithin     = 5 * time.Second // for requests that are under way when the process is told to stop
	maxHeaderBytes = 16 << 10
)

// Function makes a handler on Redis.
type Function func(*redis.Client, config.Config, *slog.Logger) (http.Handler, error)

// Run serves a function until ctx is done or, on Lambda, for good. It prints
// the configuration when -help is asked for.
func Run(ctx context.Context, name string, f Function) error {
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "%s: configured by these variables of the environment:\n", name)
		_ = config.Usage(os.Stderr)
	}
	flag.Parse()
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("function", name)
	h := newLazy(opener(ctx, f, cfg, log), log)
	if onLambda() {
		lambdahttp.Start(ctx, h, lambdahttp.Options{Proxies: cfg.Proxies, Log: log})
		return errors.New("the Lambda runtime has gone")
	}
	if _, err := cfg.Resolve(ctx); err != nil {
		return err // there will be no other moment
	}
	if cfg.Addr == "" {
		return errors.New("set FUNCTIONS_ADDR to serve plain HTTP; there is no AWS_LAMBDA_RUNTIME_API here")
	}
	return listen(ctx, cfg.Addr, h, log)
}

func onLambda() bool { return os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" }

// opener outlives the request that calls it: the client is the process's own.
func opener(ctx context.Context, f Function, cfg config.Config, log *slog.Logger) Open {
	return func(request context.Context) (http.Handler, error) {
		cfg, err := cfg.Resolve(request)
		if err != nil {
			return nil, err
		}
		c, err := redis.Open(request, redis.Options{URL: string(cfg.RedisURL)})
		if err != nil {
			return nil, err
		}
		h, err := f(c, cfg, log)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		log.InfoContext(ctx, "function ready")
		return h, nil
	}
}

// Address tells where requests come from: an edge that shows the token is
// believed, for all others proxies are counted. On Lambda the adapter has done
// that already.
func Address(cfg config.Config) door.Address {
	otherwise := door.Behind(cfg.Proxies)
	if onLambda() {
		otherwise = door.Direct
	}
	return door.FromEdges(string(cfg.EdgeToken), otherwise)
}

// listen serves plain HTTP.
func listen(ctx context.Context, addr string, h http.Handler, log *slog.Logger) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.InfoContext(ctx, "function listens", "addr", ln.Addr().String())
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: headerWithin, ReadTimeout: 2 * door.Within, WriteTimeout: 2 * door.Within,
		IdleTimeout: idleWithin, MaxHeaderBytes: maxHeaderBytes,
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Serve(ln) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin) // outlives the order to stop
	defer cancel()
	return errors.Join(s.Shutdown(within), ignoreClosed(<-stopped))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
