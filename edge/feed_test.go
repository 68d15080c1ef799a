package edge

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"

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
			l := &c.server.arrivals
			l.heard(f.mesh, note{bellKicked, key, ""}) // before
			a := &admission{mesh: f.mesh, key: key, peer: c.peer.ID}
			l.begin(a)
			l.heard(f.mesh, note{bell.word, bell.a, bell.b})
			for i := range 1000 { // as many others come back, and are banned
				l.heard(f.mesh, note{bellTaken, fmt.Sprint("peer", i), "200"})
				l.heard(f.mesh, note{bellBanned, fmt.Sprint("member", i), ""})
			}
			l.heard("another", note{bellArchived, "", ""})
			f.add(c, presence.Cursor{Epoch: "epoch", Seq: 10, ID: "id10"}, nil)
			c.catchUp(a, l.end(a))
			if got := c.socket.reason; got != bell.want {
				t.Errorf("closed for %q, want %q", got, bell.want)
			}
			if len(l.byMesh) != 0 {
				t.Error("the handshake is still known")
			}
		})
	}
}

func TestOfWhatConcernsAHandshakeTheLastOfEachWordIsKept(t *testing.T) {
	t.Parallel()
	var l arrivals
	a := &admission{mesh: "mesh", key: "member", peer: "peer"}
	l.begin(a)
	for i := range 1000 {
		l.heard("mesh", note{bellTaken, "peer", fmt.Sprint(i)})
		l.heard("mesh", note{bellProfile, "member", ""})
	}
	want := []note{{bellTaken, "peer", "999"}, {bellProfile, "member", ""}}
	if got := l.end(a); !slices.Equal(got, want) {
		t.Errorf("kept %v", got)
	}
	l.heard("mesh", note{bellBanned, "member", ""})
	if got := l.end(a); !slices.Equal(got, want) {
		t.Errorf("then %v", got)
	}
}

func TestAStatusThatChangesDuringTheHandshakeIsRead(t *testing.T) {
	t.Parallel()
	f, c := quietFeed(t)
	a := &admission{mesh: f.mesh, peer: c.peer.ID}
	c.server.arrivals.begin(a)
	c.server.arrivals.heard(f.mesh, note{bellStatus, c.peer.ID, ""})
	c.catchUp(a, c.server.arrivals.end(a))
	if !c.box.takeDoubt() {
		t.Error("nobody reads it")
	}
}
