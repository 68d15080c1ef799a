package queue

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// retireBatch bounds how many messages one script moves.
const retireBatch = 50

// Retire moves messages of one partition that have waited for [Retention] to
// the dead letters of their mesh, at most limit of them, and returns how many
// it moved. Any number of processes may run it at once, any number of times.
func (q *Queue) Retire(ctx context.Context, partition, limit int) (moved int, err error) {
	tag := redis.PartitionTag(partition)
	for moved < limit {
		lanes, err := q.due(ctx, tag, limit)
		if err != nil || len(lanes) == 0 {
			return moved, err
		}
		for _, lane := range lanes {
			n, err := q.retireLane(ctx, tag, lane, min(retireBatch, limit-moved))
			if moved += n; err != nil || moved >= limit {
				return moved, err
			}
		}
	}
	return moved, nil
}

// due lists lanes whose oldest message may have waited long enough. Retiring
// one moves something out of it or scores it anew, so it is not listed again
// for the same reason.
func (q *Queue) due(ctx context.Context, tag string, limit int) ([]string, error) {
	_, rest, err := q.run(ctx, "due lanes", dueScript, []string{waitsKey(tag)}, q.retention.Milliseconds(), min(limit, retireBatch))
	if err != nil {
		return nil, err
	}
	out := make([]string, len(rest))
	for i := range rest {
		out[i], _ = rest[i].(string)
	}
	return out, nil
}

func (q *Queue) retireLane(ctx context.Context, tag, lane string, limit int) (int, error) {
	r, ok := parseInboxRef(lane)
	if !ok {
		return 0, fmt.Errorf("queue: retire: %.100q in the index of waiting lanes", lane)
	}
	p := place{tag: tag, mesh: r.mesh}
	_, rest, err := q.run(ctx, "retire", retireScript,
		[]string{p.head(), p.inboxes(), p.waits(), p.tries(), p.dead(), p.buried()},
		r.mesh, r.key, string(r.lane), q.retention.Milliseconds(), limit,
		q.maxDead, q.maxDeadBytes, q.deadKeep.Milliseconds())
	if err != nil || len(rest) != 1 {
		return 0, err
	}
	n, _ := rest[0].(int64)
	return int(n), nil
}
