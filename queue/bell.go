package queue

import (
	"strconv"
	"strings"
)

// bellSeparator stands between the fields of a bell. JSON text never contains
// it raw, and all other text is checked on its way in.
const (
	bellSeparator = '\x1f'
	bellJoint     = "\x1f"
)

// The first words of the bells that this package rings.
const (
	BellInbox   = "inbox"
	BellJournal = "journal"
	BellReader  = "reader"
)

// InboxBell announces one message to the edge that holds the inbox's reader.
type InboxBell struct {
	Inbox  string // the key whose inbox it is
	Lane   Lane
	Reader string // the PEER that reads this inbox now
	Prev   uint64 // SEQ of the entry before it in this lane, 0 when there was none
	Entry
}

// ParseInboxBell reads a bell whose first word is [BellInbox].
func ParseInboxBell(message string) (InboxBell, bool) {
	f := strings.SplitN(message, bellJoint, 12)
	if len(f) != 12 || f[0] != BellInbox || !Lane(f[2]).valid() {
		return InboxBell{}, false
	}
	n, ok := numbers(f[4], f[5], f[7])
	if !ok {
		return InboxBell{}, false
	}
	return InboxBell{
		Inbox: f[1], Lane: Lane(f[2]), Reader: f[3], Prev: n[1],
		Entry: Entry{Seq: n[0], ID: f[6], At: int64(n[2]), Member: f[8], Peer: f[9], ClientID: f[10], Body: f[11]},
	}, true
}

// ParseJournalBell reads a bell whose first word is [BellJournal]. Ids of
// entries are kept for long, so theirs is no part of message, which would stay
// with it.
func ParseJournalBell(message string) (JournalEntry, bool) {
	f := strings.SplitN(message, bellJoint, 12)
	if len(f) != 12 || f[0] != BellJournal {
		return JournalEntry{}, false
	}
	n, ok := numbers(f[1], f[2], f[4])
	if !ok {
		return JournalEntry{}, false
	}
	return JournalEntry{
		Seq: n[0], Prev: n[1], ID: strings.Clone(f[3]), At: int64(n[2]), Kind: JournalKind(f[5]), Event: f[6],
		Member: f[7], Peer: f[8], Target: f[9], Flags: f[10], Body: f[11],
	}, true
}

// ReaderBell says who reads an inbox from now on. It rings at the edge of the
// new reader, which must drain the inbox, and at the edge of the one before,
// which must stop reading it. A connection that became the reader by its own
// [Queue.OpenReader] or [Queue.Promote] is told by their answer alone.
type ReaderBell struct{ Inbox, Peer, Generation string }

// ParseReaderBell reads a bell whose first word is [BellReader].
func ParseReaderBell(message string) (ReaderBell, bool) {
	f := strings.Split(message, bellJoint)
	if len(f) != 4 || f[0] != BellReader {
		return ReaderBell{}, false
	}
	return ReaderBell{Inbox: f[1], Peer: f[2], Generation: f[3]}, true
}

// numbers parses decimal numbers that fit a signed 64-bit integer.
func numbers(texts ...string) (out [3]uint64, ok bool) {
	for i, s := range texts {
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil {
			return out, false
		}
		out[i] = n
	}
	return out, true
}
