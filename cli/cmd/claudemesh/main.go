// Command claudemesh talks to the peers of a mesh.
package main

import (
	"context"
	"os"

	"github.com/claudemesh/claudemesh/cli/internal/command"
)

// version is set by the linker where a release is built.
var version string

func main() {
	ctx, stop := command.Signals(context.Background())
	env := command.FromOS()
	env.Version = version
	code := command.Run(ctx, env)
	stop()
	os.Exit(code)
}
