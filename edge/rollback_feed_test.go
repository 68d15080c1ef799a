package edge

import (
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// Whatever is found out about a journal, a ping goes behind it: one frame more
// in each of these tests.

// hears has the feed hear entries and take the last of them for its place.
func hears(f *feed, entries ...queue.JournalEntry) {
	for _, e := range entries {
		f.heardEntry(e)
	}
}

func TestL4_ANumberThatComesAgainUnderAnotherIDIsNotPassedOnBeforeTheJournalIsRead(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	hears(f, event(11, "a"), event(12, "b"), event(13, "c"), event(11, "a"))
	if f.stray {
		t.Fatal("a bell that rings twice is no roll-back")
	}
	// 12' came while nobody listened; only 13' was heard.
	hears(f, event(13, "c'"), event(14, "d'"))
	if !f.stray || len(c.socket.out.queue) != 3 || !f.doubt {
		t.Fatalf("stray %v, %d frames", f.stray, len(c.socket.out.queue))
	}
	now := []queue.JournalEntry{event(10, "id10"), event(11, "a"), event(12, "b'"), event(13, "c'"), event(14, "d'")}
	f.doubt = false
	done := f.goOn(now, queue.Head{Epoch: "next", Seq: 14, ID: "d'"})
	if !done || len(c.socket.out.queue) != 6+1 || c.pos != 14 || c.posID != "d'" {
		t.Errorf("done %v, %d frames, given %d %q", done, len(c.socket.out.queue), c.pos, c.posID)
	}
	if got := f.cursorLocked(c); got != "next/14/d'" {
		t.Errorf("cursor %s", got)
	}
}

func TestL4_PlacesInWhatWasLostAreNotBelieved(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	hears(f, event(11, "a"))
	ping := c.ping()
	f.goOn([]queue.JournalEntry{event(10, "id10"), event(11, "a'")}, queue.Head{Epoch: "next", Seq: 11, ID: "a'"})
	c.ponged([]byte{0, 0, 0, 0, 0, 0, 0, byte(ping)})
	if got := c.cursor(); got != "epoch/11/a" {
		t.Errorf("the answer to a ping before the roll-back confirms %s", got)
	}
	c.ponged([]byte{0, 0, 0, 0, 0, 0, 0, byte(c.ping())})
	if got := c.cursor(); got != "next/11/a'" {
		t.Errorf("the answer to one after it confirms %s", got)
	}
}

func TestL4_AnotherJournalIsTold(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]queue.Head{
		"another epoch":      {Epoch: "other", Seq: 99, ID: "x"},
		"went back":          {Epoch: "epoch", Seq: 3, ID: "x"},
		"another last entry": {Epoch: "epoch", Seq: 10, ID: "x"},
	} {
		f, c := quietFeed(t)
		f.compare(head, f.place())
		if !f.stray {
			t.Fatalf("%s: not noticed", name)
		}
		head.Epoch = "turned"
		f.goOn(nil, head)
		if c.pos != head.Seq || len(c.socket.out.queue) != 1+1 || f.epoch != head.Epoch {
			t.Errorf("%s: given %d, %d frames", name, c.pos, len(c.socket.out.queue))
		}
	}
	f, c := quietFeed(t)
	f.compare(queue.Head{Epoch: "epoch", Seq: 10, ID: "id10"}, 10)
	f.compare(queue.Head{Epoch: "epoch", Seq: 12, ID: "id12"}, 10)
	if c.pos != 10 || len(c.socket.out.queue) != 0 || !f.doubt || f.stray {
		t.Errorf("given %d, %d frames, doubt %v, stray %v", c.pos, len(c.socket.out.queue), f.doubt, f.stray)
	}
}

func TestL4_AnEpochThatAnotherEdgeTurnedIsTakenOverWithoutAWord(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	f.compare(queue.Head{Epoch: "next", Seq: 10, ID: "id10"}, 10)
	f.goOn([]queue.JournalEntry{event(10, "id10")}, queue.Head{Epoch: "next", Seq: 10, ID: "id10"})
	if len(c.socket.out.queue) != 0+1 || c.pos != 10 || f.epoch != "next" {
		t.Errorf("%d frames, given %d, epoch %s", len(c.socket.out.queue), c.pos, f.epoch)
	}
}

func TestL4_OneThatLagsBehindWhatWasLostIsTold(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	c.live = false
	hears(f, event(11, "a"), event(12, "b"), event(13, "c"))
	c.pos, c.posID = 12, "b" // it has yet to be given 13
	f.goOn([]queue.JournalEntry{event(11, "a")}, queue.Head{Epoch: "next", Seq: 11, ID: "a"})
	if len(c.socket.out.queue) != 1+1 || c.pos != 11 {
		t.Errorf("%d frames, given %d", len(c.socket.out.queue), c.pos)
	}
}

func TestL4_AGapIsNotFilledFromAnotherHistory(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	hears(f, event(11, "a"), event(13, "c'"))
	done := f.fill([]queue.JournalEntry{event(11, "a'"), event(12, "b'"), event(13, "c'")},
		queue.Head{Epoch: "epoch", Seq: 13, ID: "c'"}, 11)
	if done || !f.stray || len(c.socket.out.queue) != 1 {
		t.Errorf("done %v, stray %v, %d frames", done, f.stray, len(c.socket.out.queue))
	}
	for _, head := range []queue.Head{{Epoch: "next", Seq: 13, ID: "c'"}, {Epoch: "epoch", Seq: 3, ID: "z"}} {
		f, c := quietFeed(t)
		c.live, f.heard = false, 12
		if f.catchUp(c, nil, head) || !f.stray {
			t.Errorf("%+v: a peer was given another history", head)
		}
	}
}

func TestMessagesToAGroupJoinedInAnotherJournalAreHeard(t *testing.T) {
	t.Parallel()
	r := record{Epoch: "epoch", Since: map[string]uint64{"ops": 500}}
	r.Groups = append(r.Groups, wire.Group{Name: "ops"})
	a := r.audience()
	for epoch, want := range map[string]bool{"epoch": false, "next": true} {
		if got := a.hears("@ops", epoch, 7); got != want {
			t.Errorf("%s: %v", epoch, got)
		}
	}
	if a.hears("@other", "next", 7) {
		t.Error("another group's message is heard")
	}
}

func TestL1_AnAttemptThatFailsLosesNothingOfWhatWasKnown(t *testing.T) {
	t.Parallel()
	f, _ := quietFeed(t)
	h := &hub{server: f.server, feeds: map[string]*feed{}, marks: map[string]*bookmark{}}
	f.server.hub = h
	hears(f, event(11, "a"))
	h.mu.Lock()
	h.leaveMarkLocked(f)
	h.mu.Unlock()
	again := newFeed(f.server, f.mesh)
	h.mu.Lock()
	h.feeds[f.mesh], again.mark = again, h.takeMarkLocked(f.mesh)
	h.mu.Unlock()
	again.forget() // Redis was away
	third := newFeed(f.server, f.mesh)
	h.mu.Lock()
	third.mark = h.takeMarkLocked(f.mesh)
	h.mu.Unlock()
	if third.mark == nil {
		t.Fatal("what was known is lost")
	}
	third.goOnLocked(third.mark, queue.Head{Epoch: "epoch", Seq: 11, ID: "a"})
	if third.heard != 11 || third.knows("other") != "epoch" || third.stray {
		t.Errorf("heard %d, knows %q, stray %v", third.heard, third.knows("other"), third.stray)
	}
}
