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
// close it any more. So Dismiss looks until nobody is held any more whom it found
// held at first. That is soon, unless an edge is deaf.
func (p Presence) Dismiss(ctx context.Context, mesh string, which func(admin.Present) bool) error {
	held, err := p.dismiss(ctx, mesh, which, nil)
	if err != nil {
		return err
	}
	pause := lookAgain
	for until := time.Now().Add(closedWithin); len(held) > 0 && time.Now().Before(until); pause *= 2 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("rooms: %w", ctx.Err())
		case <-time.After(pause):
		}
		var still attachments
		if still, err = p.dismiss(ctx, mesh, which, held); err == nil {
			held = still
		}
	}
	return err
}

const (
	// lookAgain is the time before the second look at those who are held. It
	// doubles from look to look, because each reads the roster.
	lookAgain = 50 * time.Millisecond

	// closedWithin is how long edges are waited for, which close the sockets and
	// put on record that they are gone.
	closedWithin = 2 * time.Second
)

// attachments are peers and their generations.
type attachments map[string]string

// dismiss looks once, and returns those of whom are meant that edges hold. Among
// is where it looks, nil for everybody.
func (p Presence) dismiss(ctx context.Context, mesh string, which func(admin.Present) bool, among attachments) (attachments, error) {
	roster, err := p.store.Roster(ctx, mesh)
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	alive, err := p.fleet.alive(ctx)
	if err != nil {
		return nil, err
	}
	holds := attachments{}
	var errs []error
	for i := range roster {
		r := &roster[i]
		if !which(present(r)) || among != nil && among[r.ID] != r.Generation {
			continue
		}
		held, err := p.held(ctx, r.Peer, alive)
		switch {
		case err != nil:
		case held:
			holds[r.ID] = r.Generation
		default:
			err = p.store.Leave(ctx, r.Held())
		}
		if err != nil && !errors.Is(err, presence.ErrLost) {
			errs = append(errs, fmt.Errorf("rooms: %w", err))
		}
	}
	return holds, errors.Join(errs...)
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
