package queue

import (
	"context"
	"fmt"
	"strconv"
)

// DeadLetter is a message that nobody fetched in time.
type DeadLetter struct {
	Reason string // "expired"
	Inbox  string
	Lane   Lane
	Entry
}

// DeadLetters returns up to limit dead letters of a mesh, oldest first.
func (q *Queue) DeadLetters(ctx context.Context, mesh string, limit int) ([]DeadLetter, error) {
	list, err := q.c.Do(ctx, "XRANGE", q.at(mesh).dead(), "-", "+", "COUNT", limit).Slice()
	if err != nil {
		return nil, wrap("dead letters", err)
	}
	out := make([]DeadLetter, 0, len(list))
	for _, item := range list {
		d, ok := parseDead(item)
		if !ok {
			return nil, fmt.Errorf("queue: dead letters of %s: malformed entry", mesh)
		}
		out = append(out, d)
	}
	return out, nil
}

func parseDead(item any) (DeadLetter, bool) {
	_, f, ok := parseItem(item, 10)
	if !ok {
		return DeadLetter{}, false
	}
	seq, err := strconv.ParseUint(f[3], 10, 64)
	at, err2 := strconv.ParseInt(f[5], 10, 64)
	return DeadLetter{
		Reason: f[0], Inbox: f[1], Lane: Lane(f[2]),
		Entry: Entry{
			Seq: seq, ID: entryID(seq, f[4]), At: at,
			Member: f[6], Peer: f[7], ClientID: f[8], Body: f[9],
		},
	}, err == nil && err2 == nil
}

// Requeue puts a dead letter back into the inbox that it was for, behind what
// waits there, and rings at its reader. It keeps its id and the time at which
// it was sent; its retention begins anew.
//
// It returns [ErrNotFound] for what is no dead letter, [ErrNoRecipient] when
// nobody may read that inbox any more, and [ErrInboxFull] or [ErrMeshFull]
// where a send would. The dead letter stays in all these cases.
func (q *Queue) Requeue(ctx context.Context, mesh, id string) error {
	if err := checkDead(mesh, id); err != nil {
		return err
	}
	p := q.at(mesh)
	_, _, err := q.run(ctx, "requeue", requeueScript,
		[]string{
			p.head(), p.inboxes(), p.waits(), p.dead(), p.buried(), p.track(), p.reader(),
			q.o.MembersKey(mesh), q.o.BansKey(mesh), q.o.SessionsKey(mesh),
		},
		mesh, id, q.bucket.Milliseconds(), q.c.EdgeBell(mesh, ""), q.maxMessages, q.maxBytes, q.maxMesh)
	return err
}

// DropDead throws a dead letter away. It returns [ErrNotFound] for what is
// none.
func (q *Queue) DropDead(ctx context.Context, mesh, id string) error {
	if err := checkDead(mesh, id); err != nil {
		return err
	}
	p := q.at(mesh)
	_, _, err := q.run(ctx, "drop dead letter", dropDeadScript, []string{p.head(), p.dead(), p.buried()}, id)
	return err
}

// checkDead refuses what cannot be the id of a direct message.
func checkDead(mesh, id string) error {
	if class, _, ok := ParseID(id); !ok || class != ClassDirect {
		return fmt.Errorf("%w: message id %.40q", ErrInvalid, id)
	}
	return checkNames(mesh)
}
