package commons

import (
	"context"
	"errors"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// isAdmin reports whether the caller is an admin now, not when it said hello.
func (s *Commons) isAdmin(ctx context.Context, who *Caller) (bool, error) {
	_, member, err := s.registry.Admission(ctx, who.Peer.Mesh, who.Member.Key)
	if errors.Is(err, registry.ErrNoMesh) || errors.Is(err, registry.ErrNotMember) || errors.Is(err, registry.ErrRevoked) {
		return false, nil // its connection is about to end
	}
	return err == nil && member.Role == wire.RoleAdmin, err
}

// needsAdmin refuses whoever is no admin.
func (s *Commons) needsAdmin(ctx context.Context, who *Caller, refusal *Refusal) error {
	admin, err := s.isAdmin(ctx, who)
	if err == nil && !admin {
		return refusal
	}
	return err
}

// mayChange refuses to change what is another member's, but to admins.
func (s *Commons) mayChange(ctx context.Context, who *Caller, owner string, refusal *Refusal) error {
	if who.Member.Key == owner {
		return nil
	}
	return s.needsAdmin(ctx, who, refusal)
}
