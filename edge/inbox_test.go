package edge

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

func newTestBox() *box {
	b := &box{inboxes: []inbox{{key: "k", best: true, lanes: lanesOf()}}, busy: presence.Status{Value: presence.StatusIdle}}
	for i := range b.inboxes[0].lanes {
		b.inboxes[0].lanes[i].stale = false
	}
	return b
}

func pushed(b *box, seq uint64, ago time.Duration) {
	b.sent = append(b.sent, sent{inbox: 0, lane: 1, seq: seq, id: string(rune('a' + seq)), at: time.Now().Add(-ago)})
	b.inboxes[0].lanes[1].after = seq
	b.window++
}

func TestWhatWasNotAckedIsRepeatedToWhoAcks(t *testing.T) {
	t.Parallel()
	b := newTestBox()
	pushed(b, 3, time.Minute)
	pushed(b, 5, time.Minute)
	pushed(b, 8, time.Second)
	overdue := time.Now().Add(-repeatAfter)
	if b.rewind(overdue) {
		t.Error("repeated to a peer that never acked")
	}
	if first := b.acked("d"); !first { // message 3
		t.Error("the first ack was not the first")
	}
	if !b.rewind(overdue) {
		t.Fatal("nothing is overdue")
	}
	l := b.inboxes[0].lanes[1]
	if l.after != 4 || !l.stale || b.window != 0 || len(b.sent) != 0 {
		t.Errorf("after %d, stale %v, window %d, %d sent", l.after, l.stale, b.window, len(b.sent))
	}
	if b.rewind(overdue) {
		t.Error("repeated twice")
	}
}

func TestAnAnsweredPingStandsInForAcksOnce(t *testing.T) {
	t.Parallel()
	b := newTestBox()
	for seq := range uint64(5) {
		pushed(b, seq+1, 0)
		b.sent[seq].ping = seq/2 + 1
	}
	if !b.arrived(2) || b.arrived(2) {
		t.Error("an answer counts once")
	}
	groups := b.unconfirmed()
	if len(groups) != 1 || groups[0].key != "k" || groups[0].lane != queue.LaneNext || !slices.Equal(groups[0].seqs, []uint64{1, 2, 3, 4}) {
		t.Fatalf("groups: %+v", groups)
	}
	b.markConfirmed(groups[0])
	if b.window != 1 || len(b.unconfirmed()) != 0 {
		t.Errorf("window %d", b.window)
	}
	for seq := range uint64(2 * ackWindow) {
		pushed(b, seq+100, 0)
		b.sent[len(b.sent)-1].confirmed = true
	}
	b.markConfirmed(proof{})
	if len(b.sent) > ackWindow {
		t.Errorf("%d messages are remembered", len(b.sent))
	}
}

func TestAnOlderStatusDoesNotOverrideANewerOne(t *testing.T) {
	t.Parallel()
	b := newTestBox()
	now := time.Now()
	b.setStatus(presence.Status{Value: presence.StatusDND, At: now})
	b.setStatus(presence.Status{Value: presence.StatusIdle, At: now.Add(-time.Second)})
	if b.admits(queue.LaneNext) || !b.admits(queue.LaneNow) {
		t.Error("the older status counts")
	}
}

// TestWhatIsRememberedOfAPushHoldsNothingOfItsBell: else a peer that acks
// nothing would keep hundreds of messages of 64 KiB in the edge's memory.
func TestWhatIsRememberedOfAPushHoldsNothingOfItsBell(t *testing.T) {
	t.Parallel()
	_, c := quietFeed(t)
	c.box = *newTestBox() //nolint:govet // nobody else has it yet
	bell := &queue.InboxBell{Inbox: "k", Lane: queue.LaneNext, Entry: queue.Entry{Seq: 1, ID: "the id", ClientID: "client", Body: "{}"}}
	c.rung(bell)
	if len(c.box.sent) != 1 {
		t.Fatal("not pushed")
	}
	s := c.box.sent[0]
	if unsafe.StringData(s.id) == unsafe.StringData(bell.ID) || unsafe.StringData(s.clientID) == unsafe.StringData(bell.ClientID) {
		t.Error("an id is a part of the bell")
	}
}

