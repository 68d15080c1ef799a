package presence

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// TestTheScriptsAlsoRunOnAnEmbeddedServer takes a peer through its life on a
// server written in Go, whose Lua is another implementation.
func TestTheScriptsAlsoRunOnAnEmbeddedServer(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	rdb, err := redis.Open(t.Context(), redis.Options{URL: "redis://" + server.Addr(), Partitions: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	b := &bench{TB: t, rdb: rdb, mesh: "Mesh1"}
	b.store = b.newStore(Options{})
	b.enrol(alice, bob)

	a := b.attach(b.session("p1"))
	if got := b.renewFrom(a.Held, a.Start.String(), nil); got != Renewed {
		t.Errorf("renew: %q", got)
	}
	if got, err := b.store.SetStatus(t.Context(), a.Peer, &a.Held, StatusDND, SourceManual); err != nil || got.Value != StatusDND {
		t.Errorf("status: %+v, %v", got, err)
	}
	if _, err := b.store.Update(t.Context(), a.Held, []byte(`{"displayName":"Zoë"}`), UpdateEvent{}); err != nil {
		t.Error(err)
	}
	b.detach(a.Held)
	again := b.attach(b.session("p1"))
	if again.Outcome != Resumed || again.Start != a.Start {
		t.Errorf("attach: %+v", again)
	}
	b.expire(a.Peer)
	if !b.settle(a.Peer) {
		t.Error("nothing to settle")
	}
	b.must(b.store.Leave(t.Context(), b.attach(b.session("p2")).Held))
	b.wantEvents("peer_joined p1", "peer_left p1", "peer_joined p2", "peer_left p2")

	b.watch(b.store, WatcherOptions{Edge: "edgeA"})
	b.flushAll()
	if got := b.renewFrom(again.Held, again.Start.String(), snapshotOf(again)); got != Restored {
		t.Errorf("restore: %q", got)
	}
}
