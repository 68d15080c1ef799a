package queue

import (
	"strconv"
	"strings"
)

// Cursor names the last journal entry that somebody has seen. Its text is
// EPOCH/SEQ/ID. A SEQ that carries another id than the cursor says belongs to
// another history.
type Cursor struct {
	Epoch string
	Seq   uint64
	ID    string // empty when Seq is 0
}

// String is the cursor's text.
func (c Cursor) String() string {
	return c.Epoch + "/" + strconv.FormatUint(c.Seq, 10) + "/" + c.ID
}

// ParseCursor is the inverse of [Cursor.String].
func ParseCursor(s string) (Cursor, bool) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || len(parts[2]) > maxName || checkText("id", parts[2], maxName) != nil || !isName(parts[0]) {
		return Cursor{}, false
	}
	seq, err := strconv.ParseUint(parts[1], 10, 53)
	c := Cursor{Epoch: parts[0], Seq: seq, ID: parts[2]}
	return c, err == nil && c.String() == s && (seq == 0) == (c.ID == "")
}
