package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Entry is a waiting message.
type Entry struct {
	Seq      uint64
	ID       string
	At       int64  // when it was sent, in milliseconds
	Member   string // the sender's member key
	Peer     string // the sender's PEER
	ClientID string
	Body     string // a JSON object's text
}

// Read returns what waits in one lane of an inbox behind the message after, in
// order: at most limit entries, and no more than maxBytes of them unless the
// first alone is larger.
func (q *Queue) Read(ctx context.Context, mesh, inbox string, lane Lane, after uint64, limit, maxBytes int) ([]Entry, error) {
	if err := checkLane(mesh, inbox, lane); err != nil {
		return nil, err
	}
	_, rest, err := q.run(ctx, "read", readScript, []string{q.at(mesh).inbox(inbox, lane)},
		after, limit, maxBytes)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(rest))
	for _, item := range rest {
		e, ok := parseEntry(item)
		if !ok {
			return nil, fmt.Errorf("queue: read %s: malformed entry", inbox)
		}
		out = append(out, e)
	}
	return out, nil
}

// Ack removes the message with that id from whichever lane of the given inboxes
// holds it, and reports whether one did. Asking again is harmless.
func (q *Queue) Ack(ctx context.Context, mesh string, lease Lease, inboxes []string, id string) (bool, error) {
	if err := checkNames(append([]string{mesh}, inboxes...)...); err != nil {
		return false, err
	}
	class, seq, ok := ParseID(id)
	if !ok || class != ClassDirect {
		return false, nil
	}
	p := q.at(mesh)
	args := []any{lease.Value, mesh, q.bucket.Milliseconds(), seq, id}
	for _, inbox := range inboxes {
		args = append(args, inbox)
	}
	_, rest, err := q.run(ctx, "ack", ackScript,
		[]string{lease.Key, p.head(), p.inboxes(), p.waits(), p.tries(), p.track()}, args...)
	return err == nil && len(rest) == 1 && rest[0] == int64(1), err
}

// maxConfirm bounds the work of one script.
const maxConfirm = 100

// Confirm counts one push of each of these messages to a reader that has never
// acked but has answered a ping since. The message whose [MaxPushes] is reached
// is removed and counts as delivered without confirmation.
func (q *Queue) Confirm(ctx context.Context, mesh string, lease Lease, inbox string, lane Lane, seqs []uint64) error {
	if err := checkLane(mesh, inbox, lane); err != nil {
		return err
	}
	for len(seqs) > 0 {
		n := min(len(seqs), maxConfirm)
		if err := q.confirm(ctx, mesh, lease, inbox, lane, seqs[:n]); err != nil {
			return err
		}
		seqs = seqs[n:]
	}
	return nil
}

func (q *Queue) confirm(ctx context.Context, mesh string, lease Lease, inbox string, lane Lane, seqs []uint64) error {
	p := q.at(mesh)
	args := []any{lease.Value, mesh, q.bucket.Milliseconds(), inbox, string(lane), MaxPushes, q.retention.Milliseconds()}
	for _, seq := range seqs {
		args = append(args, seq)
	}
	_, _, err := q.run(ctx, "confirm", confirmScript,
		[]string{lease.Key, p.head(), p.inboxes(), p.waits(), p.tries(), p.track()}, args...)
	return err
}

func checkLane(mesh, inbox string, lane Lane) error {
	if !lane.valid() {
		return fmt.Errorf("%w: lane %.20q", ErrInvalid, lane)
	}
	return checkNames(mesh, inbox)
}

// parseEntry reads one item of an XRANGE of an inbox.
func parseEntry(item any) (Entry, bool) {
	seq, f, ok := parseItem(item, 6)
	if !ok {
		return Entry{}, false
	}
	at, err := strconv.ParseInt(f[1], 10, 64)
	return Entry{
		Seq: seq, ID: entryID(seq, f[0]), At: at,
		Member: f[2], Peer: f[3], ClientID: f[4], Body: f[5],
	}, err == nil
}

// entryID is the id of a message by its stored tail. One that was put back from
// the dead letters stands under another SEQ and keeps its whole id instead,
// with the time of that behind it.
func entryID(seq uint64, tail string) string {
	if len(tail) > idLen {
		return tail[:idLen]
	}
	return makeID(ClassDirect, seq, tail)
}

// parseItem takes a stream entry apart: the number before the dash of its id,
// and the values of its n fields.
func parseItem(item any, n int) (seq uint64, values []string, ok bool) {
	pair, _ := item.([]any)
	if len(pair) != 2 {
		return 0, nil, false
	}
	id, _ := pair[0].(string)
	fields, _ := pair[1].([]any)
	digits, _, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || len(fields) != 2*n {
		return 0, nil, false
	}
	values = make([]string, n)
	for i := range values {
		if values[i], ok = fields[2*i+1].(string); !ok {
			return 0, nil, false
		}
	}
	return seq, values, true
}
