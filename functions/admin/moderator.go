package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/signed"
)

// Moderator shuts members out and sends connections away. The routes here have
// it do so for whoever signs, and edges for whoever asks over a socket.
type Moderator struct {
	Registry ModeratorRegistry
	Presence Presence // nil: leases end by themselves
}

// ModeratorRegistry is what a Moderator needs of the registry.
type ModeratorRegistry interface {
	Admission(ctx context.Context, mesh, memberKey string) (registry.Mesh, registry.Member, error)
	Ban(ctx context.Context, mesh, memberKey string) error
	Unban(ctx context.Context, mesh, memberKey string) error
	Revoke(ctx context.Context, mesh, memberKey string) error
	Kick(ctx context.Context, mesh, target string) error
	Disconnect(ctx context.Context, mesh, target string) error
}

// By is on whose behalf a Moderator acts: a key that was proven, and what it is
// to the mesh.
type By struct {
	Key string
	As  signed.Role
}

// May says whether by may act against a member. Admins may not shut out each
// other or themselves: whoever loses an admin key would lose the mesh to the
// finder. The owner key stays above that. A refusal is a [*signed.Refusal].
func (m Moderator) May(ctx context.Context, mesh string, by By, key string) error {
	if !wire.IsKey(key) {
		return invalid(errors.New("member key must be 64 hex chars"))
	}
	if by.As == signed.Owner {
		return nil
	}
	_, member, err := m.Registry.Admission(ctx, mesh, key)
	switch {
	case err != nil && !errors.Is(err, registry.ErrRevoked):
		return fmt.Errorf("admin: may moderate: %w", err)
	case member.Role == wire.RoleAdmin:
		return forbidden("only the owner moderates admins")
	}
	return nil
}

// Ban shuts a member out until the ban is lifted.
func (m Moderator) Ban(ctx context.Context, mesh string, by By, key string) error {
	return m.shutOut(ctx, mesh, by, key, m.Registry.Ban)
}

// Revoke shuts a member out until an invite made later lets it in.
func (m Moderator) Revoke(ctx context.Context, mesh string, by By, key string) error {
	return m.shutOut(ctx, mesh, by, key, m.Registry.Revoke)
}

// Unban lifts a ban or a revocation.
func (m Moderator) Unban(ctx context.Context, mesh string, by By, key string) error {
	if err := m.May(ctx, mesh, by, key); err != nil {
		return err
	}
	return m.Registry.Unban(ctx, mesh, key)
}

// shutOut ends a member's membership by do, and what is left of its presence.
func (m Moderator) shutOut(ctx context.Context, mesh string, by By, key string, do func(ctx context.Context, mesh, key string) error) error {
	if err := m.May(ctx, mesh, by, key); err != nil {
		return err
	}
	if err := do(ctx, mesh, key); err != nil || m.Presence == nil {
		return err
	}
	return m.Presence.Dismiss(ctx, mesh, func(p Present) bool { return strings.EqualFold(p.Member, key) })
}

// Kick has edges close the sessions among some connections, with 4001, and ends
// those that no edge holds. Target names them to the edges: a member key, keys
// or PEERs of connections with blanks between them, or *. Which says the same.
func (m Moderator) Kick(ctx context.Context, mesh, target string, which func(Present) bool) error {
	return m.sendAway(ctx, mesh, target, m.Registry.Kick, func(p Present) bool { return which(p) && IsSession(p) })
}

// Disconnect is Kick with 1000, for all connections.
func (m Moderator) Disconnect(ctx context.Context, mesh, target string, which func(Present) bool) error {
	return m.sendAway(ctx, mesh, target, m.Registry.Disconnect, which)
}

func (m Moderator) sendAway(ctx context.Context, mesh, target string, ring func(ctx context.Context, mesh, target string) error, which func(Present) bool) error {
	if err := ring(ctx, mesh, target); err != nil || m.Presence == nil {
		return err
	}
	return m.Presence.Dismiss(ctx, mesh, which)
}

// IsSession reports whether a kick concerns a connection: programs that say
// hello come back whatever they are told.
func IsSession(p Present) bool { return p.PeerRole == wire.PeerRoleSession }

func forbidden(why string) error {
	return signed.Refuse(http.StatusForbidden, wire.CodeForbidden, why)
}
