package serve

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/claudemesh/claudemesh/functions/door"
)

// Open makes a function's handler, which takes a Redis that answers.
type Open func(context.Context) (http.Handler, error)

// lazy is a handler that is made by the first request.
type lazy struct {
	open  Open
	log   *slog.Logger
	made  atomic.Pointer[http.Handler]
	turns chan struct{} // holds one token: only one request opens at a time
}

func newLazy(open Open, log *slog.Logger) *lazy {
	l := &lazy{open: open, log: log, turns: make(chan struct{}, 1)}
	l.turns <- struct{}{}
	return l
}

// ServeHTTP answers as soon as there is a handler, and 503 until then.
func (l *lazy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		door.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
		return
	}
	h, err := l.get(r.Context())
	if err != nil {
		l.log.ErrorContext(r.Context(), "function unavailable", "err", err)
		door.Unavailable(w, r, door.RetryAfter)
		return
	}
	h.ServeHTTP(w, r)
}

func (l *lazy) get(ctx context.Context) (http.Handler, error) {
	if h := l.made.Load(); h != nil {
		return *h, nil
	}
	ctx, cancel := context.WithTimeout(ctx, door.Within)
	defer cancel()
	select {
	case <-l.turns:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { l.turns <- struct{}{} }()
	if h := l.made.Load(); h != nil {
		return *h, nil
	}
	h, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	l.made.Store(&h)
	return h, nil
}
