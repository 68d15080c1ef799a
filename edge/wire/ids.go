package wire

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
)

// base62 is the alphabet of ids, in the order of their digits.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Lengths of ids.
const (
	LongID   = 32 // meshes, members, invites, presences, messages
	RecordID = 22 // what a mesh keeps: 130 bits, so that nobody guesses one
	ShortID  = 12 // edges, connections
	EpochID  = 8  // journal epochs

	seqDigits  = 7
	tailDigits = LongID - 1 - seqDigits
)

// NewID returns a random id of n characters.
func NewID(n int) string {
	// 62 does not divide 256. Bytes from 248 on are drawn again, because
	// otherwise eight characters would come up more often than the others.
	const fair = 256 - 256%len(base62)
	id := make([]byte, 0, n)
	buf := make([]byte, n+n/8)
	for {
		_, _ = rand.Read(buf) // never fails
		for _, b := range buf {
			if int(b) >= fair {
				continue
			}
			if id = append(id, base62[int(b)%len(base62)]); len(id) == n {
				return string(id)
			}
		}
	}
}

// NewMessageTail returns the random part of a message id.
func NewMessageTail() string { return NewID(tailDigits) }

// IsMeshID reports whether s has the shape of a mesh id. Ids become parts of
// keys, so nothing else may pass.
func IsMeshID(s string) bool { return len(s) == LongID && isBase62(s) }

func isBase62(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(base62, s[i]) < 0 {
			return false
		}
	}
	return true
}

// MessageKind is the first character of a message id.
type MessageKind byte

// The kinds of message ids.
const (
	KindDirect  MessageKind = 'd' // waits in an inbox
	KindJournal MessageKind = 'j' // a broadcast or group message
)

// maxSeq is the first number that does not fit into a message id.
const maxSeq = 62 * 62 * 62 * 62 * 62 * 62 * 62

// MessageID makes a message id: the kind, seq, and a random tail. It returns
// "" if seq or tail do not fit.
func MessageID(kind MessageKind, seq uint64, tail string) string {
	if seq >= maxSeq || len(tail) != tailDigits {
		return ""
	}
	id := make([]byte, 1+seqDigits, LongID)
	id[0] = byte(kind)
	for i := seqDigits; i > 0; i-- {
		id[i] = base62[seq%62]
		seq /= 62
	}
	return string(append(id, tail...))
}

// ParseMessageID reads a message id or its first characters, at least
// [MinMessagePrefix] of them: those name the kind and the number.
func ParseMessageID(id string) (kind MessageKind, seq uint64, ok bool) {
	if len(id) < MinMessagePrefix || len(id) > LongID || !isBase62(id) {
		return 0, 0, false
	}
	kind = MessageKind(id[0])
	if kind != KindDirect && kind != KindJournal {
		return 0, 0, false
	}
	for i := 1; i <= seqDigits; i++ {
		seq = seq*62 + uint64(strings.IndexByte(base62, id[i]))
	}
	return kind, seq, true
}

// Cursor is a place in a mesh's journal: behind the entry it names. The id is
// there because numbers can repeat after a fail-over, ids cannot.
type Cursor struct {
	Epoch string
	Seq   uint64
	ID    string
}

// ErrCursor says that a text is no cursor. Who names such a place has to be
// told to resync.
var ErrCursor = errors.New("wire: not a cursor")

// String returns the cursor as EPOCH/SEQ/ID.
func (c Cursor) String() string {
	return c.Epoch + "/" + strconv.FormatUint(c.Seq, 10) + "/" + c.ID
}

// IsZero reports whether c names no place.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// ParseCursor is the inverse of [Cursor.String]. The id is empty at the start
// of a journal, and a UUID for events.
func ParseCursor(s string) (Cursor, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || len(parts[0]) != EpochID || !isBase62(parts[0]) || !isEntryID(parts[2]) {
		return Cursor{}, ErrCursor
	}
	seq, err := strconv.ParseUint(parts[1], 10, 53)
	if err != nil || strconv.FormatUint(seq, 10) != parts[1] {
		return Cursor{}, ErrCursor
	}
	return Cursor{Epoch: parts[0], Seq: seq, ID: parts[2]}, nil
}

// isEntryID accepts message ids and the UUIDs of events.
func isEntryID(s string) bool {
	return len(s) <= 36 && isBase62(strings.ReplaceAll(s, "-", ""))
}
