package registry

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// UseNonce marks a nonce of a signing key as used. It returns [ErrReplayed]
// when it was used before. A nonce is remembered for [wire.NonceKept], longer
// than any signed time is good.
func (s *Store) UseNonce(ctx context.Context, key, nonce string) error {
	err := s.c.Do(ctx, "SET", s.keys.nonce(normal(key), nonce), 1,
		"NX", "PX", wire.NonceKept.Milliseconds()).Err()
	switch {
	case errors.Is(err, goredis.Nil):
		return ErrReplayed
	case err != nil:
		return fmt.Errorf("registry: use nonce: %w", err)
	}
	return nil
}

// Limit is a token bucket: Burst at once, then PerMinute.
type Limit struct {
	Name      string // of the bucket; part of its key
	Burst     int
	PerMinute int
}

//go:embed lua/take.lua
var takeSource string
var takeScript = redis.NewScript(takeSource)

// Take takes one token out of who's bucket. It returns 0, or how long it
// takes until there is one. The bucket's key expires when it would be full,
// so that somebody who comes once leaves nothing behind.
func (s *Store) Take(ctx context.Context, l Limit, who string) (wait time.Duration, err error) {
	ms, err := s.c.Run(ctx, takeScript, []string{s.keys.bucket(l.Name, who)}, l.Burst, l.PerMinute).Int64()
	if err != nil {
		return 0, fmt.Errorf("registry: take: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
