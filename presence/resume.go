package presence

import (
	"context"
	"errors"
)

// ErrPassed says that the attachment to go on with is not the peer's last one:
// there was a newer one, or the peer has left. A whole handshake is in order.
var ErrPassed = errors.New("presence: attachment has passed")

// Resumption asks to go on with an attachment. What is not named here is in
// the record.
type Resumption struct {
	Held          // the attachment, by its generation; edge and connection are the new ones
	Member string // must be the record's, like Key and Kind
	Key    string
	Kind   Kind
	Cursor string // named by the client, or empty to go on from the stored one
}

// Continued is an attachment that goes on under a new generation. Its outcome
// is never [Joined].
type Continued struct {
	Attached
	Registry Registry
}

// Registry is what the registry says at the same moment, in its own encoding:
// so nobody has to ask it before the peer is told.
type Registry struct {
	Member string   // the member's field
	Grants string   // the member's field there, empty without one
	Mesh   []string // fields and values
}

// Resume is [Store.Attach] for a peer whose last attachment is known: it takes
// one script, and never makes anybody join. It returns [ErrPassed],
// [ErrBanned] or [ErrNotMember] when it refuses; the last one also for a mesh
// that is closed.
func (s *Store) Resume(ctx context.Context, r Resumption) (Continued, error) {
	a := Attachment{
		Peer: r.Peer, Member: r.Member, Key: r.Key, Kind: r.Kind, Edge: r.Edge, Conn: r.Conn,
		Cursor: r.Cursor, Epoch: newEpoch(),
	}
	if err := a.check(); err != nil {
		return Continued{}, err
	}
	if _, ok := parseCount(r.Generation); !ok {
		return Continued{}, ErrPassed
	}
	keys, args := s.attachment(a, r.Generation)
	keys = append(keys, s.opt.GrantsKey(r.Mesh), s.opt.MeshKey(r.Mesh))
	answer, err := s.rdb.Run(ctx, s.scripts.attach, keys, args...).StringSlice()
	switch {
	case err != nil:
		return Continued{}, failed("resume", err)
	case len(answer) == 1:
		return Continued{}, refusal(answer[0])
	case len(answer) < attachWords+2:
		return Continued{}, unexpected("resume", answer)
	}
	got, err := a.attached(answer[:attachWords])
	about := answer[attachWords:]
	return Continued{Attached: got, Registry: Registry{Member: about[0], Grants: about[1], Mesh: about[2:]}}, err
}
