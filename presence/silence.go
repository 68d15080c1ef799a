package presence

import (
	"context"
	"errors"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Silence tells for how long nothing was heard of each peer of a mesh. A peer
// whose socket was lost is silent since then; one whose lease was not renewed
// when it should have been, twice, since the last renewal: its edge has died.
// Of all others something is heard all the time.
func (s *Store) Silence(ctx context.Context, mesh string) (map[string]time.Duration, error) {
	peers, err := s.records(ctx, mesh)
	if err != nil {
		return nil, failed("silence", err)
	}
	pipe := s.rdb.Raw().Pipeline()
	values, ttls := make([]*goredis.StringCmd, len(peers)), make([]*goredis.DurationCmd, len(peers))
	for i, p := range peers {
		values[i], ttls[i] = pipe.Get(ctx, s.LeaseKey(p.Peer)), pipe.PTTL(ctx, s.LeaseKey(p.Peer))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, goredis.Nil) {
		return nil, failed("silence", err)
	}
	out := make(map[string]time.Duration, len(peers))
	for i, p := range peers {
		out[p.ID] = s.silence(values[i].Val(), ttls[i].Val())
	}
	return out, nil
}

// silence reads it from a lease value, empty for none, and how long the lease
// will last.
func (s *Store) silence(value string, left time.Duration) time.Duration {
	switch {
	case value == "" || left < 0:
		return s.lifetime()
	case strings.HasSuffix(value, "/-"):
		return max(0, s.opt.TTL-left)
	}
	if since := s.lifetime() - left; since > 2*s.opt.RenewEvery {
		return since
	}
	return 0
}
