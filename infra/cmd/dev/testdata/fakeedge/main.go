// Fakeedge stands in for an edge: it serves /health, and when told to end it
// proves that Redis still answers by leaving a key there. FAKE_EDGE makes it
// misbehave.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("FAKE_EDGE")); err != nil {
		fmt.Fprintln(os.Stderr, "fakeedge:", err)
		os.Exit(3)
	}
}

func run(ctx context.Context, manner string) error {
	opt, err := goredis.ParseURL(os.Getenv("EDGE_REDIS_URL"))
	if err != nil {
		return err
	}
	rdb := goredis.NewClient(opt)
	defer rdb.Close()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", os.Getenv("EDGE_ADDR"))
	if err != nil {
		return err
	}
	go func() {
		_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/crash" {
				fmt.Fprintln(os.Stderr, "fakeedge: these are my last words")
				os.Exit(4)
			}
		}))
	}()
	fmt.Println("fakeedge: drain within", os.Getenv("EDGE_DRAIN_WITHIN"), "pid", os.Getpid())

	<-ctx.Done()
	fmt.Println("fakeedge: draining")
	if manner == "stubborn" {
		select {}
	}
	// A while, so that a Redis that was told at the same time would be gone.
	<-time.After(100 * time.Millisecond)
	return rdb.Set(context.WithoutCancel(ctx), "drained", "yes", 0).Err()
}
