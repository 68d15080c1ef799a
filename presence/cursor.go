package presence

import (
	"strconv"
	"strings"
)

// Cursor is a place in a mesh's journal: everything up to and including Seq
// has been seen. The epoch and the id of the message at Seq are there to
// notice that Redis went back and gave the number to another message.
type Cursor struct {
	Epoch string
	Seq   int64
	ID    string // empty at Seq 0
}

// maxCursor bounds the text of a cursor, since clients may name one.
const maxCursor = 128

// noCursor is sent to scripts for a cursor that was named but makes no sense.
// It points nowhere, whereas an empty text means that none was named.
const noCursor = "-"

func (c Cursor) String() string {
	return c.Epoch + "/" + strconv.FormatInt(c.Seq, 10) + "/" + c.ID
}

// ParseCursor is the inverse of [Cursor.String].
func ParseCursor(text string) (_ Cursor, ok bool) {
	parts := strings.Split(text, "/")
	if len(text) > maxCursor || len(parts) != 3 || !isWord(parts[0]) {
		return Cursor{}, false
	}
	seq, ok := parseCount(parts[1])
	if !ok || parts[2] != "" && !isWord(parts[2]) {
		return Cursor{}, false
	}
	return Cursor{Epoch: parts[0], Seq: seq, ID: parts[2]}, true
}

// goodCursor is text if that is a cursor, else "", which leaves the stored one.
func goodCursor(text string) string {
	if _, ok := ParseCursor(text); !ok {
		return ""
	}
	return text
}

// namedCursor is what a script is given for a cursor that a client named.
func namedCursor(text string) string {
	if _, ok := ParseCursor(text); !ok && text != "" {
		return noCursor
	}
	return text
}

// parseCount reads a number as Lua writes it: whole, exact in a double.
func parseCount(digits string) (int64, bool) {
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0 && n < 1<<53 && strconv.FormatInt(n, 10) == digits
}
