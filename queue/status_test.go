package queue

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestStatusFollowsAMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	id := alice.say(bob.sender.Member)
	for _, asked := range []string{id, id[:8], id[:20]} {
		if s, err := b.q.Status(t.Context(), b.mesh, asked); err != nil || s != (MessageStatus{ID: id, Target: bob.sender.Member}) {
			t.Errorf("%s: got %+v, %v", asked, s, err)
		}
	}
	bob.ack(id, bob.sender.Member)
	s, err := b.q.Status(t.Context(), b.mesh, id)
	if err != nil || !s.Delivered || s.Unconfirmed || time.Since(s.DeliveredAt).Abs() > time.Minute {
		t.Errorf("got %+v, %v; want it delivered now", s, err)
	}
}

func TestStatusRefusesWhatIsNoIDAndFindsNothingForOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	id := alice.say(bob.sender.Member)
	for _, bad := range []string{"", id[:7], id + "x", "0f0e0000-0000", "d000000 ", "d000000\x00"} {
		if _, err := b.q.Status(t.Context(), b.mesh, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", bad, err)
		}
	}
	for _, unknown := range []string{"d0000002", id[:8] + strings.Repeat("z", tailLen), "x0000001"} {
		if _, err := b.q.Status(t.Context(), b.mesh, unknown); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: got %v, want ErrNotFound", unknown, err)
		}
	}
}
