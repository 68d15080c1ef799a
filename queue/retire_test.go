package queue

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (b *bundle) retire(limit int) int {
	b.tb.Helper()
	n, err := b.q.Retire(b.tb.Context(), b.c.Partition(b.mesh), limit)
	if err != nil {
		b.tb.Fatal(err)
	}
	return n
}

func (b *bundle) deadLetters() []DeadLetter {
	b.tb.Helper()
	out, err := b.q.DeadLetters(b.tb.Context(), b.mesh, 1_000_000)
	if err != nil {
		b.tb.Fatal(err)
	}
	return out
}

// expired is a retention after which everything sent by now has waited enough.
const expired = -time.Millisecond

func TestQ1_WhatWaitedSevenDaysBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if Retention != 7*24*time.Hour {
		t.Error("the retention is not seven days")
	}
	alice, bob := b.member("a1"), b.member("b0b")
	var want []DeadLetter
	for _, lane := range Lanes() {
		d := alice.direct(bob.sender.Member, "id-"+string(lane), fill(100))
		d.Lane = lane
		alice.send(d)
		want = append(want, DeadLetter{Reason: "expired", Inbox: bob.sender.Member, Lane: lane, Entry: b.read(bob.sender.Member, lane)[0]})
	}
	if n := b.retire(100); n != 0 {
		t.Errorf("%d messages were retired at once", n)
	}
	b.q.retention = expired
	if n := b.retire(100); n != 3 {
		t.Errorf("%d messages were retired, want 3", n)
	}
	got := b.deadLetters()
	slices.SortFunc(got, func(a, b DeadLetter) int { return int(a.Seq) - int(b.Seq) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want, +got):\n%s", diff)
	}
	h := b.headHash()
	delete(h, "dead")
	if left := b.do("KEYS", "waits:*").([]any); len(h) != 0 || len(left) != 0 {
		t.Errorf("the inbox left %v %v", h, left)
	}
}

func TestRetiringIsExactHoweverOftenItRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.member("a1")
	sent := map[string]bool{}
	for i := range 300 {
		sent[alice.say(b.member(fmt.Sprintf("b%d", i%7)).sender.Member)] = true
	}
	b.q.retention = expired
	var wg sync.WaitGroup
	var mu sync.Mutex
	moved := 0
	for range 4 {
		wg.Go(func() {
			for range 30 {
				n, err := b.q.Retire(t.Context(), b.c.Partition(b.mesh), 10)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				moved += n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	dead := b.deadLetters()
	for _, d := range dead {
		delete(sent, d.ID)
	}
	if len(sent) != 0 || len(dead) != 300 || moved != 300 {
		t.Errorf("%d are lost, %d are dead, %d were said to be moved; want 0, 300, 300", len(sent), len(dead), moved)
	}
}

func TestALaneIsScoredByWhatStillWaitsInIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	first := alice.say(inbox)
	second := alice.say(inbox)
	at := b.read(inbox, LaneNext)[1].At
	bob.ack(first, inbox)
	lane := inboxRef{b.mesh, inbox, LaneNext}.String()
	b.do("ZADD", b.q.at(b.mesh).waits(), 1, lane) // as old as can be
	if n := b.retire(100); n != 0 {
		t.Errorf("%d messages were retired", n)
	}
	if score := b.do("ZSCORE", b.q.at(b.mesh).waits(), lane); fmt.Sprint(score) != fmt.Sprint(float64(at)) && fmt.Sprint(score) != fmt.Sprint(at) {
		t.Errorf("scored %v, want %d", score, at)
	}
	bob.ack(second, inbox)
	b.do("ZADD", b.q.at(b.mesh).waits(), 1, lane) // an index that is wrong
	b.retire(100)
	if left := b.do("KEYS", "waits:*").([]any); len(left) != 0 {
		t.Error("a lane that is gone is still listed")
	}
}

func TestDeadLettersAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.retention, b.q.maxDead = expired, 20
	alice, bob := b.member("a1"), b.member("b0b")
	say := func(n int) {
		for range n {
			alice.send(alice.direct(bob.sender.Member, "", fill(1000)))
		}
		b.retire(1000)
	}
	say(90)
	if dead := b.deadLetters(); len(dead) != 20 || dead[0].Seq != 71 {
		t.Errorf("%d dead letters from %d, want the newest 20", len(dead), dead[0].Seq)
	}
	b.q.maxDeadBytes = 5_000
	say(1)
	dead := b.deadLetters()
	size := 0
	for _, d := range dead {
		size += tailLen + len(fmt.Sprint(d.At)) + len(d.Member) + len(d.Peer) + len(d.ClientID) + len(d.Body)
	}
	if len(dead) != 4 || b.headHash()["dead"] != fmt.Sprint(size) {
		t.Errorf("%d dead letters of %d bytes, counted as %s", len(dead), size, b.headHash()["dead"])
	}
	b.q.deadKeep = time.Minute
	say(1)
	if ttl := b.do("PTTL", b.q.at(b.mesh).dead()).(int64); ttl < 50_000 || ttl > 60_000 {
		t.Errorf("dead letters are kept for %d ms", ttl)
	}
	b.q.deadKeep = expired // by now all have been kept long enough
	say(1)
	if left := b.do("EXISTS", b.q.at(b.mesh).dead()); left != int64(0) {
		t.Error("dead letters are kept for ever")
	}
}
