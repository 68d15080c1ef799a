package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestDepthsTellWhatWaitsInEachInbox(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob, carl := b.member("a1"), b.member("b0b"), b.member("ca1")
	depths := func() []Depth {
		t.Helper()
		got, err := b.q.Depths(t.Context(), b.mesh)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := depths(); len(got) != 0 {
		t.Errorf("in an empty mesh: %+v", got)
	}
	letter := alice.bury(b.member("dead").sender.Member)
	if got := depths(); len(got) != 0 {
		t.Errorf("a dead letter waits: %+v", got)
	}
	alice.say(bob.sender.Member)
	for _, lane := range Lanes() {
		d := alice.direct(carl.sender.Member, "", fill(100))
		d.Lane = lane
		alice.send(d)
	}
	if err := b.requeue(letter.ID); err != nil {
		t.Fatal(err)
	}
	got := depths()
	head := b.headHash()
	for i, inbox := range []string{hexKey("ca1"), letter.Inbox} {
		want := Depth{Inbox: inbox, Messages: 3 - 2*i}
		if _, err := fmt.Sscan(head["b:"+inbox], &want.Bytes); err != nil {
			t.Fatal(err)
		}
		if j := slices.IndexFunc(got, func(d Depth) bool { return d.Inbox == inbox }); j < 0 || got[j] != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got[0].Inbox != carl.sender.Member {
		t.Errorf("the fullest comes first: %+v", got)
	}
}

func TestDepthsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	args := []any{"HSET", b.q.at(b.mesh).head()}
	for i := range 3 * MaxDepths {
		args = append(args, fmt.Sprintf("n:k%d", i), i, fmt.Sprintf("b:k%d", i), i*100, fmt.Sprintf("r:k%d", i), 1)
	}
	b.do(args...)
	got, err := b.q.Depths(t.Context(), b.mesh)
	if err != nil || len(got) != MaxDepths || got[0] != (Depth{"k2999", 2999, 299_900}) {
		t.Errorf("%d inboxes, first %+v, %v", len(got), got[:1], err)
	}
	if _, err := b.q.Depths(t.Context(), "no{name"); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestTheBacklogIsTheFullestLane(t *testing.T) {
	t.Parallel()
	b := setup(t)
	backlog := func() int64 {
		t.Helper()
		n, err := b.q.Backlog(t.Context(), b.c.Partition(b.mesh))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := backlog(); n != 0 {
		t.Errorf("in an empty partition %d", n)
	}
	alice := b.member("a1")
	for i := range 3 {
		bob := b.member(fmt.Sprintf("b%d", i))
		for range i + 1 {
			alice.say(bob.sender.Member)
		}
	}
	if n := backlog(); n != 3 {
		t.Errorf("the fullest lane holds %d, want 3", n)
	}
	if n, err := b.q.Backlog(t.Context(), (b.c.Partition(b.mesh)+1)%b.c.Partitions()); err != nil || n != 0 {
		t.Errorf("another partition: %d, %v", n, err)
	}
}
