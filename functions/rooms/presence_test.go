package rooms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/rooms"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

const (
	mesh   = "mesh"
	member = "member"
)

// house is a roster with a peer that an edge holds a socket for.
type house struct {
	*testing.T
	client *redis.Client
	store  *presence.Store
	rooms  rooms.Presence
	held   presence.Held
}

func newHouse(t *testing.T) *house {
	t.Helper()
	c := redistest.Start(t).Client(t)
	reg := registry.New(c, registry.Options{})
	q := queue.New(c, queue.Options{
		MembersKey: reg.MembersKey, BansKey: reg.BansKey, SessionsKey: reg.SessionsKey, GrantsKey: reg.GrantsKey,
	})
	h := &house{T: t, client: c, store: presence.New(c, presence.Options{
		JournalLua: queue.JournalLua, JournalKeys: q.JournalKeys, MembersKey: reg.MembersKey, BansKey: reg.BansKey,
		GrantsKey: reg.GrantsKey, MeshKey: reg.MeshKey,
	})}
	h.rooms = rooms.NewPresence(c, h.store)
	if err := c.Raw().HSet(t.Context(), reg.MembersKey(mesh), member, "{}").Err(); err != nil {
		t.Fatal(err)
	}
	alive := goredis.Z{Score: float64(time.Now().UnixMilli()), Member: "edge"}
	if err := c.Raw().ZAdd(t.Context(), "edges", alive).Err(); err != nil {
		t.Fatal(err)
	}
	h.held = h.attach()
	return h
}

func (h *house) attach() presence.Held {
	h.Helper()
	got, err := h.store.Attach(h.Context(), presence.Attachment{
		Peer: presence.Peer{Mesh: mesh, ID: "peer"}, Member: member, Key: "key", Kind: presence.KindSession,
		Edge: "edge", Conn: "conn", Announce: true, Record: []byte(`{"displayName":"Ana"}`),
	})
	if err != nil {
		h.Fatal(err)
	}
	return got.Held
}

func (h *house) here() bool {
	h.Helper()
	_, here, err := h.store.Get(h.Context(), h.held.Peer)
	if err != nil {
		h.Fatal(err)
	}
	return here
}

func everybody(admin.Present) bool { return true }

func TestWhoseSocketIsLostWhileItIsSentAwayIsDismissed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	looks := 0
	err := h.rooms.Dismiss(t.Context(), mesh, func(admin.Present) bool {
		// Its edge heard too late to close the socket, and takes its time to put
		// on record that it is gone.
		if looks++; looks == 3 {
			if err := h.store.Detach(t.Context(), h.held, ""); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	if err != nil || h.here() {
		t.Errorf("still here after %d looks: %v, %v", looks, h.here(), err)
	}
}

func TestWhoHasComeBackIsNotDismissed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	looks := 0
	err := h.rooms.Dismiss(t.Context(), mesh, func(admin.Present) bool {
		if looks++; looks == 3 {
			if err := h.store.Leave(t.Context(), h.held); err != nil {
				t.Error(err)
			}
			if err := h.store.Detach(t.Context(), h.attach(), ""); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	if err != nil || !h.here() {
		t.Errorf("came back and is here: %v, %v", h.here(), err)
	}
}

func TestWhoIsOfAnEdgeThatHasDiedIsDismissedAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if err := h.client.Raw().ZRem(t.Context(), "edges", "edge").Err(); err != nil {
		t.Fatal(err)
	}
	if err := h.rooms.Dismiss(t.Context(), mesh, everybody); err != nil || h.here() {
		t.Errorf("still here: %v, %v", h.here(), err)
	}
}

func TestAnEdgeThatDoesNotCloseASocketIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	looks := 0
	err := h.rooms.Dismiss(t.Context(), mesh, func(admin.Present) bool {
		looks++
		return true
	})
	if err != nil || !h.here() {
		t.Errorf("its lease was ended before its socket: %v, %v", h.here(), err)
	}
	if looks > 8 { // each reads the roster, which may be megabytes
		t.Errorf("looked %d times", looks)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = h.rooms.Dismiss(ctx, mesh, func(admin.Present) bool {
		cancel()
		return true
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("nobody asks any more: %v", err)
	}
}
