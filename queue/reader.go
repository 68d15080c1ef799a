package queue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// Kind is what a connection has shown of itself.
type Kind string

const (
	// KindSession has proven its session key.
	KindSession Kind = "session"
	// KindClaim merely names a session key.
	KindClaim Kind = "claim"
	// KindMember has no session key.
	KindMember Kind = "member"
)

// Ranks of candidates, best first.
const (
	RankAcked     = 0 // has acked before
	RankSession   = 1
	RankUnproven  = 2 // one-shot or key-less connection
	RankTransient = 3
)

// Reader is a connection that can read an inbox. What Inbox may be depends on
// the connection:
//
//   - its Member key: it stands in line for the member's inbox;
//   - its own Peer: that inbox is its own; for a session this is its proven key;
//   - any key, for a [KindClaim]: messages to that key go to the inbox of its
//     Peer as long as the key belongs to no member and no proven session.
type Reader struct {
	Mesh       string
	Lease      Lease
	Inbox      string
	Peer       string
	Member     string
	Generation string
	Edge       string
	Kind       Kind
	Rank       int
}

// Readership answers whether the connection is the inbox's reader now and must
// drain it. For a claim it says whether messages to the claimed key reach it.
type Readership struct{ Best bool }

// OpenReader makes a connection a candidate for an inbox, in place of any older
// generation of the same peer, whose place and better rank it keeps. A session
// that opens its own inbox ends all claims on its key. When [MaxReaders] better
// candidates are there already it is not entered.
func (q *Queue) OpenReader(ctx context.Context, r Reader) (Readership, error) {
	if err := r.check(); err != nil {
		return Readership{}, err
	}
	claim := r.Inbox != r.Member && r.Inbox != r.Peer
	proof := r.Inbox == r.Peer && r.Kind == KindSession
	p := q.at(r.Mesh)
	return q.readership(ctx, "open reader", openReaderScript,
		[]string{r.Lease.Key, p.reader(), q.o.SessionsKey(r.Mesh)},
		r.Lease.Value, r.Inbox, r.Peer, r.Generation, r.Edge, r.Member, r.Rank,
		flag(claim), flag(proof), q.maxReads, q.c.EdgeBell(r.Mesh, ""))
}

// Promote gives a candidate [RankAcked], because it has just shown that it
// acks. A connection that is no candidate stays none.
func (q *Queue) Promote(ctx context.Context, r Reader) (Readership, error) {
	if err := r.check(); err != nil {
		return Readership{}, err
	}
	return q.readership(ctx, "promote", promoteScript,
		[]string{r.Lease.Key, q.at(r.Mesh).reader()},
		r.Lease.Value, r.Inbox, r.Peer, r.Generation, q.c.EdgeBell(r.Mesh, ""))
}

func (q *Queue) readership(ctx context.Context, verb string, s *redis.Script, keys []string, args ...any) (Readership, error) {
	_, rest, err := q.run(ctx, verb, s, keys, args...)
	if err != nil {
		return Readership{}, err
	}
	return Readership{Best: len(rest) == 1 && rest[0] == int64(1)}, nil
}

// CloseReader removes a peer from the candidates of an inbox, and from the
// claims on that key, unless its generation is newer than upTo. The next best
// candidate is told by a [ReaderBell]. It may be repeated, and needs no lease,
// because it is the clean-up after one.
func (q *Queue) CloseReader(ctx context.Context, mesh, inbox, peer, upTo string) error {
	if err := checkNames(mesh, inbox, peer); err != nil {
		return err
	}
	if err := checkGeneration(upTo); err != nil {
		return err
	}
	_, _, err := q.run(ctx, "close reader", closeReaderScript, []string{q.at(mesh).reader()},
		inbox, peer, upTo, q.c.EdgeBell(mesh, ""))
	return err
}

func (r Reader) check() error {
	if err := checkNames(r.Mesh, r.Inbox, r.Peer, r.Member, r.Edge); err != nil {
		return err
	}
	if err := checkGeneration(r.Generation); err != nil {
		return err
	}
	if r.Rank < RankAcked || r.Rank > RankTransient {
		return fmt.Errorf("%w: rank %d", ErrInvalid, r.Rank)
	}
	if r.Kind != KindClaim && r.Inbox != r.Member && r.Inbox != r.Peer {
		return fmt.Errorf("%w: a %.20q may not read the inbox of another key", ErrInvalid, r.Kind)
	}
	return nil
}

// checkGeneration refuses what the scripts could not compare as a number.
func checkGeneration(s string) error {
	if n, err := strconv.ParseUint(s, 10, 53); err != nil || strconv.FormatUint(n, 10) != s {
		return fmt.Errorf("%w: generation %.40q", ErrInvalid, s)
	}
	return nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
