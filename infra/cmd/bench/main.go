// Command bench measures what a mesh costs and prints each figure beside what
// it is held against in the same run. It is what `make bench` starts.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/claudemesh/claudemesh/infra/bench"
)

func main() {
	o := bench.Options{Out: os.Stdout, Log: os.Stderr}
	flag.StringVar(&o.Bin, "bin", "bin", "the `directory` with edge and bench")
	flag.IntVar(&o.Rounds, "rounds", 3, "how `often` each figure is measured")
	flag.DurationVar(&o.Round, "round", 2*time.Second, "how `long` it is measured each time")
	flag.IntVar(&o.Peers, "peers", 1000, "how `many` peers are idle, listen to a broadcast or come back")
	only := flag.String("only", "", "the `sections` to measure, separated by commas: "+strings.Join(bench.Sections(), ", "))
	bare := flag.String("bare", "", "be the bare program that is measured against, at this `address`")
	url := flag.String("redis", "", "the `address` of its Redis")
	flag.Parse()
	if *only != "" {
		o.Sections = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return bench.Run(ctx, o) }
	if *bare != "" {
		run = func() error { return bench.ServeBare(ctx, *bare, *url) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
