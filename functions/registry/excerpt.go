package registry

import (
	"encoding/json"
	"fmt"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Excerpt is what a script of another room has read here, together with its own
// work and in the same moment: of [Store.MembersKey] and [Store.GrantsKey] the
// fields of one member, of [Store.MeshKey] all. Whether the member is banned
// was the script's to check.
type Excerpt struct {
	Member string
	Grants string // empty without any
	Mesh   []string
}

// Decode reads the excerpt, which is about this mesh and this member.
func (e Excerpt) Decode(mesh, memberKey string) (Mesh, Member, wire.Grants, error) {
	m, err := decodeMesh(mesh, pairs(e.Mesh))
	if err != nil {
		return Mesh{}, Member{}, nil, err
	}
	member, err := decodeMember(normal(memberKey), e.Member, "")
	if err != nil {
		return Mesh{}, Member{}, nil, err
	}
	grants, err := decodeGrants(memberKey, e.Grants)
	return m, member, grants, err
}

func decodeGrants(memberKey, text string) (g wire.Grants, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		return nil, fmt.Errorf("registry: grants of %s: %w", memberKey, err)
	}
	return g, nil
}
