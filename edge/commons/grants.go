package commons

import (
	"context"
	"errors"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

func (s *Commons) registerGrants() {
	on(s.table, s.setGrants)
	on(s.table, s.getGrants)
}

// setGrants changes what the caller's member lets one key do, as the signed
// request does: edges hear of it by the same bell.
func (s *Commons) setGrants(ctx context.Context, who *Caller, m *wire.SetGrants) (wire.Message, error) {
	if err := s.charge(ctx, who); err != nil {
		return nil, err
	}
	ctx = registry.WithActor(ctx, who.Member.ID)
	g, err := s.registry.SetGrants(ctx, who.Peer.Mesh, who.Member.Key, wire.Grants{m.SenderPubkey: m.Capabilities})
	switch {
	case errors.Is(err, registry.ErrFull):
		return nil, errFull
	case errors.Is(err, registry.ErrConflict):
		return nil, errBusy
	case err != nil:
		return nil, err
	}
	return &wire.GrantsResult{Grants: g, ReqID: m.ReqID}, nil
}

func (s *Commons) getGrants(ctx context.Context, who *Caller, m *wire.GetGrants) (wire.Message, error) {
	g, err := s.registry.Grants(ctx, who.Peer.Mesh, who.Member.Key)
	if g == nil {
		g = wire.Grants{}
	}
	return &wire.GrantsResult{Grants: g, ReqID: m.ReqID}, err
}
