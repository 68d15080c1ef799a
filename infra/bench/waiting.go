package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// waitingRoles is how many inboxes fill, and waitingEach how many messages
	// of waitingBytes wait in each, as README's arithmetic assumes.
	waitingRoles = 500
	waitingEach  = 5
	waitingBytes = 600
)

// waiting measures what messages that nobody has fetched take in Redis.
func (b *bench) waiting(ctx context.Context) ([]row, error) {
	var first, each, ids series
	err := b.rounds(func(int) error {
		got, err := b.wait(ctx)
		first, each, ids = append(first, got.first), append(each, got.each), append(ids, got.ids)
		return err
	})
	return []row{
		{fmt.Sprintf("Redis's memory, a waiting message of %d bytes, alone in its inbox", waitingBytes), "KB", first, "", nil, nil},
		{fmt.Sprintf("the same, %d in an inbox", waitingEach), "KB", each, "", nil, []goal{atMost(value, 1.3)}},
		{"the same, what its ids take for 28 hours on average", "KB", ids, "", nil, nil},
	}, err
}

// waitingMessage is what one takes, in KB.
type waitingMessage struct{ first, each, ids float64 }

func (b *bench) wait(ctx context.Context) (out waitingMessage, err error) {
	n := min(waitingRoles, max(b.Peers/2, 1))
	s, err := b.newStage(ctx, n)
	if err != nil {
		return out, err
	}
	defer s.close()
	// What Redis keeps once, such as the scripts, is there before.
	if err := each(ctx, n, func(ctx context.Context, i int) error { return s.verbs(ctx, &s.roles[i]) }); err != nil {
		return out, err
	}
	_, empty, err := s.weigh(ctx)
	if err != nil {
		return out, err
	}
	if err := s.fill(ctx, 1); err != nil {
		return out, err
	}
	with, without, err := s.weigh(ctx)
	if err != nil {
		return out, err
	}
	out.first, out.ids = (without-empty)/1024/float64(n), (with-without)/1024/float64(n)
	if err := s.fill(ctx, waitingEach-1); err != nil {
		return out, err
	}
	_, without, err = s.weigh(ctx)
	out.each = (without - empty) / 1024 / float64(n) / waitingEach
	return out, err
}

// weigh is Redis's memory with and without the ids of what was sent.
func (s *stage) weigh(ctx context.Context) (with, without float64, err error) {
	if with, err = s.redisMemory(ctx); err != nil {
		return 0, 0, err
	}
	for _, ids := range []string{"once:*", "track:*"} {
		if err := s.forget(ctx, ids); err != nil {
			return 0, 0, err
		}
	}
	without, err = s.redisMemory(ctx)
	return with, without, err
}

// fill sends messages to each inbox that nobody fetches.
func (s *stage) fill(ctx context.Context, messages int) error {
	return each(ctx, len(s.roles), func(ctx context.Context, i int) error {
		for range messages {
			d := s.roles[i].direct
			d.ClientID = wire.NewID(wire.LongID)
			d.Body = []byte(`{"ciphertext":"` + strings.Repeat("c", waitingBytes-len(`{"ciphertext":""}`)) + `"}`)
			if _, err := s.queue.Send(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
}
