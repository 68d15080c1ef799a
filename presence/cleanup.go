package presence

import (
	"context"
	"slices"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// cleaners is how many clean-ups run at once in one process.
const cleaners = 4

// settle settles peers that are believed to have left. Those in partitions that
// are on hold it leaves alone: the due index still has them when the hold ends.
func (w *Watcher) settle(ctx context.Context, peers []Peer) {
	if len(peers) == 0 {
		return
	}
	calls := make([]redis.Call, 0, len(peers))
	peers = slices.DeleteFunc(peers, func(p Peer) bool {
		held, ok := w.warrant(ctx, w.store.rdb.Partition(p.Mesh))
		if ok {
			calls = append(calls, w.store.settling(p, held))
		}
		return !ok
	})
	for i, cmd := range w.store.rdb.RunAll(ctx, calls) {
		answer, err := cmd.StringSlice()
		if err != nil {
			w.opt.Log.WarnContext(ctx, "settle", "mesh", peers[i].Mesh, "err", err)
			continue
		}
		if l, ok := parseLeft(peers[i], answer); ok {
			w.settled(l)
		}
	}
}

func (w *Watcher) settled(l Left) {
	if w.opt.Lateness != nil {
		w.opt.Lateness(l.Late)
	}
	w.owe(l)
}

// owe queues a clean-up. One that does not fit stays noted in Redis and is
// claimed again later.
func (w *Watcher) owe(l Left) {
	select {
	case w.owed <- l:
	default:
	}
}

// clean does the clean-ups that are owed, and those of peers that said goodbye
// to this process.
func (w *Watcher) clean(ctx context.Context) {
	for {
		var l Left
		select {
		case <-ctx.Done():
			return
		case l = <-w.owed:
		case l = <-w.store.departed:
		}
		if err := w.cleanUp(ctx, l); err != nil && ctx.Err() == nil {
			w.opt.Log.WarnContext(ctx, "clean up", "mesh", l.Mesh, "err", err)
		}
	}
}

// cleanUp ticks l off once its clean-up is done. Otherwise the note stays, and
// the first edge of its partition tries again when its time has come.
func (w *Watcher) cleanUp(ctx context.Context, l Left) error {
	if w.opt.OnLeft != nil {
		if err := w.opt.OnLeft(ctx, l); err != nil {
			return err
		}
	}
	return w.store.tickOff(ctx, l)
}

// tickOff strikes a finished clean-up from the list. One command is atomic
// enough, so this verb has no script.
func (s *Store) tickOff(ctx context.Context, l Left) error {
	err := s.rdb.Do(ctx, "ZREM", cleanupKey(s.rdb.Tag(l.Mesh)), cleanupMember(l)).Err()
	if err != nil {
		return failed("tick off clean-up", err)
	}
	return nil
}

// Unfinished counts the clean-ups of a partition that are not ticked off.
func (s *Store) Unfinished(ctx context.Context, partition int) (int64, error) {
	n, err := s.rdb.Raw().ZCard(ctx, cleanupKey(redis.PartitionTag(partition))).Result()
	if err != nil {
		return 0, failed("count clean-ups", err)
	}
	return n, nil
}
