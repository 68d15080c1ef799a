package presence

import (
	"testing"
	"time"
)

func TestSilenceGrowsFromTheLossOfTheSocketOrFromTheLastRenewal(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	alive, lost, orphan, over := b.attach(b.session("alive")).Held, b.attach(b.session("lost")).Held,
		b.attach(b.session("orphan")).Held, b.attach(b.session("over")).Held
	b.detach(lost)
	// Redis's clock cannot be moved: a lease with less left is an older one.
	for h, left := range map[Held]time.Duration{alive: 80 * time.Second, lost: 20 * time.Second, orphan: 40 * time.Second} {
		b.must(b.rdb.Raw().PExpire(t.Context(), b.store.LeaseKey(h.Peer), left).Err())
	}
	b.expire(over.Peer)
	got, err := b.store.Silence(t.Context(), b.mesh)
	b.must(err)
	for h, want := range map[Held]time.Duration{alive: 0, lost: 70 * time.Second, orphan: 80 * time.Second, over: 120 * time.Second} {
		if d := got[h.ID] - want; d < 0 || d > 10*time.Second {
			t.Errorf("%s: silent for %v, want %v", h.ID, got[h.ID], want)
		}
	}
}
