package edge_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// two starts two edges on one Redis.
func two(t *testing.T, opts ...edgetest.Option) (one, other *edgetest.Edge) {
	t.Helper()
	one = edgetest.Start(t, opts...)
	return one, edgetest.Start(t, append(opts, edgetest.WithRedis(one.Redis))...)
}

func TestL1_APeerThatComesBackWasNeverGone(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	watcher := m.Session(one, "watcher")
	ana := m.Session(one, "ana")
	watcher.Event(wire.EventPeerJoined)
	presence := ana.Ack.PresenceID
	for i, way := range []func(){
		func() { ana.Cut(); ana = ana.Again(one) },
		func() { ana.Cut(); ana = ana.Again(other) },
		func() { ana.Close(1000); ana = ana.Again(other) },
		func() { ana.Close(1001); ana = ana.Again(one) },
		func() { ana = ana.Again(other) },
	} {
		way()
		if !ana.Ack.Resumed || ana.Ack.Resync || ana.Ack.PresenceID != presence {
			t.Errorf("way %d: %+v", i, ana.Ack)
		}
		watcher.ExpectNothing()
		if peers := watcher.List(); len(peers) != 2 {
			t.Errorf("way %d: %d peers", i, len(peers))
		}
	}
}

func TestL1_AnEdgeThatIsKilledOrStoppedTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	third := edgetest.Start(t, edgetest.WithRedis(one.Redis))
	m := one.NewMesh()
	watcher := m.Session(other, "watcher")
	ana, bob := m.Session(one, "ana"), m.Session(third, "bob")
	watcher.Pushes()
	one.Kill()
	if code, _ := ana.Closed(); code != 1006 {
		t.Errorf("killed edge closed %d", code)
	}
	third.Drain()
	edgetest.Next[*wire.Restarting](bob)
	bob.ExpectClose(wire.CloseRestarting, wire.ReasonRestarting)
	ana, bob = ana.Again(other), bob.Again(other)
	if !ana.Ack.Resumed || !bob.Ack.Resumed {
		t.Error("not resumed")
	}
	watcher.ExpectNothing()
}

func TestL2_WhoDoesNotComeBackLeavesOnce(t *testing.T) {
	t.Parallel()
	const lease = 1500 * time.Millisecond
	one, other := two(t, edgetest.WithLease(lease))
	m := one.NewMesh()
	watcher := m.Session(other, "watcher")
	ana := m.Session(one, "ana")
	watcher.Event(wire.EventPeerJoined)
	lost := time.Now()
	ana.Cut()
	left := watcher.Event(wire.EventPeerLeft)
	if after := time.Since(lost); after < lease {
		t.Errorf("left after %v, before its lease of %v was over", after, lease)
	}
	if !strings.Contains(string(left.EventData), ana.Key()) || !strings.Contains(string(left.EventData), `"name":"ana"`) {
		t.Errorf("event data: %s", left.EventData)
	}
	if again := ana.Again(one); again.Ack.Resumed {
		t.Error("who had left was resumed")
	}
	watcher.Event(wire.EventPeerJoined)
	watcher.ExpectNothing()
}

func TestL3_TheNewestSocketSpeaksAlone(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	bob := m.Session(one, "bob")
	old := m.Session(one, "ana")
	bob.Event(wire.EventPeerJoined)
	for _, at := range []*edgetest.Edge{other, one, one} {
		fresh := old.Again(at)
		// What the old one still says has no effect, whether or not its socket
		// is closed by now.
		old.Post(bob.Key(), "from the grave")
		old.Write(&wire.SetSummary{Summary: "from the grave"})
		old.ExpectClose(wire.CloseNormal, wire.ReasonSessionReplaced)
		fresh.Send(bob.Key(), "alive")
		if got := bob.Receive(); edgetest.Text(got) != "alive" {
			t.Errorf("got %q", edgetest.Text(got))
		}
		for _, p := range fresh.List() {
			if p.Summary != nil {
				t.Errorf("summary %q", *p.Summary)
			}
		}
		old = fresh
	}
	bob.ExpectNothing()
}

