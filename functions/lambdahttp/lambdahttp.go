package lambdahttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/claudemesh/claudemesh/functions/door"
)

// reserve is the part of an invocation's time in which its answer is encoded
// and sent.
const reserve = 500 * time.Millisecond

// Options sets up the adapter.
type Options struct {
	Proxies int          // own hops in X-Forwarded-For of a balancer's events; at least the balancer's is read
	Log     *slog.Logger // nil: none
}

// Start serves h until Lambda ends the process.
func Start(ctx context.Context, h http.Handler, o Options) {
	lambda.StartWithOptions(NewHandler(h, o), lambda.WithContext(ctx))
}

type adapter struct {
	next http.Handler
	Options
}

// NewHandler returns h as Lambda invokes it.
func NewHandler(h http.Handler, o Options) lambda.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &adapter{h, o}
}

// Invoke answers one event.
func (a *adapter) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	r, from, err := request(ctx, payload, a.Proxies)
	switch {
	case errors.Is(err, errRequest):
		return refusal(http.StatusBadRequest, "malformed request").encode(from)
	case err != nil:
		a.Log.WarnContext(ctx, "event not understood", "err", err)
		return nil, err
	}
	w := a.serve(r)
	answer, err := w.encode(from)
	if errors.Is(err, errAnswerTooLarge) && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.compress()
		answer, err = w.encode(from)
	}
	if errors.Is(err, errAnswerTooLarge) {
		a.Log.ErrorContext(ctx, "answer too large", "method", r.Method, "path", r.URL.Path)
		return refusal(http.StatusInternalServerError, "the answer is too large to be sent this way").encode(from)
	}
	return answer, err
}

// serve waits for the handler no longer than the request's context lasts. A
// handler that goes on after that writes to a response that nobody reads.
func (a *adapter) serve(r *http.Request) *response {
	done := make(chan *response, 1)
	go func() {
		w := newResponse()
		defer func() {
			if v := recover(); v != nil {
				a.Log.ErrorContext(r.Context(), "handler panicked", "panic", v, "stack", string(debug.Stack()))
				w = newResponse()
				w.WriteHeader(http.StatusInternalServerError)
			}
			done <- w
		}()
		a.next.ServeHTTP(w, r)
	}()
	select {
	case w := <-done:
		return w
	case <-r.Context().Done():
		a.Log.ErrorContext(r.Context(), "handler took too long", "method", r.Method, "path", r.URL.Path)
		w := newResponse()
		door.Unavailable(w, r, door.RetryAfter)
		return w
	}
}
