// Command npm packs the command line for npm into a directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/claudemesh/claudemesh/infra/npm"
)

func main() {
	out := flag.String("out", "bin/npm", "the `directory` to fill; it is emptied first")
	version := flag.String("version", "dev", "the `version`, as git describes it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *version); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, version string) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("npm: there is no npm on the PATH to pack with: %w", err)
	}
	files, err := npm.Build(ctx, npm.Options{Module: ".", Out: out, Version: version, Platforms: npm.Platforms})
	for _, file := range files {
		fmt.Println(file)
	}
	return err
}
