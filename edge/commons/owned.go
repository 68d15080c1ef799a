package commons

import (
	"context"
	"errors"
	"strconv"

	"github.com/claudemesh/claudemesh/presence"
)

// ownsShelf names the peers that own something: PEER → generation. It saves
// most departures from looking through every family.
var ownsShelf = shelf{name: "owns", fields: 20_000, bytes: 4 << 20}

// owning belongs to each act that gives who something that goes with its
// lease.
func owning(who *Caller) change { return set(ownsShelf, who.Peer.ID, who.Generation) }

// owned reports whether something of a peer and a generation goes with the
// attachment that has left, or went before it.
func owned(peer, generation string, l presence.Left) bool {
	mine, err := strconv.ParseUint(generation, 10, 64)
	left, err2 := strconv.ParseUint(l.Generation, 10, 64)
	return peer == l.ID && err == nil && err2 == nil && mine <= left
}

// disown removes what a peer owned. The peer is struck off last, so that a
// clean-up that was cut short finds everything again; one that has come back
// and owns something anew stays.
func (s *Commons) disown(ctx context.Context, l presence.Left) error {
	generation, err := s.get(ctx, l.Mesh, ownsShelf, l.ID)
	if err != nil || generation == "" {
		return err
	}
	var errs []error
	for _, f := range s.left {
		errs = append(errs, f(ctx, l))
	}
	if err := errors.Join(errs...); err != nil || !owned(l.ID, generation, l) {
		return err
	}
	_, _, err = s.apply(ctx, act{mesh: l.Mesh, tidy: true, changes: []change{remove(ownsShelf, l.ID).was(generation)}})
	if errors.Is(err, errConflict) {
		return nil
	}
	return err
}
