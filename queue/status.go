package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// buckets is how many buckets rotate. Four are in use; the fifth has expired
// before it is used again.
const buckets = 5

// MessageStatus is what is known of a message.
type MessageStatus struct {
	ID        string
	Target    string
	Delivered bool

	// DeliveredAt is when it was acked or, when Unconfirmed is set, when it had
	// been pushed [MaxPushes] times to a reader that never acks. For a post it
	// is when it was published.
	DeliveredAt time.Time
	Unconfirmed bool
}

// Status tells what became of a message of the last day, by its id or by the
// first 8 or more characters of it. It returns [ErrInvalid] for what cannot be
// an id and [ErrNotFound] when no such message is known.
func (q *Queue) Status(ctx context.Context, mesh, prefix string) (MessageStatus, error) {
	if len(prefix) < idHead || len(prefix) > idLen || !allBase62(prefix) {
		return MessageStatus{}, fmt.Errorf("%w: message id %.40q", ErrInvalid, prefix)
	}
	p, head := q.at(mesh), prefix[:idHead]
	pipe := q.c.Raw().Pipeline()
	cmds := make([]*goredis.SliceCmd, buckets)
	for i := range cmds {
		cmds[i] = pipe.HMGet(ctx, p.trackBucket(i), head)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return MessageStatus{}, wrap("status", err)
	}
	for _, cmd := range cmds {
		value, _ := cmd.Val()[0].(string)
		if s, ok := parseTrack(head, value); ok && strings.HasPrefix(s.ID, prefix) {
			return s, nil
		}
	}
	return MessageStatus{}, ErrNotFound
}

// parseTrack reads "TAIL TARGET DELIVERED". The target may contain spaces.
func parseTrack(head, value string) (MessageStatus, bool) {
	last := strings.LastIndexByte(value, ' ')
	if last <= tailLen || value[tailLen] != ' ' {
		return MessageStatus{}, false
	}
	s := MessageStatus{ID: head + value[:tailLen], Target: value[tailLen+1 : last]}
	digits, unconfirmed := strings.CutPrefix(value[last+1:], "-")
	ms, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return MessageStatus{}, false
	}
	if ms != 0 {
		s.Delivered, s.Unconfirmed, s.DeliveredAt = true, unconfirmed, time.UnixMilli(ms).UTC()
	}
	return s, true
}
