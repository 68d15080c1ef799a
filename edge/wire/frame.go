package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Message is one frame.
type Message interface {
	// FrameType is the frame's "type", which its struct does not repeat.
	FrameType() Type
}

// ErrMalformed says that a frame cannot be acted on. The sender should be told
// so with [DecodeError.Answer]; the socket can stay open.
var ErrMalformed = errors.New("wire: malformed frame")

// ErrTooLarge says that a frame exceeds its limit and was not parsed. The
// socket should be closed with CloseTooBig. It wraps ErrMalformed.
var ErrTooLarge = fmt.Errorf("%w: too large", ErrMalformed)

// ErrUnknownType says that this end does not know the frame's type. Such a
// frame is ignored, unless [DecodeError.Answer] says otherwise.
var ErrUnknownType = errors.New("wire: unknown frame type")

// DecodeError is a frame that was not understood, with what could be read of
// it, so that its sender gets an answer it can correlate.
type DecodeError struct {
	Type   Type   // "" if it could not be read
	ReqID  ReqID  // the frame's _reqId, if it could be read
	ID     string // the frame's id, if it could be read
	Code   Code
	Reason string

	kind error
}

// Error tells the reason.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("%v: %s: %s", e.kind, e.Type, e.Reason)
}

// Unwrap returns ErrMalformed, ErrTooLarge or ErrUnknownType.
func (e *DecodeError) Unwrap() error { return e.kind }

// Answer is what the sender is told, or nil for silence. A send with an id is
// answered by an ack, for its sender waits for one. An unknown type without a
// _reqId gets no answer: nobody waits, and existing clients take an answer as
// the end of their connection.
func (e *DecodeError) Answer() Message {
	switch {
	case errors.Is(e.kind, ErrUnknownType) && e.ReqID == "":
		return nil
	case e.Type == TypeSend && e.ID != "":
		return &Ack{ID: e.ID, Error: AckInvalid(e.Reason)}
	}
	return &ErrorFrame{Code: e.Code, Message: e.Reason, ID: e.ID, ReqID: e.ReqID}
}

// Encode returns m as it crosses the wire.
func Encode(m Message) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`{"type":"`)
	b.WriteString(string(m.FrameType()))
	b.WriteByte('"')
	if err := appendFields(&b, m); err != nil {
		return nil, fmt.Errorf("wire: encode %s: %w", m.FrameType(), err)
	}
	return b.Bytes(), nil
}

// appendFields closes the object that b has begun with the fields of v.
func appendFields(b *bytes.Buffer, v any) error {
	at := b.Len()
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's line feed
	fields := b.Bytes()[at:]
	if len(fields) > 2 {
		fields[0] = ',' // continues the object instead of opening one
		return nil
	}
	b.Truncate(at)
	b.WriteByte('}')
	return nil
}

// Decode reads a frame that a peer sent after its handshake. Its error is a
// [*DecodeError]. Handshakes are decoded but not checked.
func Decode(frame []byte) (Message, error) { return decode(frame, MaxFrame, newFromPeer) }

// DecodeHello reads the first frame of a peer: like [Decode], but bounded as
// befits a stranger.
func DecodeHello(frame []byte) (Message, error) { return decode(frame, MaxHelloFrame, newFromPeer) }

// DecodeFromEdge reads a frame that an edge sent.
func DecodeFromEdge(frame []byte) (Message, error) { return decode(frame, MaxEdgeFrame, newFromEdge) }

func decode(frame []byte, limit int, alloc func(Type) Message) (Message, error) {
	if len(frame) > limit {
		reason := fmt.Sprintf("frame of %d bytes exceeds the limit of %d", len(frame), limit)
		return nil, &DecodeError{Code: CodeTooLarge, Reason: reason, kind: ErrTooLarge}
	}
	if !utf8.Valid(frame) {
		return nil, malformed("", frame, CodeMalformedFrame, "frame is not UTF-8")
	}
	t, err := peekType(frame)
	if err != nil {
		return nil, malformed("", frame, CodeMalformedFrame, err.Error())
	}
	m := alloc(t)
	if m == nil {
		e := malformed(t, frame, CodeUnknownType, "unknown message type")
		e.kind = ErrUnknownType
		return nil, e
	}
	if err := json.Unmarshal(frame, m); err != nil {
		return nil, malformed(t, frame, CodeMalformedFrame, describe(err))
	}
	if v, ok := m.(interface{ validate() error }); ok {
		if err := v.validate(); err != nil {
			return nil, malformed(t, frame, cmp.Or(frames[t].refusal, CodeInvalidArgument), err.Error())
		}
	}
	return m, nil
}

// typeFirst is how nearly every frame begins.
var typeFirst = []byte(`{"type":"`)

// peekType reads the frame's type, without parsing the frame where possible.
func peekType(frame []byte) (Type, error) {
	if rest, ok := bytes.CutPrefix(frame, typeFirst); ok {
		if end := bytes.IndexAny(rest[:min(len(rest), 64)], `"\`); end >= 0 && rest[end] == '"' {
			return Type(rest[:end]), nil
		}
	}
	var head struct {
		Type looseText `json:"type"`
	}
	if err := json.Unmarshal(frame, &head); err != nil {
		return "", errors.New(describe(err))
	}
	if head.Type == "" || !head.Type.isText() {
		return "", errors.New("frame has no type")
	}
	return Type(head.Type), nil
}

func malformed(t Type, frame []byte, code Code, reason string) *DecodeError {
	var head struct {
		ReqID ReqID `json:"_reqId"`
		ID    ReqID `json:"id"`
	}
	_ = json.Unmarshal(frame, &head) // what cannot be read is not echoed
	if frames[t].echoesInID() {
		head.ID = head.ReqID
	}
	return &DecodeError{
		Type: t, ReqID: head.ReqID, ID: string(head.ID), Code: code, Reason: reason, kind: ErrMalformed,
	}
}

// embedded are structs inside of frames that the JSON knows nothing of, but the
// parser names.
var embedded = strings.NewReplacer(
	"plain.", "", "About.", "", "Profile.", "", "Selector.", "", "SealedTopicKey.", "",
)

// describe turns a parser's error into a sentence about the frame. The parser's
// own words name Go types, and quote what the sender wrote.
func describe(err error) string {
	var field *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &field) && field.Field != "":
		return "field " + embedded.Replace(field.Field) + " has the wrong kind of value"
	case errors.As(err, &field):
		return "frame is not a JSON object"
	case errors.As(err, &syntax):
		return fmt.Sprintf("frame is not JSON (at byte %d)", syntax.Offset)
	}
	return err.Error()
}
