package admin

import (
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// MembersResponse answers GET /v1/meshes/{mesh}/members.
type MembersResponse struct {
	Members []MeshMember `json:"members"`
}

// MeshMember is one member as the registry knows it; who is online an edge
// tells.
type MeshMember struct {
	MemberID    string     `json:"memberId"`
	Pubkey      string     `json:"pubkey"`
	DisplayName string     `json:"displayName"`
	Role        string     `json:"role"`
	RoleTag     string     `json:"roleTag,omitempty"`
	JoinedAt    wire.Time  `json:"joinedAt"`
	RevokedAt   *wire.Time `json:"revokedAt,omitempty"` // of a ban
}

func newMembersResponse(members []registry.Member) MembersResponse {
	out := MembersResponse{Members: make([]MeshMember, len(members))}
	for i, m := range members {
		out.Members[i] = MeshMember{
			MemberID: m.ID, Pubkey: m.Key, DisplayName: m.Name, Role: m.Role,
			RoleTag: m.RoleTag, JoinedAt: wire.At(m.JoinedAt),
		}
		if m.RevokedAt != nil {
			at := wire.At(*m.RevokedAt)
			out.Members[i].RevokedAt = &at
		}
	}
	return out
}
