package redistest

import "go.uber.org/goleak"

// LastDials excuses go-redis's attempts to reach a node that a test has killed:
// they end within a second after the client was closed.
func LastDials() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")
}
