package commons

import (
	"errors"
	"fmt"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// A Refusal is an answer to a request that is understood and not granted. Its
// code and its message go to the peer.
type Refusal struct {
	Code    wire.Code
	Message string
}

// Error tells code and message.
func (r *Refusal) Error() string { return fmt.Sprintf("commons: %s: %s", r.Code, r.Message) }

// refuse makes a refusal.
func refuse(code wire.Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// errAnswered says that a handler has answered with [Caller.Reply].
var errAnswered = errors.New("commons: answered")

var (
	errFull    = refuse(wire.CodeFull, "this mesh holds as much of this as it may: remove something first")
	errTooFast = refuse(wire.CodeRateLimited, "too many changes, slow down")
	errTaken   = refuse(wire.CodeInvalidArgument, "there is something of this id: make another")
	errBusy    = refuse(wire.CodeUnavailable, "others change the same thing just now, try again")
)

// errLater says that somebody else's answer is waited for.
var errLater = errors.New("commons: answered later")