func TestABellOfAStatusOutlastsAnAnswerFromBeforeIt(t *testing.T) {
	t.Parallel()
	b := newTestBox()
	b.doubtStatus()
	b.setStatus(presence.Status{Value: presence.StatusWorking, At: time.Now()})
	if !b.takeDoubt() || b.takeDoubt() {
		t.Error("the status is to be read, once")
	}
}

// TestQ3_ARepeatIsNotOvertakenByAReadThatWasUnderWay: what was read before the
// lane went back lies behind what is to be repeated.
func TestQ3_ARepeatIsNotOvertakenByAReadThatWasUnderWay(t *testing.T) {
	t.Parallel()
	_, c := quietFeed(t)
	c.box = *newTestBox() //nolint:govet // nobody else has it yet
	c.box.acks = true
	pushed(&c.box, 3, time.Minute)
	lane := &c.box.inboxes[0].lanes[1]
	lane.stale = true
	job := c.box.job(0, 1)
	if !c.box.rewind(time.Now().Add(-repeatAfter)) {
		t.Fatal("nothing was overdue")
	}
	c.pushPage(0, 1, job, []queue.Entry{{Seq: 5, ID: "five", Body: "{}"}}, inboxPage)
	if lane.after >= 3 || !lane.stale {
		t.Errorf("the lane stands at %d, stale %v: message 3 is not repeated", lane.after, lane.stale)
	}
	c.pushPage(0, 1, c.box.job(0, 1), []queue.Entry{{Seq: 3, ID: "three", Body: "{}"}, {Seq: 5, ID: "five", Body: "{}"}}, inboxPage)
	if lane.after != 5 || lane.stale || len(c.box.sent) != 2 {
		t.Errorf("the lane stands at %d, stale %v, %d sent", lane.after, lane.stale, len(c.box.sent))
	}
}

// TestWhatIsUnderWayIsNotPushedTwiceBecauseItsLaneIsReadAgain: neither a loss nor
// the bell of an acked message is a reason to forget what was pushed behind it.
func TestWhatIsUnderWayIsNotPushedTwiceBecauseItsLaneIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*conn){
		"after a loss": func(c *conn) { c.box.restart() },
		"for a bell that comes late": func(c *conn) {
			c.rung(&queue.InboxBell{Inbox: "k", Lane: queue.LaneNext, Entry: queue.Entry{Seq: 2, ID: "acked"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := quietFeed(t)
			c.box = *newTestBox() //nolint:govet // nobody else has it yet
			c.box.acks = true
			pushed(&c.box, 3, time.Second)
			pushed(&c.box, 5, time.Second)
			c.box.inboxes[0].lanes[1].repeat = 5
			again(c)
			if c.box.rewind(time.Now().Add(-repeatAfter)) {
				t.Error("something was overdue")
			}
			page := []queue.Entry{{Seq: 3, ID: c.box.sent[0].id}, {Seq: 5, ID: c.box.sent[1].id}, {Seq: 6, ID: "six", Body: "{}"}}
			c.pushPage(0, 1, c.box.job(0, 1), page, inboxPage)
			lane := c.box.inboxes[0].lanes[1]
			if len(c.box.sent) != 3 || c.box.window != 3 || lane.after != 6 || lane.stale {
				t.Errorf("%d sent, window %d, the lane stands at %d, stale %v", len(c.box.sent), c.box.window, lane.after, lane.stale)
			}
		})
	}
}

// TestQ1_APageOfBeforeALossDoesNotHideWhatTookItsPlaces has a lane read from its
// beginning while Redis goes back.
func TestQ1_APageOfBeforeALossDoesNotHideWhatTookItsPlaces(t *testing.T) {
	t.Parallel()
	_, c := quietFeed(t)
	c.box = *newTestBox() //nolint:govet // nobody else has it yet
	lane := &c.box.inboxes[0].lanes[1]
	lane.stale = true
	job := c.box.job(0, 1)
	c.box.restart()
	c.pushPage(0, 1, job, []queue.Entry{{Seq: 5, ID: "lost", Body: "{}"}}, inboxPage)
	if lane.after != 0 || !lane.stale {
		t.Errorf("the lane stands at %d, stale %v", lane.after, lane.stale)
	}
}
