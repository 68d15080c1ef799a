package command

import (
	"context"
	"errors"
	"sync"
	"time"
)

// reach is what a session knows of its way to the broker.
type reach struct {
	mu     sync.Mutex    // guards the following
	alive  bool          // there is a connection
	reason error         // why there is none; nil before the first attempt ended
	vain   chan struct{} // closed while the last attempt to connect was in vain
}

func newReach() *reach { return &reach{vain: make(chan struct{})} }

// up says that there is a connection.
func (r *reach) up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive, r.reason = true, nil
	if closed(r.vain) {
		r.vain = make(chan struct{})
	}
}

// down says why a connection ended, or could not be made. A broker that starts
// anew cuts connections and takes new ones at once, so only an attempt that
// failed means that there is nothing to wait for.
func (r *reach) down(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.alive && !closed(r.vain) {
		close(r.vain)
	}
	r.alive, r.reason = false, reason
}

// while returns a context that ends also where the broker cannot be reached:
// whoever waits for it is better told so at once.
func (r *reach) while(ctx context.Context) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	vain := r.vain
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	if closed(vain) {
		cancel()
		return ctx, cancel
	}
	go func() {
		select {
		case <-vain:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// why adds to an error that only says that a wait has ended the reason why
// there is no connection.
func (r *reach) why(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	waited := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) && closed(r.vain)
	var known *awayError
	if r.reason == nil || !waited || errors.As(err, &known) {
		return err
	}
	return &awayError{reason: r.reason, err: err}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// retrying tells a person why there is no connection, in words of that kind, and
// when the next is tried.
func (a *app) retrying(words func(error) string) func(reason error, wait time.Duration) {
	return func(reason error, wait time.Duration) {
		a.out.Say("%s; trying again in %v", words(reason), max(wait, 0).Round(time.Millisecond))
	}
}
