package wire

import (
	"errors"
	"strings"
)

// ErrJoinInput says that a text is neither a link, a token nor a code.
var ErrJoinInput = errors.New("wire: not an invite")

// JoinInput is what somebody gave to join with: a token, or a code that stands
// for one at a host.
type JoinInput struct {
	Token string // version 1
	Code  string // version 2
}

// Bounds of the bare forms.
const (
	minCode     = 6
	maxCode     = 16
	minRawToken = 21
)

// ParseJoinInput sorts what was given. Codes go first: the short links that are
// handed around hold one.
func ParseJoinInput(s string) (JoinInput, error) {
	s = strings.TrimSpace(s)
	s, _, _ = strings.Cut(s, "#")
	s, _, _ = strings.Cut(s, "?")
	s = strings.TrimRight(s, "/")
	head, last := "", s
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		head, last = s[:i], s[i+1:]
	}
	switch {
	case isCode(last) && (head == "" && last == s || isSegment(head, "i")):
		return JoinInput{Code: last}, nil
	case isToken(last) && isSegment(head, "join"):
		return JoinInput{Token: last}, nil
	case isToken(s) && len(s) >= minRawToken:
		return JoinInput{Token: s}, nil
	}
	return JoinInput{}, ErrJoinInput
}

// isSegment reports whether path ends in that segment.
func isSegment(path, segment string) bool {
	return path == segment || strings.HasSuffix(path, "/"+segment)
}

func isCode(s string) bool { return len(s) >= minCode && len(s) <= maxCode && isBase62(s) }

func isToken(s string) bool {
	return s != "" && len(s) <= MaxInviteToken && isBase62(strings.NewReplacer("-", "", "_", "").Replace(s))
}
