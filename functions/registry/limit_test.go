package registry

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestANonceIsGoodOncePerKey(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	nonce := wire.NewID(wire.MinNonce)
	use := func(k string) error { return s.UseNonce(t.Context(), k, nonce) }
	if err := use(key(1)); err != nil {
		t.Fatal(err)
	}
	if err := use(strings.ToUpper(key(1))); !errors.Is(err, ErrReplayed) {
		t.Errorf("again: got %v, want ErrReplayed", err)
	}
	if err := use(key(2)); err != nil {
		t.Errorf("another key's: %v", err)
	}
	ttl := s.c.Raw().PTTL(t.Context(), s.keys.nonce(key(1), nonce)).Val()
	if ttl < 2*wire.ClockSkew || ttl > wire.NonceKept {
		t.Errorf("a nonce is remembered for %v, its time is good for %v", ttl, 2*wire.ClockSkew)
	}
}

func TestABucketEmptiesRefillsAndExpires(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	l := Limit{Name: "x", Burst: 3, PerMinute: 60}
	for i := range 3 {
		if wait, err := s.Take(t.Context(), l, "192.0.2.1"); err != nil || wait != 0 {
			t.Fatalf("take %d: wait %v, %v", i, wait, err)
		}
	}
	wait, err := s.Take(t.Context(), l, "192.0.2.1")
	if err != nil || wait <= 0 || wait > time.Second {
		t.Fatalf("wait %v, %v; want up to a second", wait, err)
	}
	if wait, err := s.Take(t.Context(), l, "192.0.2.2"); err != nil || wait != 0 {
		t.Errorf("another address: wait %v, %v", wait, err)
	}
	bucket := s.keys.bucket(l.Name, "192.0.2.1")
	if ttl := s.c.Raw().PTTL(t.Context(), bucket).Val(); ttl <= 0 || ttl > 3*time.Second {
		t.Errorf("the bucket expires in %v, it is full after 3 s", ttl)
	}
	// Two seconds ago it was empty, so two tokens are there.
	past := time.Now().Add(-2 * time.Second).UnixMilli()
	if err := s.c.Raw().Set(t.Context(), bucket, "0 "+strconv.FormatInt(past, 10), 0).Err(); err != nil {
		t.Fatal(err)
	}
	for i, free := range []bool{true, true, false} {
		if wait, err := s.Take(t.Context(), l, "192.0.2.1"); err != nil || (wait == 0) != free {
			t.Errorf("take %d of a refilled bucket: wait %v, %v", i, wait, err)
		}
	}
}

func TestABucketSurvivesAClockThatJumpedBack(t *testing.T) {
	t.Parallel()
	s := newStore(t, Options{})
	l := Limit{Name: "x", Burst: 1, PerMinute: 60}
	future := time.Now().Add(time.Hour).UnixMilli()
	if err := s.c.Raw().Set(t.Context(), s.keys.bucket("x", "a"), "0 "+strconv.FormatInt(future, 10), 0).Err(); err != nil {
		t.Fatal(err)
	}
	if wait, err := s.Take(t.Context(), l, "a"); err != nil || wait > time.Second {
		t.Fatalf("wait %v, %v; want at most one token's time", wait, err)
	}
}
