package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/presence"
)

// Presence reads the roster, and ends what is left of those who are sent away.
type Presence struct {
	store *presence.Store
	fleet Fleet
}

// NewPresence shows a store that keeps its leases in client.
func NewPresence(client *redis.Client, store *presence.Store) Presence {
	return Presence{store: store, fleet: Fleet{client}}
}

// Present lists the connections of a mesh. Transient ones are not listed.
func (p Presence) Present(ctx context.Context, mesh string) ([]admin.Present, error) {
	roster, err := p.store.Roster(ctx, mesh)
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	out := make([]admin.Present, len(roster))
	for i := range roster {
		out[i] = present(&roster[i])
	}
	return out, nil
}

func present(r *presence.Presence) admin.Present {
	var record struct {
		DisplayName string `json:"displayName"`
	}
	_ = json.Unmarshal(r.Record, &record) // a record without a name is shown without one
	role := wire.PeerRoleControlPlane
	if r.Kind == presence.KindSession {
		role = wire.PeerRoleSession
	}
	return admin.Present{ID: r.ID, Member: r.Member, Presence: wire.Presence{
		Pubkey: r.Key, DisplayName: record.DisplayName, PeerRole: role,
		Status: r.Status.Value, Visible: r.Announced, ConnectedAt: wire.At(r.ConnectedAt),
	}}
}

// Dismiss ends the leases that no edge alive holds a socket for. Others are told
// as of any goodbye, once, whoever else ends the same lease; a peer that has
// come back meanwhile stays, because its attachment is a newer one.
//
// Where an edge is alive it is the one to close the socket and end the lease:
// ended from here first, it would tell the peer to come back.
//
// A socket that was just lost is still on record as held, while its edge cannot
// close it any more: where some are held, it looks again a moment later.
func (p Presence) Dismiss(ctx context.Context, mesh string, which func(admin.Present) bool) error {
	some, err := p.dismiss(ctx, mesh, which)
	if err != nil || !some {
		return err
	}
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("rooms: %w", ctx.Err())
	case <-again.C:
	}
	_, err = p.dismiss(ctx, mesh, which)
	return err
}

// lookAgain is how long an edge may take to put on record that a socket was
// lost.
const lookAgain = 200 * time.Millisecond

// dismiss looks once, and reports whether edges hold some of those meant.
func (p Presence) dismiss(ctx context.Context, mesh string, which func(admin.Present) bool) (some bool, err error) {
	roster, err := p.store.Roster(ctx, mesh)
	if err != nil {
		return false, fmt.Errorf("rooms: %w", err)
	}
	alive, err := p.fleet.alive(ctx)
	if err != nil {
		return false, err
	}
	var errs []error
	for i := range roster {
		r := &roster[i]
		if !which(present(r)) {
			continue
		}
		held, err := p.held(ctx, r.Peer, alive)
		some = some || held
		if err == nil && !held {
			err = p.store.Leave(ctx, r.Held())
		}
		if err != nil && !errors.Is(err, presence.ErrLost) {
			errs = append(errs, fmt.Errorf("rooms: %w", err))
		}
	}
	return some, errors.Join(errs...)
}

// held reports whether an edge that is alive holds a socket of the peer. A
// lease whose socket was lost names no connection.
func (p Presence) held(ctx context.Context, peer presence.Peer, alive map[string]bool) (bool, error) {
	lease, err := p.fleet.Redis.Raw().MGet(ctx, p.store.LeaseKey(peer)).Result()
	if err != nil {
		return false, err
	}
	value, _ := lease[0].(string)
	f := strings.Split(value, "/")
	return len(f) == 3 && f[2] != "-" && alive[f[1]], nil
}
