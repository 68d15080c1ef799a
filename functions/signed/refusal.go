package signed

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// Refusal is an answer other than the one hoped for.
type Refusal struct {
	Status  int
	Code    wire.Code
	Message string        // for people
	Wait    time.Duration // until coming back makes sense; 0 if unknown
}

// Error tells code and message.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Message }

// Refuse returns a refusal.
func Refuse(status int, code wire.Code, message string) *Refusal {
	return &Refusal{Status: status, Code: code, Message: message}
}

// answers says what a caller is told about each error that means something.
// Everything else is Redis being away.
var answers = []struct {
	err    error
	status int
	code   wire.Code
	text   string
}{
	{door.ErrTooLarge, http.StatusRequestEntityTooLarge, wire.CodeTooLarge, "body exceeds 64 KiB"},
	{door.ErrUnreadable, http.StatusBadRequest, wire.CodeMalformed, "body broke off"},
	{wire.ErrRequestUnsigned, http.StatusUnauthorized, wire.CodeMalformed, "request is not signed, or a signature header has the wrong shape"},
	{wire.ErrRequestSkew, http.StatusUnauthorized, wire.CodeTimestampSkew, "request time is more than 60 s off; check the clock"},
	{wire.ErrRequestSignature, http.StatusUnauthorized, wire.CodeBadSignature, "signature does not fit method, path, body, time and nonce"},
	{registry.ErrReplayed, http.StatusUnauthorized, wire.CodeReplayed, "this request was made before; sign a new one"},
	{registry.ErrNoMesh, http.StatusNotFound, wire.CodeMeshNotFound, "no such mesh"},
	{registry.ErrRevoked, http.StatusForbidden, wire.CodeRevoked, "the key is banned from this mesh"},
	{registry.ErrBadPolicy, http.StatusForbidden, wire.CodeBadSignature, "the policy is not signed by the owner"},
	{registry.ErrNotMember, http.StatusNotFound, wire.CodeNotFound, "no such member"},
	{registry.ErrNotBanned, http.StatusNotFound, wire.CodeNotFound, "no such ban"},
	{registry.ErrNoInvite, http.StatusNotFound, wire.CodeNotFound, "no such invite"},
	{registry.ErrInviteExists, http.StatusConflict, wire.CodeInviteExists, "an invite with this token exists"},
	{registry.ErrSlugTaken, http.StatusConflict, wire.CodeSlugTaken, "too many meshes with this name"},
	{registry.ErrStalePolicy, http.StatusConflict, wire.CodeStalePolicy, "the counter must be above the stored one"},
	{registry.ErrFull, http.StatusConflict, wire.CodeFull, "the mesh holds as many of these as it may"},
	{registry.ErrConflict, http.StatusConflict, wire.CodeConflict, "changed by others meanwhile, try again"},
}

// refusalFor turns any error into what the caller is told.
func refusalFor(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return Refuse(a.status, a.code, a.text)
		}
	}
	return &Refusal{
		Status: http.StatusServiceUnavailable, Code: wire.CodeUnavailable,
		Message: "not available just now, try again", Wait: door.RetryAfter,
	}
}

// fail answers with what err comes down to. Only what an operator should act
// on is an error in the log.
func fail(ctx context.Context, w http.ResponseWriter, log *slog.Logger, err error) {
	r := refusalFor(err)
	if r.Status == http.StatusServiceUnavailable {
		log.ErrorContext(ctx, "function unavailable", "err", err)
	} else {
		log.DebugContext(ctx, "request refused", "code", string(r.Code), "err", err)
	}
	if r.Wait > 0 {
		door.SetRetryAfter(w, r.Wait)
	}
	door.JSON(w, r.Status, wire.NewHTTPError(r.Code, r.Message))
}
