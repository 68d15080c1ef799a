package queue

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// maxMeasured bounds how many lanes one look at a partition measures.
const maxMeasured = 100

// Backlog returns how many messages wait in the fullest lane of a partition.
// Where more than a hundred lanes hold something, those are measured that have
// held it for longest: nobody reads them, so they are the ones that grow.
func (q *Queue) Backlog(ctx context.Context, partition int) (deepest int64, err error) {
	tag := redis.PartitionTag(partition)
	lanes, err := q.c.Raw().ZRange(ctx, waitsKey(tag), 0, maxMeasured-1).Result()
	if err != nil || len(lanes) == 0 {
		return 0, wrapped("backlog", err)
	}
	pipe := q.c.Raw().Pipeline()
	sizes := make([]*goredis.IntCmd, len(lanes))
	for i, lane := range lanes {
		sizes[i] = pipe.XLen(ctx, "inbox:"+tag+":"+lane)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, wrap("backlog", err)
	}
	for _, size := range sizes {
		deepest = max(deepest, size.Val())
	}
	return deepest, nil
}

// wrapped is [wrap] for what may not have failed.
func wrapped(verb string, err error) error {
	if err == nil {
		return nil
	}
	return wrap(verb, err)
}
