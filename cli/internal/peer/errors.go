package peer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Reasons to stop for good. Coming back would be wrong.
var (
	// ErrReplaced says that a newer connection speaks for this session.
	ErrReplaced = errors.New("peer: another connection took this session over")
	// ErrKicked says that an admin removed this peer.
	ErrKicked = errors.New("peer: kicked by an admin")
	// ErrArchived says that the mesh has ended.
	ErrArchived = errors.New("peer: the mesh was archived")
	// ErrBanned says that the member was banned from the mesh.
	ErrBanned = errors.New("peer: banned from this mesh")
)

// Reasons why a message or a request did not go through.
var (
	// ErrNoRecipient says that nobody known has that key.
	ErrNoRecipient = errors.New("peer: no such recipient")
	// ErrInboxFull says that too much waits for the recipient already.
	ErrInboxFull = errors.New("peer: the recipient's inbox is full")
	// ErrBlocked says that the recipient does not take messages from us.
	ErrBlocked = errors.New("peer: blocked by the recipient")
	// ErrRateLimited says that we send too fast.
	ErrRateLimited = errors.New("peer: sending too fast")
	// ErrUnavailable says that the broker could not store the message just now.
	ErrUnavailable = errors.New("peer: broker could not store the message")
	// ErrTooLarge says that a message exceeds what a frame may carry.
	ErrTooLarge = errors.New("peer: message too large")
	// ErrNoAck says that the broker did not answer a send. The message may have
	// gone through: repeat it under the same id only.
	ErrNoAck = errors.New("peer: no answer to the message")
	// ErrNoAnswer says that the broker did not answer a request; an older one
	// does not know every request.
	ErrNoAnswer = errors.New("peer: no answer from the broker")
	// ErrDisconnected says that the connection was lost before the answer.
	ErrDisconnected = errors.New("peer: connection lost")
	// ErrUnreachable says that the broker could not be reached at all.
	ErrUnreachable = errors.New("peer: broker cannot be reached")
	// ErrTooManyPending says that too many sends wait for a connection.
	ErrTooManyPending = errors.New("peer: too many messages wait for a connection")
	// ErrClear says that a direct message would have left unsealed. It is a
	// mistake of the caller: targets are resolved to keys first.
	ErrClear = errors.New("peer: refusing to send a direct message unsealed")
	// ErrNoTopicKey says that we have no copy of a topic's key.
	ErrNoTopicKey = errors.New("peer: nobody has sealed the topic's key for you yet")
	// ErrTopicKey says that a message does not open with the topic's key.
	ErrTopicKey = errors.New("peer: it does not open with the topic's key")
)

// ErrKeepPlace is the cause with which a context is cancelled to end a
// connection without a goodbye: the peer's place is kept for the lease.
var ErrKeepPlace = errors.New("peer: leaving without a goodbye")

// RefusedError is a handshake or a request that the broker refused.
type RefusedError struct {
	Code    wire.Code
	Message string
}

// Error tells the broker's words.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("peer: refused by the broker: %s (%s)", e.Message, e.Code)
}

// SendError is a message that the broker refused, in its own words.
type SendError struct {
	Text string
	kind error
}

// Error tells the broker's words.
func (e *SendError) Error() string { return "peer: message refused: " + e.Text }

// Unwrap returns the reason, where it is one that callers act on.
func (e *SendError) Unwrap() error { return e.kind }

// sendError reads the text of a refusing ack. Texts are all that existing
// brokers send.
func sendError(text string) error {
	for prefix, kind := range map[string]error{
		"no connected peer": ErrNoRecipient,
		"inbox_full":        ErrInboxFull,
		"mesh_full":         ErrInboxFull,
		"blocked by":        ErrBlocked,
		"rate_limit":        ErrRateLimited,
		"unavailable":       ErrUnavailable,
		"payload too large": ErrTooLarge,
	} {
		if strings.HasPrefix(text, prefix) {
			return &SendError{Text: text, kind: kind}
		}
	}
	return &SendError{Text: text}
}

// final reports whether coming back after err would be wrong.
func final(err error) bool {
	for _, stop := range []error{ErrReplaced, ErrKicked, ErrArchived, ErrBanned, errHandler} {
		if errors.Is(err, stop) {
			return true
		}
	}
	var refused *RefusedError
	return errors.As(err, &refused) && !passes(refused.Code)
}

// passes reports whether a handshake refused with code may succeed later: the
// mesh may have room then, or a clock may have been set.
func passes(code wire.Code) bool {
	switch code {
	case wire.CodeCapacity, wire.CodeUnavailable, wire.CodeHelloTimeout, wire.CodeNoHello, wire.CodeRateLimited,
		wire.CodeTimestampSkew, wire.CodeExpired, wire.CodeTTLTooLong:
		return true
	default:
		return false
	}
}
