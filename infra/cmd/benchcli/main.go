// Command benchcli measures what a question to a mesh costs: the time of
// `claudemesh peers` from start to answer, and its memory, beside those of a
// Node process that does nothing. It starts a broker of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	bin := flag.String("bin", "bin", "the `directory` with dev, edge and claudemesh")
	runs := flag.Int("runs", 40, "how `often` each is run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *bin, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "benchcli:", err)
		os.Exit(1)
	}
}
