package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQ1_WhatWasAckedSurvivesAKilledRedis(t *testing.T) {
	t.Parallel()
	b := setup(t, "appendfsync always")
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	var want []string
	for i := range 20 {
		want = append(want, alice.send(alice.direct(inbox, fmt.Sprint(i), `{"n":1}`)).MessageID)
	}
	if !bob.ack(want[0], inbox) {
		t.Fatal("the first message was not there")
	}
	b.server.Kill()
	b.server.Restart()
	var got []Entry
	eventually(t, func() (err error) { // the first calls meet dead connections
		got, err = b.q.Read(t.Context(), b.mesh, inbox, LaneNext, 0, 100, 1<<20)
		return err
	})
	if diff := cmp.Diff(want[1:], ids(got)); diff != "" {
		t.Errorf("after the restart (-want, +got):\n%s", diff)
	}
	if r := alice.send(alice.direct(inbox, "7", `{"n":1}`)); !r.Duplicate || r.MessageID != want[7] {
		t.Errorf("a repeated send after the restart is %+v, want a duplicate of %s", r, want[7])
	}
}

func TestQ1_AMessageLeavesItsInboxOnlyByItsOwnAck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	own := bob.session("5e55")
	id, other := alice.say(bob.sender.Member), alice.say(own.sender.Key)
	for _, wrong := range []string{
		makeID(ClassDirect, 1, strings.Repeat("x", tailLen)), // same SEQ, another id
		makeID(ClassJournal, 1, id[idHead:]),
		makeID(ClassDirect, 99, id[idHead:]),
		id[:31], "", "nonsense",
	} {
		if bob.ack(wrong, bob.sender.Member, own.sender.Key) {
			t.Errorf("%q acked something", wrong)
		}
	}
	if bob.ack(other, bob.sender.Member) {
		t.Error("a message of another inbox was acked")
	}
	if got := ids(b.read(bob.sender.Member, LaneNext)); !slices.Equal(got, []string{id}) {
		t.Errorf("inbox holds %q, want %q", got, id)
	}
	if !bob.ack(id, own.sender.Key, bob.sender.Member) || bob.ack(id, own.sender.Key, bob.sender.Member) {
		t.Error("an ack must succeed once")
	}
}

func TestAnEmptiedInboxLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	var sent []string
	for _, lane := range append(Lanes(), Lanes()...) {
		d := alice.direct(bob.sender.Member, "", fill(100))
		d.Lane = lane
		sent = append(sent, alice.send(d).MessageID)
	}
	if h := b.headHash(); len(h) == 0 {
		t.Fatal("nothing is counted")
	}
	if err := b.q.Confirm(t.Context(), b.mesh, bob.lease, bob.sender.Member, LaneNow, []uint64{1}); err != nil {
		t.Fatal(err)
	}
	for _, id := range sent {
		if !bob.ack(id, bob.sender.Member) {
			t.Fatalf("%s was not there", id)
		}
	}
	if h := b.headHash(); len(h) != 0 {
		t.Errorf("counters remain: %v", h)
	}
	for _, kind := range []string{"inbox:*", "waits:*", "tries:*"} {
		if left := b.do("KEYS", kind).([]any); len(left) != 0 {
			t.Errorf("keys remain: %v", left)
		}
	}
	next := alice.say(bob.sender.Member)
	if _, seq, _ := ParseID(next); seq != uint64(len(sent))+1 {
		t.Errorf("the next SEQ is %d, want %d: SEQs must not repeat", seq, len(sent)+1)
	}
}

