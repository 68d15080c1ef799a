package edge

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// quietFeed is an open feed without Redis, and a peer in it whose outbox is
// never written.
func quietFeed(t *testing.T) (*feed, *conn) {
	t.Helper()
	s := &Server{metrics: newMetrics(), log: slog.New(slog.DiscardHandler)}
	s.renewer = newRenewer(s)
	f := newFeed(s, "mesh")
	f.startLocked(queue.Head{Epoch: "epoch", Seq: 10, ID: "id10"})
	f.reading = true // so that nobody tries to
	k := &socket{server: s}
	k.out = outbox{spawn: func(func()) {}}
	c := &conn{server: s, socket: k, feed: f, peer: presence.Peer{Mesh: "mesh", ID: "listener"}, log: s.log}
	f.add(c, presence.Cursor{Epoch: "epoch", Seq: 10, ID: "id10"}, nil)
	c.live = true
	return f, c
}

func event(seq uint64, id string) queue.JournalEntry {
	return queue.JournalEntry{Seq: seq, Prev: seq - 1, ID: id, Kind: queue.KindEvent, Event: "peer_joined", Peer: "other", Body: "{}"}
}

func TestEntriesArePassedOnInOrderWhateverOrderTheyAreHeardIn(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	for _, seq := range []uint64{12, 14, 13, 12, 11, 11, 9, 15} {
		f.heardEntry(event(seq, fmt.Sprint("id", seq)))
	}
	if f.heard != 15 || c.pos != 15 || c.posID != "id15" {
		t.Errorf("heard %d, given %d %q", f.heard, c.pos, c.posID)
	}
	if n := len(c.socket.out.queue); n != 5 {
		t.Errorf("%d frames", n)
	}
	if len(f.early) != 0 {
		t.Errorf("%d entries are kept for no reason", len(f.early))
	}
}

func TestWhatIsHeardDuringAGapIsBounded(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	for seq := uint64(12); seq < 12+2*maxEarly; seq++ {
		f.heardEntry(event(seq, fmt.Sprint("id", seq)))
	}
	if len(f.early) != maxEarly || c.pos != 10 {
		t.Errorf("%d kept, given %d", len(f.early), c.pos)
	}
	done := f.fill([]queue.JournalEntry{event(11, "id11")}, queue.Head{Epoch: "epoch", Seq: 11 + 2*maxEarly, ID: "x"}, 10)
	if done || c.pos != 11+maxEarly {
		t.Errorf("done %v, given %d", done, c.pos)
	}
}

func TestACursorIsConfirmedByAnAnswerAndNothingElse(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	f.heardEntry(event(11, "id11"))
	first := c.ping()
	f.heardEntry(event(12, "id12"))
	if got := c.cursor(); got != "epoch/10/id10" {
		t.Errorf("before any answer: %s", got)
	}
	c.ponged([]byte("unasked"))
	c.ponged([]byte{0, 0, 0, 0, 0, 0, 0, byte(first)})
	if got := c.cursor(); got != "epoch/11/id11" {
		t.Errorf("after the answer: %s", got)
	}
	for range 2 * maxMarks {
		c.ping()
	}
	if len(c.marks) > maxMarks {
		t.Errorf("%d pings are remembered", len(c.marks))
	}
}

func TestGenerationsAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{{"10", "9", true}, {"9", "10", false}, {"5", "5", false}, {"1790000000000001", "1790000000000000", true}} {
		if got := newer(c.a, c.b); got != c.want {
			t.Errorf("newer(%s, %s) = %v", c.a, c.b, got)
		}
	}
}

// TestS2_WhoEntersObeysTheBellsOfItsHandshake: one that rang between the answer
// of the attach script and the entry into the feed has found nobody here.
func TestS2_WhoEntersObeysTheBellsOfItsHandshake(t *testing.T) {
	t.Parallel()
	const key = "member"
	for name, bell := range map[string]struct {
		word, a, b string
		want       closeReason
	}{
		"banned":       {bellBanned, key, "", closedBanned},
		"kicked":       {bellKicked, "somebody listener", "", closedKicked},
		"disconnected": {bellDisconnected, key, "", closedSentAway},
		"archived":     {bellArchived, "", "", closedArchived},
		"taken over":   {bellTaken, "listener", "101", closedReplaced},
		"another's":    {bellBanned, "other", "", ""},
		"of before":    {bellTaken, "listener", "99", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := quietFeed(t)
			f.remove(c)
			c.kind, c.member.Key, c.held.Generation = presence.KindSession, key, "100"
			long := note{at: time.Now().Add(-time.Hour), word: bellKicked, a: key}
			f.noted(long)
			c.asked = time.Now()
			f.noted(note{time.Now(), bell.word, bell.a, bell.b})
			f.add(c, presence.Cursor{Epoch: "epoch", Seq: 10, ID: "id10"}, nil)
			c.catchUpOnBells()
			if got := c.socket.reason; got != bell.want {
				t.Errorf("closed for %q, want %q", got, bell.want)
			}
		})
	}
}

func TestNotesOfBellsAreBounded(t *testing.T) {
	t.Parallel()
	f, _ := quietFeed(t)
	now := time.Now()
	for i := range 3 * notesKept {
		f.noted(note{at: now, word: bellKicked, a: fmt.Sprint(i)})
	}
	if n := len(f.notesSince(now)); n != notesKept {
		t.Errorf("%d notes are kept", n)
	}
	f.noted(note{at: now.Add(2 * noteKeptFor), word: bellKicked})
	if n := len(f.notes); n != 1 {
		t.Errorf("%d notes are left after all that time", n)
	}
}
