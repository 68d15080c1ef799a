// Command pack builds the functions and packs them for Lambda.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/claudemesh/claudemesh/infra/aws/pack"
)

func main() {
	out := flag.String("out", "bin/lambda", "the `directory` for the zips")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	files, err := pack.Build(ctx, pack.Options{Module: ".", Out: *out})
	for _, file := range files {
		fmt.Println(file)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}
