package queue

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
)

// Depth is how much waits in one inbox, all lanes together.
type Depth struct {
	Inbox    string // a member key, a session key, or the PEER of a claim
	Messages int
	Bytes    int64
}

// MaxDepths bounds the answer of [Queue.Depths].
const MaxDepths = 1000

// depthsPage is how many fields one round trip reads.
const depthsPage = 1000

// Depths tells how much waits in the inboxes of a mesh, in those that hold
// anything, the fullest first, at most [MaxDepths]. What is sent or acked
// meanwhile may or may not be counted.
func (q *Queue) Depths(ctx context.Context, mesh string) ([]Depth, error) {
	if err := checkNames(mesh); err != nil {
		return nil, err
	}
	found := map[string]Depth{}
	for cursor := uint64(0); ; {
		fields, next, err := q.c.Raw().HScan(ctx, q.at(mesh).head(), cursor, "[nb]:*", depthsPage).Result()
		if err != nil {
			return nil, wrap("depths", err)
		}
		for i := 0; i+1 < len(fields); i += 2 {
			countDepth(found, fields[i], fields[i+1])
		}
		if cursor = next; cursor == 0 {
			return fullest(found), nil
		}
	}
}

// countDepth reads one field of a head: n:KEY messages, or b:KEY bytes.
func countDepth(found map[string]Depth, field, value string) {
	what, inbox, _ := strings.Cut(field, ":")
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 {
		return
	}
	d := found[inbox]
	d.Inbox = inbox
	if what == "n" {
		d.Messages = int(n)
	} else {
		d.Bytes = n
	}
	found[inbox] = d
}

func fullest(found map[string]Depth) []Depth {
	out := make([]Depth, 0, len(found))
	for _, d := range found {
		if d.Messages > 0 {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Depth) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Inbox, b.Inbox))
	})
	return out[:min(len(out), MaxDepths)]
}
