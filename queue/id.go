package queue

import (
	"crypto/rand"
	"fmt"
	"math"
	"strings"
)

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	// A message id is a class, seqDigits digits that spell its SEQ, and a
	// random tail, so that ack, status and prefix search need no index.
	seqDigits = 7
	tailLen   = 24
	idHead    = 1 + seqDigits
	idLen     = idHead + tailLen

	epochLen = 8
)

// Class is the first character of a message id: where the message was put.
type Class byte

const (
	// ClassDirect marks a message of an inbox.
	ClassDirect Class = 'd'
	// ClassJournal marks a broadcast or group message of the journal.
	ClassJournal Class = 'j'
)

// ParseID takes a full message id apart. It reports false for any other text,
// the ids of system events included.
func ParseID(id string) (class Class, seq uint64, ok bool) {
	if len(id) != idLen || !allBase62(id) {
		return 0, 0, false
	}
	class = Class(id[0])
	if class != ClassDirect && class != ClassJournal {
		return 0, 0, false
	}
	for i := 1; i < idHead; i++ {
		seq = seq*62 + uint64(strings.IndexByte(base62, id[i]))
	}
	return class, seq, true
}

// makeID is the inverse of [ParseID]; the scripts do the same.
func makeID(class Class, seq uint64, tail string) string {
	var b [idHead]byte
	b[0] = byte(class)
	for i := seqDigits; i > 0; i-- {
		b[i] = base62[seq%62]
		seq /= 62
	}
	return string(b[:]) + tail
}

func isBase62(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func allBase62(s string) bool {
	for i := range len(s) {
		if !isBase62(s[i]) {
			return false
		}
	}
	return true
}

// randomText returns n random base62 digits from the system's secure source.
func randomText(n int) string {
	const fair = math.MaxUint8 + 1 - (math.MaxUint8+1)%62 // above it some digits would be likelier
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/4)
	for {
		_, _ = rand.Read(buf) // never fails: see its documentation
		for _, b := range buf {
			if int(b) >= fair {
				continue
			}
			if out = append(out, base62[b%62]); len(out) == n {
				return string(out)
			}
		}
	}
}

const (
	maxClientID = 512
	maxTarget   = 1024
)

// checkText refuses text that could be mistaken for the separators of bells
// and lists, which are control characters.
func checkText(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%w: %s of %d bytes", ErrInvalid, what, len(s))
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return fmt.Errorf("%w: control character in %s", ErrInvalid, what)
		}
	}
	return nil
}

// checkNames refuses anything but letters and digits. Empty text is refused
// too.
func checkNames(names ...string) error {
	for _, s := range names {
		if !isName(s) {
			return fmt.Errorf("%w: %.80q is not a name", ErrInvalid, s)
		}
	}
	return nil
}
