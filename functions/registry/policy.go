package registry

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

//go:embed lua/policy.lua
var policySource string
var policyScript = redis.NewScript(policySource, auditSource)

// SetGroupPolicy stores the owner's word on how groups are written and rings
// the mesh's bell. It returns [ErrNoMesh], [ErrBadPolicy] when the owner did
// not sign it, and [ErrStalePolicy] when its counter is not above the stored
// one.
func (s *Store) SetGroupPolicy(ctx context.Context, mesh string, p wire.GroupPolicy) error {
	m, err := s.Mesh(ctx, mesh)
	switch {
	case err != nil:
		return err
	case m.Archived:
		return ErrNoMesh
	case !p.Verify(mesh, m.OwnerKey):
		return ErrBadPolicy
	}
	p.OwnerPubkey = m.OwnerKey
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("registry: encode policy: %w", err)
	}
	args := append([]any{m.OwnerKey, p.Counter, text, s.c.MeshBell(mesh)},
		entry(ctx, auditPolicy, payload{"mode": p.Mode, "counter": p.Counter})...)
	word, err := s.change(ctx, mesh, policyScript, []string{s.keys.mesh(mesh), s.keys.audit(mesh)}, args...).Text()
	return answer(word, err, "set group policy")
}
