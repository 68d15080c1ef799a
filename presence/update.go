package presence

import (
	"context"
	"fmt"
)

// UpdateEvent is what others learn of an update.
type UpdateEvent struct {
	Event    string // peer_visible, peer_hidden, or empty for none
	Data     []byte // its data, a JSON object
	Announce *bool  // whether others know of the peer from now on; nil leaves it
}

// Update replaces the JSON of a record; nil leaves it. It returns the journal
// position of the event, 0 without one, and [ErrLost] when h does not hold the
// lease. A transient peer causes no events.
func (s *Store) Update(ctx context.Context, h Held, record []byte, u UpdateEvent) (journalSeq int64, err error) {
	keys, args := s.subject(h.Peer, newEpoch(), h.Value(), h.Generation, record, u.Event, u.Data, u.announce())
	word, err := s.rdb.Run(ctx, s.scripts.update, keys, args...).Text()
	switch seq, ok := parseCount(word); {
	case err != nil:
		return 0, failed("update", err)
	case word == "lost":
		return 0, ErrLost
	case !ok:
		return 0, unexpected("update", word)
	default:
		return seq, nil
	}
}

func (u UpdateEvent) announce() string {
	switch {
	case u.Announce == nil:
		return "keep"
	case *u.Announce:
		return "yes"
	default:
		return "no"
	}
}

// SetStatus writes a peer's status. With held it acts for that attachment and
// returns [ErrLost] when it does not hold the lease; without, it speaks from
// outside, as hooks do. It returns the status as it now stands: a hook cannot
// lift dnd, and a weaker source does not take over a fresh record of a
// stronger one. [ErrAway] means that there is no such peer.
func (s *Store) SetStatus(ctx context.Context, p Peer, held *Held, status, source string) (Status, error) {
	if !knownStatus(status) || !knownSource(source) {
		return Status{}, fmt.Errorf("presence: set status: %q by %q is not a status", status, source)
	}
	value := ""
	if held != nil {
		value = held.Value()
	}
	keys, args := s.subject(p, noCursor, value, status, source)
	answer, err := s.rdb.Run(ctx, s.scripts.status, keys, args...).StringSlice()
	if err != nil {
		return Status{}, failed("set status", err)
	}
	return readStatus(answer)
}

func readStatus(answer []string) (Status, error) {
	switch {
	case len(answer) == 1 && answer[0] == "lost":
		return Status{}, ErrLost
	case len(answer) == 1 && answer[0] == "away":
		return Status{}, ErrAway
	case len(answer) != 3:
		return Status{}, unexpected("set status", answer)
	}
	at, ok := parseMillis(answer[2])
	if !ok {
		return Status{}, unexpected("set status", answer)
	}
	return Status{Value: answer[0], Source: answer[1], At: at}, nil
}

func knownStatus(s string) bool { return s == StatusIdle || s == StatusWorking || s == StatusDND }
func knownSource(s string) bool { return s == SourceHook || s == SourceManual || s == SourceJSONL }
