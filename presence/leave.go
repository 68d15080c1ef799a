package presence

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// Detach says that the socket of h was lost. From now on the peer has one TTL
// to come back; cursor is where it will go on reading. A transient peer leaves
// at once. Detach returns [ErrLost], and changes nothing, when h does not hold
// the lease.
func (s *Store) Detach(ctx context.Context, h Held, cursor string) error {
	keys, args := s.subject(h.Peer, noCursor, h.Generation, h.Edge, millis(s.opt.TTL), goodCursor(cursor))
	answer, err := s.rdb.Run(ctx, s.scripts.detach, keys, args...).StringSlice()
	if err != nil {
		return failed("detach", err)
	}
	return s.afterGoodbye("detach", h.Peer, answer)
}

// Leave is a goodbye: the lease ends now, others are told at once if they knew
// the peer, the member's state is saved. A repeat does nothing. Only h's
// generation is compared, so [Presence.Held] will do; Leave returns [ErrLost]
// when a newer attachment holds the peer.
func (s *Store) Leave(ctx context.Context, h Held) error {
	keys, args := s.subject(h.Peer, newEpoch(), h.Generation)
	answer, err := s.rdb.Run(ctx, s.scripts.leave, keys, args...).StringSlice()
	if err != nil {
		return failed("leave", err)
	}
	return s.afterGoodbye("leave", h.Peer, answer)
}

// Expel ends every lease of a member, also of those in their grace that no
// edge holds a socket for. Others are told as of any goodbye.
func (s *Store) Expel(ctx context.Context, mesh, member string) error {
	all, err := s.records(ctx, mesh)
	if err != nil {
		return failed("expel", err)
	}
	var errs []error
	for _, p := range all {
		if p.Member != member {
			continue
		}
		if err := s.Leave(ctx, p.Held()); err != nil && !errors.Is(err, ErrLost) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// afterGoodbye reads the answer of detach and leave.
func (s *Store) afterGoodbye(verb string, p Peer, answer []string) error {
	if len(answer) == 0 {
		return unexpected(verb, answer)
	}
	switch answer[0] {
	case "ok":
		return nil
	case "lost":
		return ErrLost
	}
	left, ok := parseLeft(p, answer)
	if !ok {
		return unexpected(verb, answer)
	}
	select {
	case s.departed <- left:
	default: // the sweeper finds it
	}
	return nil
}

// Settle makes a peer whose lease has run out leave: peer_left is appended,
// the record removed, the clean-up noted. It reports false when there is
// nothing to settle: the lease is alive, or somebody else was quicker. Anyone
// may call it at any time, but only a [Watcher] knows when it is safe to
// believe that a lease ran out because nobody renewed it.
func (s *Store) Settle(ctx context.Context, p Peer) (Left, bool, error) {
	call := s.settling(p, warrant{})
	answer, err := s.rdb.Run(ctx, call.Script, call.Keys, call.Args...).StringSlice()
	if err != nil {
		return Left{}, false, failed("settle", err)
	}
	left, ok := parseLeft(p, answer)
	return left, ok, nil
}

// settling is one run of the verb, which happens only under its warrant.
func (s *Store) settling(p Peer, held warrant) redis.Call {
	keys, args := s.subject(p, newEpoch(), held.runID, held.latest)
	return redis.Call{Script: s.scripts.settle, Keys: keys, Args: args}
}

// parseLeft reads what depart() of lua/depart.lua answers.
func parseLeft(p Peer, answer []string) (Left, bool) {
	if len(answer) != 5 || answer[0] != "left" {
		return Left{}, false
	}
	record, ok := parseRecord(p, answer[1])
	seq, isSeq := parseCount(answer[2])
	late, isLate := parseCount(answer[3])
	return Left{
		Peer: p, Generation: record.Generation, Member: record.Member, Key: record.Key,
		Announced: answer[4] == "announced", Seq: seq,
		Late: time.Duration(late) * time.Millisecond, Record: record.Record,
	}, ok && isSeq && isLate
}
