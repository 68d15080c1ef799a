// Command claudemesh talks to the peers of a mesh.
package main

import (
	"context"
	"os"

	"github.com/claudemesh/claudemesh/cli/internal/command"
)

func main() {
	ctx, stop := command.Signals(context.Background())
	code := command.Run(ctx, command.FromOS())
	stop()
	os.Exit(code)
}
