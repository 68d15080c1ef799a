package door

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// Within is how long a function works on one request. An edge that
	// forwards a request waits one second longer.
	Within = 4 * time.Second

	// RetryAfter is what a client is told when Redis is away.
	RetryAfter = 2 * time.Second
)

// ErrTooLarge says that a body exceeds [wire.MaxHTTPBody]. The answer is 413.
var ErrTooLarge = errors.New("door: body too large")

// ErrUnreadable says that a body broke off. Its sender will hardly hear the
// answer, which is 400.
var ErrUnreadable = errors.New("door: body unreadable")

// Body reads the whole body of r, at most [wire.MaxHTTPBody] bytes.
func Body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxHTTPBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, ErrTooLarge
	case err != nil:
		return nil, errors.Join(ErrUnreadable, err)
	}
	return body, nil
}

// JSON answers with v. A peer that has gone away is nobody's concern.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}

// Refuse answers for a function that could not be asked, in the shape that the
// clients of the path read: under /v1 a code and a message, elsewhere a word.
func Refuse(w http.ResponseWriter, r *http.Request, status int, code wire.Code, word string) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		JSON(w, status, wire.NewHTTPError(code, word))
		return
	}
	JSON(w, status, map[string]any{"ok": false, "error": word})
}

// Unavailable answers that coming back after wait is right.
func Unavailable(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	SetRetryAfter(w, wait)
	Refuse(w, r, http.StatusServiceUnavailable, wire.CodeUnavailable, "unavailable")
}

// SetRetryAfter tells the client when to come back, in whole seconds.
func SetRetryAfter(w http.ResponseWriter, wait time.Duration) {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
}

// NotFound answers for a path that no function has.
func NotFound(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not found", http.StatusNotFound)
}

// Open lets browsers of any origin in and bounds the time of next. Any OPTIONS
// is answered here.
func Open(within time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS")
		h.Set("Access-Control-Allow-Headers", allowedHeaders)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// allowedHeaders are those that existing web clients may send. Signed requests
// come from programs, not from pages.
const allowedHeaders = "Content-Type, X-Mesh-Id, X-Member-Id, X-File-Name, X-Tags, X-Persistent, X-Target-Spec"