func TestQ3_ALaneKeepsTheOrderOfSending(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bob := b.member("b0b")
	const senders, each = 8, 25
	var wg sync.WaitGroup
	for i := range senders {
		p := b.member(fmt.Sprintf("a%d", i))
		wg.Go(func() {
			for n := range each {
				if _, err := b.q.Send(t.Context(), p.direct(bob.sender.Member, fmt.Sprint(n), fmt.Sprintf(`{"n":%d}`, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	next := map[string]int{}
	for _, e := range b.read(bob.sender.Member, LaneNext) {
		if want := fmt.Sprintf(`{"n":%d}`, next[e.Peer]); e.Body != want {
			t.Fatalf("%s: got %s, want %s", e.Peer, e.Body, want)
		}
		next[e.Peer]++
	}
	if len(next) != senders {
		t.Errorf("%d senders were read, want %d", len(next), senders)
	}
}

func TestReadingStopsAtTheGivenNumbers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	for range 40 {
		alice.send(alice.direct(inbox, "", fill(1000)))
	}
	for _, c := range []struct {
		after           uint64
		limit, maxBytes int
		first, want     int
	}{
		{0, 100, 1 << 20, 1, 40},
		{0, 17, 1 << 20, 1, 17},
		{35, 17, 1 << 20, 36, 5},
		{0, 100, 1, 1, 1}, // never nothing, or it would never move on
		{10, 100, 5_900, 11, 5},
		{0, 100, 24_000, 1, 21},
		{40, 10, 1 << 20, 0, 0},
		{0, 0, 1 << 20, 0, 0},
	} {
		got, err := b.q.Read(t.Context(), b.mesh, inbox, LaneNext, c.after, c.limit, c.maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != c.want || c.want > 0 && got[0].Seq != uint64(c.first) {
			t.Errorf("%+v: got %d entries", c, len(got))
		}
	}
}

func TestTheBellOfAMessageSaysWhatWaitsBeforeIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	bob.open(inbox, RankUnproven)
	hear := b.listen(b.c.EdgeBell(b.mesh, edgeA))
	d := alice.direct(inbox, "c-1", fill(50))
	heard := func(want uint64) Entry {
		t.Helper()
		alice.send(d)
		bell, ok := ParseInboxBell(hear())
		if !ok || bell.Inbox != inbox || bell.Lane != d.Lane || bell.Reader != bob.sender.Peer || bell.Prev != want {
			t.Errorf("got %+v, want prev %d", bell, want)
		}
		return bell.Entry
	}
	first := heard(0)
	if diff := cmp.Diff(b.read(inbox, LaneNext), []Entry{first}); diff != "" {
		t.Errorf("the bell differs from the inbox:\n%s", diff)
	}
	d.ClientID = ""
	second := heard(first.Seq)
	d.Lane = LaneNow
	third := heard(0)
	d.Lane = LaneNext
	bob.ack(second.ID, inbox)
	fourth := heard(first.Seq)
	bob.ack(first.ID, inbox)
	bob.ack(fourth.ID, inbox)
	heard(0)
	d.Lane = LaneNow
	heard(third.Seq)
}

func TestAMessageThatIsNeverAckedGoesAfterFiveConfirmedPushes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	id, later := alice.say(inbox), alice.say(inbox)
	for push := 1; push <= MaxPushes; push++ {
		if got := ids(b.read(inbox, LaneNext)); !slices.Equal(got, []string{id, later}) {
			t.Fatalf("before push %d the inbox holds %q", push, got)
		}
		if err := b.q.Confirm(t.Context(), b.mesh, bob.lease, inbox, LaneNext, []uint64{1, 77}); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(b.read(inbox, LaneNext)); !slices.Equal(got, []string{later}) {
		t.Errorf("the inbox holds %q, want %q", got, later)
	}
	if s, err := b.q.Status(t.Context(), b.mesh, id); err != nil || !s.Delivered || !s.Unconfirmed || s.DeliveredAt.IsZero() {
		t.Errorf("got %+v, %v; want delivered without confirmation", s, err)
	}
	if n := b.do("HLEN", b.q.at(b.mesh).tries()+":"+inbox); n != int64(0) {
		t.Errorf("%v counts of pushes remain", n)
	}
}

func TestHostileTextIsStoredAsItIsOrRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	bob.open(inbox, RankUnproven)
	hear := b.listen(b.c.EdgeBell(b.mesh, edgeA))
	for _, c := range []struct{ clientID, body string }{
		{`it's "quoted" \ `, "{\"a\":\"O'Brien\",\n\t\"b\":\"\\u0000\\u001f\"}"},
		{"%d %s ]] --", "{\x00}"},
		{"日本語", "{\"x\":\"\xff\xfe\"}"},
		{"large", fill(64 << 10)},
	} {
		id := alice.send(alice.direct(inbox, c.clientID, c.body)).MessageID
		bell, ok := ParseInboxBell(hear())
		all := b.read(inbox, LaneNext)
		got := all[len(all)-1]
		if !ok || bell.Entry != got || got.ID != id || got.ClientID != c.clientID || got.Body != c.body {
			t.Errorf("%q came out as %.80q / %.80q", c.clientID, got.ClientID, got.Body)
		}
	}
	bad := func(change func(*Direct)) Direct {
		d := alice.direct(inbox, "id", "{}")
		change(&d)
		return d
	}
	for name, d := range map[string]Direct{
		"separator in the body":      bad(func(d *Direct) { d.Body = []byte("{\x1f}") }),
		"body that is no object":     bad(func(d *Direct) { d.Body = []byte("[]") }),
		"no body":                    bad(func(d *Direct) { d.Body = nil }),
		"separator in the client id": bad(func(d *Direct) { d.ClientID = "a\x1fb" }),
		"newline in the target":      bad(func(d *Direct) { d.Target = "a\nb" }),
		"endless client id":          bad(func(d *Direct) { d.ClientID = strings.Repeat("x", maxClientID+1) }),
		"unknown lane":               bad(func(d *Direct) { d.Lane = "soon" }),
		"colon in the mesh":          bad(func(d *Direct) { d.Mesh = "a:b" }),
		"slash in the peer":          bad(func(d *Direct) { d.Sender.Peer = "a/b" }),
	} {
		if _, err := b.q.Send(t.Context(), d); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func TestNothingIsDoneForAPeerWithoutItsLease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	id := alice.say(inbox)
	bob.open(inbox, RankUnproven)
	now := bob.back(edgeB)
	post := Post{Mesh: b.mesh, Lease: bob.lease, Sender: bob.sender, Target: "*", Body: []byte("{}")}
	for verb, do := range map[string]func() error{
		"send":    func() error { _, err := b.q.Send(t.Context(), bob.direct(alice.sender.Member, "", "{}")); return err },
		"post":    func() error { _, err := b.q.Post(t.Context(), post); return err },
		"open":    func() error { _, err := b.q.OpenReader(t.Context(), bob.reader(inbox, 0)); return err },
		"promote": func() error { _, err := b.q.Promote(t.Context(), bob.reader(inbox, 0)); return err },
		"ack":     func() error { _, err := b.q.Ack(t.Context(), b.mesh, bob.lease, []string{inbox}, id); return err },
		"confirm": func() error {
			return b.q.Confirm(t.Context(), b.mesh, bob.lease, inbox, LaneNext, []uint64{1})
		},
	} {
		if err := do(); !errors.Is(err, ErrLost) {
			t.Errorf("%s: got %v, want ErrLost", verb, err)
		}
	}
	if !now.ack(id, inbox) {
		t.Error("the message is gone")
	}
}