func TestL4_NothingOfTheGapIsMissed(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	sender := m.Session(one, "sender")
	ana := m.Member("ana").Session(one, func(h *wire.SessionHello) { h.Groups = []wire.Group{{Name: "dev/core"}} })
	ana.Settle()
	ana.Frames()
	ana.Cut()
	var want []string
	for i := range 5 {
		sender.Send("*", fmt.Sprint("all ", i))
		sender.Send("@dev", fmt.Sprint("group ", i))
		sender.Send("@ops", "not for ana")
		newcomer := m.Session(other, fmt.Sprint("newcomer", i))
		newcomer.Write(&wire.Goodbye{})
		sender.Event(wire.EventPeerLeft)
		want = append(want, fmt.Sprint("all ", i), fmt.Sprint("group ", i), "peer_joined", "peer_left")
		sender.Send(ana.Key(), fmt.Sprint("direct ", i))
	}
	ana = ana.Again(other)
	var got, direct []string
	cursor := ""
	for _, p := range ana.Pushes() {
		switch {
		case p.IsEvent():
			got = append(got, string(p.Event))
		case p.Cursor == "":
			direct = append(direct, edgetest.Text(p))
		default:
			got = append(got, edgetest.Text(p))
		}
		if p.Cursor != "" {
			cursor = p.Cursor
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("journal of the gap: %q, want %q", got, want)
	}
	if want := []string{"direct 0", "direct 1", "direct 2", "direct 3", "direct 4"}; !slices.Equal(direct, want) {
		t.Errorf("direct messages of the gap: %q", direct)
	}
	// What was given is not given again to who names its place.
	ana.Cut()
	conn := edgetest.Dial(t, one)
	opening := ana.Opening().(*wire.SessionHello)
	opening.Cursor = cursor
	conn.Write(opening)
	edgetest.Next[*wire.HelloAck](conn)
	conn.Write(&wire.Sync{ReqID: "1"})
	edgetest.Next[*wire.Synced](conn)
	for _, f := range conn.Frames() {
		if p, ok := f.(*wire.Push); ok && p.Cursor != "" {
			t.Errorf("given again: %s %q", p.Event, edgetest.Text(p))
		}
	}
}

func TestL4_LiveAndCaughtUpEntriesMeetWithoutSeam(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	sender := m.Session(one, "sender")
	ana := m.Session(one, "ana")
	const rounds, each = 6, 20
	var want, got []string
	for r := range rounds {
		ids := make([]string, each)
		for i := range each {
			text := fmt.Sprint(r, "-", i)
			want = append(want, text)
			ids[i] = sender.Post("*", text)
			if i == each/2 {
				got = append(got, texts(ana.Frames())...)
				if r%2 == 0 {
					ana.Cut()
				}
				ana = ana.Again([]*edgetest.Edge{one, other}[r%2])
			}
		}
		for _, id := range ids {
			sender.AwaitAck(id)
		}
	}
	ana.Settle()
	got = append(got, texts(ana.Frames())...)
	// Repeats are allowed, because a cut connection swallows frames; order and
	// completeness of the first times are not negotiable.
	seen := map[string]bool{}
	first := slices.DeleteFunc(got, func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
	if !slices.Equal(first, want) {
		t.Errorf("got  %q\nwant %q", first, want)
	}
}

func texts(frames []wire.Message) []string {
	var out []string
	for _, f := range frames {
		if p, ok := f.(*wire.Push); ok && !p.IsEvent() {
			out = append(out, edgetest.Text(p))
		}
	}
	return out
}

func TestL4_WhoWasAwayForTooLongIsToldToResync(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	sender := m.Session(e, "sender")
	ana := m.Session(e, "ana")
	ana.Settle()
	ana.Cut()
	sender.Send("*", "lost")
	// The journal expires when nothing happens for minutes; the test helps.
	for _, key := range journalKeys(t, e, m) {
		if err := e.Client.Raw().Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	again := ana.Again(e)
	if !again.Ack.Resync {
		event := again.Event(wire.EventResync)
		if event.Cursor == "" {
			t.Errorf("resync without a place to go on from: %+v", event)
		}
	}
	again.Pushes()
	sender.Send("*", "after")
	if got := again.Receive(); edgetest.Text(got) != "after" {
		t.Errorf("got %q", edgetest.Text(got))
	}
}

func journalKeys(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh) []string {
	t.Helper()
	keys, err := e.Client.Raw().Keys(t.Context(), "journal:*"+m.ID).Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("journals: %q, %v", keys, err)
	}
	return keys
}

func TestQ1_WhatWasAckedOutlivesTheEdge(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	bob.Cut()
	var want []string
	for i := range 20 {
		want = append(want, ana.Send(bob.Key(), fmt.Sprint(i)))
	}
	one.Kill()
	other.Kill()
	third := edgetest.Start(t, edgetest.WithRedis(one.Redis))
	bob = bob.Again(third)
	for _, id := range want {
		if got := bob.Receive(); got.MessageID != id {
			t.Fatalf("got %s, want %s", got.MessageID, id)
		}
	}
	bob.Settle()
	bob.Cut()
	bob = bob.Again(third)
	bob.ExpectNothing()
}

func TestQ2_OneClientIDIsOneMessage(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana, sibling := m.Session(one, "ana"), m.Session(other, "ana")
	bob := m.Session(other, "bob")
	bob.Pushes()
	for _, target := range []string{bob.Key(), "*"} {
		same := func(s *wire.Send) { s.ClientMessageID, s.RequestFingerprint = "id of "+target, "print" }
		first := ana.Send(target, "once", same)
		if again := ana.Send(target, "once", same); again != first {
			t.Errorf("second ack carries %s, want %s", again, first)
		}
		if again := sibling.Send(target, "once", same); again != first {
			t.Errorf("sibling's ack carries %s, want %s", again, first)
		}
		ack := ana.Message(target, "twice", same, func(s *wire.Send) { s.RequestFingerprint = "other" })
		if ack.Queued || ack.Error != wire.AckFingerprint {
			t.Errorf("another fingerprint: %+v", ack)
		}
		if got := bob.Pushes(); len(got) != 1 || got[0].MessageID != first || got[0].ClientMessageID != "id of "+target {
			t.Errorf("%d pushes", len(got))
		}
	}
}

func TestQ3_OrderIsKeptPerSenderAndPriority(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	bob := m.Session(other, "bob")
	senders := []*edgetest.Peer{m.Session(one, "ana"), m.Session(other, "cho")}
	const each = 60
	want := map[string][]string{}
	for i := range each {
		for _, s := range senders {
			lane := []wire.Lane{wire.LaneNow, wire.LaneNext, wire.LaneLow}[i%3]
			text := fmt.Sprint(i)
			s.Post(bob.Key(), text, func(m *wire.Send) { m.Priority = lane })
			key := s.Key() + string(lane)
			want[key] = append(want[key], text)
		}
		if i == each/2 {
			bob.Settle() // part of it is pushed from bells, part is read
		}
	}
	got := map[string][]string{}
	for range each * len(senders) {
		p := bob.Receive()
		key := p.SenderPubkey + string(p.Priority)
		got[key] = append(got[key], edgetest.Text(p))
	}
	for key := range want {
		if !slices.Equal(got[key], want[key]) {
			t.Errorf("got %q\nwant %q", got[key], want[key])
		}
	}
}

func TestQ4_AReaderThatHangsIsClosedAndCatchesUp(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	bob.Stall()
	// Sent without waiting for acks, and no longer than it takes: what is stuck
	// in the network is given up after a while, and then there is no close frame.
	big := strings.Repeat("x", 40_000)
	broadcasts := 0
	for overflown := false; !overflown; {
		const most, atOnce = 1000, 25 // 40 MB are more than a socket's buffers and an outbox hold
		if broadcasts >= most {
			t.Fatal("the outbox has not overflowed")
		}
		var asked []string
		for range atOnce {
			asked = append(asked, ana.Post("*", fmt.Sprint(broadcasts, " ", big)))
			broadcasts++
		}
		for _, id := range asked {
			if ack := ana.AwaitAck(id); !ack.Queued {
				t.Fatalf("send was refused: %+v", *ack)
			}
		}
		_, body := get(t, e.HTTP+"/metrics")
		overflown = strings.Contains(body, `edge_bound_hits_total{bound="outbox"} 1`)
	}
	bob.Unstall()
	bob.ExpectClose(wire.CloseSlowConsumer, wire.ReasonSlowConsumer)
	var got []string
	count := func() {
		for _, text := range texts(bob.Frames()) {
			n, _, _ := strings.Cut(text, " ")
			got = append(got, n)
		}
	}
	count()
	// The outbox takes a part; a slow catch-up must not overflow it again.
	resyncs := 0
	bob = bob.Again(e)
	for _, p := range bob.Pushes() {
		if p.Event == wire.EventResync {
			resyncs++
		}
		if !p.IsEvent() {
			n, _, _ := strings.Cut(edgetest.Text(p), " ")
			got = append(got, n)
		}
	}
	seen := map[string]bool{}
	for _, n := range got {
		seen[n] = true
	}
	for i := range broadcasts {
		if !seen[fmt.Sprint(i)] && resyncs == 0 && !bob.Ack.Resync {
			t.Errorf("%d was missed without a word", i)
		}
	}
}

func TestQ4_AFullInboxRefusesAndDropsNothing(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	bob.Settle()
	bob.Cut()
	sent := fill(t, e, m, ana, bob.Key())
	if ack := ana.Message(bob.Key(), "x"); ack.Queued || ack.Error != wire.AckInboxFull {
		t.Errorf("ack: %+v", ack)
	}
	bob = bob.Again(e)
	for i := range sent {
		if got := bob.Receive(); got.Nonce[:3] != fmt.Sprintf("%03d", i) {
			t.Fatalf("message %d begins with %q", i, got.Nonce[:3])
		}
	}
	bob.ExpectNoMessage()
	ana.Send(bob.Key(), "there is room again")
	bob.Receive()
}

// fill fills an inbox with messages that are larger than an edge accepts, so
// that it takes a moment instead of a minute.
func fill(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, from *edgetest.Peer, to string) (sent int) {
	t.Helper()
	q := queue.New(e.Client, queue.Options{
		MembersKey: e.Registry.MembersKey, BansKey: e.Registry.BansKey,
		SessionsKey: e.Registry.SessionsKey, GrantsKey: e.Registry.GrantsKey,
	})
	leases, err := e.Client.Raw().Keys(t.Context(), "lease:*:"+from.Key()).Result()
	if err != nil || len(leases) != 1 {
		t.Fatalf("leases: %q, %v", leases, err)
	}
	value, err := e.Client.Raw().Get(t.Context(), leases[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	for size := 1<<20 - 512; ; {
		_, err := q.Send(t.Context(), queue.Direct{
			Mesh: m.ID, Lease: queue.Lease{Key: leases[0], Value: value},
			Sender: queue.Sender{Peer: from.Key(), Member: from.Member.Pub(), Key: from.Key()},
			Target: to, Lane: queue.LaneNext, Body: fmt.Appendf(nil, `{"nonce":"%03d%s"}`, sent, strings.Repeat("x", size)),
		})
		switch full := errors.Is(err, queue.ErrInboxFull); {
		case full && size < 16:
			return sent
		case full:
			size /= 4
		case err != nil:
			t.Fatal(err)
		default:
			sent++
		}
	}
}

func TestALongInboxIsDrainedInPortions(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	bob.Settle()
	bob.Cut()
	const waiting = 600 // more than two windows
	for i := range waiting {
		ana.Post(bob.Key(), fmt.Sprint(i))
	}
	ana.Settle()
	bob = bob.Again(e)
	for i := range waiting {
		if got := edgetest.Text(bob.Receive()); got != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", got, i)
		}
	}
	bob.ExpectNothing()
}
