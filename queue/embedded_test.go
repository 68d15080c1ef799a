package queue

import (
	"errors"
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// TestTheVerbsRunOnTheEmbeddedServer keeps the scripts within the Lua that an
// installation without a Redis of its own can run.
func TestTheVerbsRunOnTheEmbeddedServer(t *testing.T) {
	t.Parallel()
	c, err := redis.Open(t.Context(), redis.Options{URL: "redis://" + miniredis.RunT(t).Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	b := setupOn(t, nil, c)
	b.q.o.Rate, b.q.o.Burst = 60, 10
	alice, bob := b.member("a1"), b.member("b0b")
	inbox := bob.sender.Member
	hear := b.listen(b.c.EdgeBell(b.mesh, edgeA))
	b.do("HSET", b.key("grants")(b.mesh), inbox, `{"x":["dm"]}`)

	if !bob.open(inbox, RankUnproven) {
		t.Error("the only candidate is not the reader")
	}
	if r, err := b.q.Promote(t.Context(), bob.reader(inbox, 0)); err != nil || !r.Best {
		t.Errorf("promote: %+v, %v", r, err)
	}
	first := alice.send(alice.direct(inbox, "id", `{"n":1}`))
	if again := alice.send(alice.direct(inbox, "id", `{"n":1}`)); !again.Duplicate || again.MessageID != first.MessageID {
		t.Errorf("got %+v", again)
	}
	if bell, ok := ParseInboxBell(hear()); !ok || bell.ID != first.MessageID {
		t.Errorf("heard %+v", bell)
	}
	second, third := alice.say(inbox), alice.say(inbox)
	if got := ids(b.read(inbox, LaneNext)); !slices.Equal(got, []string{first.MessageID, second, third}) {
		t.Errorf("read %q", got)
	}
	if !bob.ack(first.MessageID, inbox) || bob.ack(first.MessageID, inbox) {
		t.Error("an ack must succeed once")
	}
	if s, err := b.q.Status(t.Context(), b.mesh, first.MessageID); err != nil || !s.Delivered {
		t.Errorf("status: %+v, %v", s, err)
	}
	for range MaxPushes {
		if err := b.q.Confirm(t.Context(), b.mesh, bob.lease, inbox, LaneNext, []uint64{2}); err != nil {
			t.Fatal(err)
		}
	}
	b.q.retention = expired
	if n := b.retire(10); n != 1 || len(b.deadLetters()) != 1 {
		t.Errorf("%d messages were retired", n)
	}
	dead := b.deadLetters()[0].ID
	if err := b.requeue(dead); err != nil {
		t.Error(err)
	}
	if depths, err := b.q.Depths(t.Context(), b.mesh); err != nil || len(depths) != 1 || depths[0].Messages != 1 {
		t.Errorf("depths: %+v, %v", depths, err)
	}
	if !bob.ack(dead, inbox) || !errors.Is(b.drop(dead), ErrNotFound) {
		t.Error("a dead letter that was put back is acked, and is none any more")
	}
	alice.post("*", "{}")
	entries, head := b.journal(0, 10)
	if ok, err := b.q.CheckCursor(t.Context(), b.mesh, head.Cursor()); err != nil || !ok || len(entries) != 1 {
		t.Errorf("journal: %+v, %v", entries, err)
	}
	bob.close(inbox)
	if _, err := b.q.Send(t.Context(), alice.direct("nobody", "", "{}")); !errors.Is(err, ErrNoRecipient) {
		t.Errorf("got %v", err)
	}
}
