package presence

import (
	"context"
	"fmt"
)

// Outcome tells how an attachment came about.
type Outcome string

// The outcomes of [Store.Attach].
const (
	Joined   Outcome = "joined"    // the peer was away; others have been told
	Resumed  Outcome = "resumed"   // its socket was gone, its lease or record not; nobody was told
	TookOver Outcome = "took_over" // another connection held the lease; nobody was told
)

// Attachment is an accepted handshake.
type Attachment struct {
	Peer
	Member string
	Key    string
	Kind   Kind
	Edge   string
	Conn   string

	Transient bool
	Announce  bool // others may know: false for a peer that comes hidden
	Hello     bool
	Everyone  bool // join and leave also go to connections of the same member

	Record    []byte // JSON for the roster, stored when the peer joins
	JoinEvent string // peer_joined, peer_returned, or empty for none
	JoinData  []byte // its data, a JSON object

	// Known is the epoch of the journal in which others were told that the peer
	// is here and not that it has left; empty if they were not. Should Redis have
	// lost that, and the peer with it, then its return is not announced.
	Known string

	Cursor   string // named by the client, or empty to go on from the stored one
	Capacity int    // of the mesh; 0 means unlimited
	Epoch    string // the journal's, should it have none yet; empty makes one
}

// Attached is what an [Attachment] became.
type Attached struct {
	Held
	Outcome   Outcome
	Displaced Held // with TookOver: who held the lease

	Start  Cursor // read the journal on from here
	Resync bool   // the journal does not reach back to what the peer has seen

	Stored Presence // the record as it now stands; on Resumed and TookOver not the one passed
}

// Attach gives the peer's lease to a connection. The newest wins: whoever held
// it before learns by the bell "taken", and nothing it does has an effect any
// more.
//
// A peer whose record is still in the roster is resumed, even when its lease
// has run out, since nobody has been told of that. Attach returns
// [ErrCapacity], [ErrBanned] or [ErrNotMember] when it refuses.
func (s *Store) Attach(ctx context.Context, a Attachment) (Attached, error) {
	if a.Epoch == "" {
		a.Epoch = newEpoch()
	}
	if err := a.check(); err != nil {
		return Attached{}, err
	}
	keys, args := s.attachment(a, "")
	answer, err := s.rdb.Run(ctx, s.scripts.attach, keys, args...).StringSlice()
	if err != nil {
		return Attached{}, failed("attach", err)
	}
	return a.attached(answer)
}

// attachment is what lua/attach.lua is given; resumes is a generation, or empty.
func (s *Store) attachment(a Attachment, resumes string) (keys []string, args []any) {
	return s.subject(a.Peer, a.Epoch,
		a.Edge, a.Conn, millis(s.lifetime()), a.Member, a.Key, string(a.Kind), a.flags(), a.Record,
		a.JoinEvent, a.JoinData, namedCursor(a.Cursor), a.Capacity, resumes, a.Known)
}

func (a Attachment) check() error {
	for _, word := range []string{a.Mesh, a.ID, a.Member, a.Key, string(a.Kind), a.Edge, a.Conn, a.Epoch} {
		if !isWord(word) {
			return fmt.Errorf("presence: attach: %q cannot be part of a record", word)
		}
	}
	return nil
}

func (a Attachment) flags() string {
	return joinFlags(Presence{
		Announced: a.Announce && !a.Transient, Transient: a.Transient, Hello: a.Hello, Everyone: a.Everyone,
	})
}

// attachWords is the length of an answer of lua/attach.lua that is no refusal.
const attachWords = 6

// attached reads the answer of lua/attach.lua.
func (a Attachment) attached(answer []string) (Attached, error) {
	if len(answer) == 1 {
		return Attached{}, refusal(answer[0])
	}
	if len(answer) != attachWords {
		return Attached{}, unexpected("attach", answer)
	}
	start, ok := ParseCursor(answer[3])
	stored, good := parseRecord(a.Peer, answer[5])
	if !ok || !good {
		return Attached{}, unexpected("attach", answer)
	}
	out := Attached{
		Held:    Held{Peer: a.Peer, Generation: answer[1], Edge: a.Edge, Conn: a.Conn},
		Outcome: Outcome(answer[0]), Start: start, Resync: answer[4] == "resync", Stored: stored,
	}
	if gen, edge, conn, ok := parseLeaseValue(answer[2]); ok {
		out.Displaced = Held{Peer: a.Peer, Generation: gen, Edge: edge, Conn: conn}
	}
	return out, nil
}

func refusal(word string) error {
	switch word {
	case "banned":
		return ErrBanned
	case "stranger":
		return ErrNotMember
	case "full":
		return ErrCapacity
	case "passed":
		return ErrPassed
	default:
		return unexpected("attach", word)
	}
}
