package queue

import (
	"context"
	"fmt"
	"strconv"
)

// Turn begins a new epoch of a mesh's journal, which went back in time: lost
// are epochs that lie in what is gone. Only the first who says so turns it. A
// journal that is in another epoch has been turned, or is another one, and stays
// as it is; one that has no epoch gets one. Turn returns the head as it then is.
func (q *Queue) Turn(ctx context.Context, mesh string, lost ...string) (Head, error) {
	args := []any{randomText(epochLen)}
	for _, epoch := range lost {
		args = append(args, epoch)
	}
	_, rest, err := q.run(ctx, "turn", turnScript, []string{q.at(mesh).head()}, args...)
	if err != nil {
		return Head{}, err
	}
	words, err := texts(rest, 3)
	if err != nil {
		return Head{}, err
	}
	seq, err := strconv.ParseUint(words[1], 10, 64)
	if err != nil {
		return Head{}, fmt.Errorf("queue: turn: %w", err)
	}
	return Head{Epoch: words[0], Seq: seq, ID: words[2]}, nil
}

// texts reads the items of an answer that holds n texts.
func texts(items []any, n int) ([]string, error) {
	out := make([]string, 0, n)
	for _, item := range items {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	if len(out) != n || len(items) != n {
		return nil, fmt.Errorf("queue: unexpected answer %q", items)
	}
	return out, nil
}
