package command

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/outbox"
)

var errRefused = errors.New("connection refused")

func TestNobodyWaitsForABrokerThatCannotBeReached(t *testing.T) {
	t.Parallel()
	r := newReach()
	before, hangUp := r.while(t.Context())
	defer hangUp()
	if before.Err() != nil {
		t.Error("nothing was tried yet, and nobody waits")
	}
	r.down(errRefused)
	select {
	case <-before.Done():
	case <-time.After(time.Minute):
		t.Error("who waited already waits on")
	}
	after, hangUp := r.while(t.Context())
	defer hangUp()
	if after.Err() == nil {
		t.Error("a newcomer waits for a broker that cannot be reached")
	}
	var away *awayError
	if err := r.why(after.Err()); !errors.As(err, &away) || !errors.Is(err, errRefused) || !errors.Is(err, context.Canceled) {
		t.Errorf("the reason is %v", err)
	}
	if err := r.why(r.why(after.Err())); err.Error() != errRefused.Error() {
		t.Errorf("told twice: %v", err)
	}
	if err := r.why(errEnded); !errors.Is(err, errEnded) || errors.As(err, &away) {
		t.Errorf("another error becomes %v", err)
	}
}

func TestAConnectionThatIsLostIsWaitedForUntilAnAttemptFails(t *testing.T) {
	t.Parallel()
	r := newReach()
	for range 2 {
		r.down(errRefused)
		r.up()
		if ctx, hangUp := r.while(t.Context()); ctx.Err() != nil {
			t.Error("the broker is there, and counts as away")
		} else {
			hangUp()
		}
		r.down(errRefused) // lost: the next attempt may do
		ctx, hangUp := r.while(t.Context())
		if ctx.Err() != nil {
			t.Error("nobody waits for a broker that starts anew")
		}
		r.down(errRefused)
		<-ctx.Done()
		hangUp()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.up()
	if err := r.why(ctx.Err()); !errors.Is(err, context.Canceled) || errors.Is(err, errRefused) {
		t.Errorf("an interrupt while the broker is there: %v", err)
	}
}

func TestWhatCannotBeSentIsKeptAtOnceWithTheReason(t *testing.T) {
	t.Parallel()
	h := newUnreachableHost(t)
	h.reach.down(errRefused)
	began := time.Now()
	for _, busy := range []bool{false, true} { // another message may have the turn
		if busy {
			h.sending <- struct{}{}
		}
		e, err := h.post(t.Context(), draft{Target: someKey, Text: "x"})
		if e.State != outbox.Waiting || !errors.Is(err, errRefused) || busy && e.Reason != errRefused.Error() {
			t.Errorf("it is %s for %q: %v", e.State, e.Reason, err)
		}
	}
	all, err := h.posts.List()
	if err != nil || len(all) != 2 {
		t.Fatalf("%d are kept: %v", len(all), err)
	}
	for _, e := range all {
		if !strings.Contains(e.Reason, errRefused.Error()) {
			t.Errorf("it waits for %q", e.Reason)
		}
	}
	if _, err := (tools{h}).Peers(t.Context()); !errors.Is(err, errRefused) {
		t.Errorf("list_peers: %v", err)
	}
	if took := time.Since(began); took > postPatience/2 {
		t.Errorf("took %v", took)
	}
}
