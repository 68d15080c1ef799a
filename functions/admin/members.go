package admin

import (
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

func newMembersResponse(members []registry.Member) wire.MembersResponse {
	out := wire.MembersResponse{Members: make([]wire.MeshMember, len(members))}
	for i, m := range members {
		out.Members[i] = wire.MeshMember{
			MemberID: m.ID, Pubkey: m.Key, DisplayName: m.Name, Role: m.Role, RoleTag: m.RoleTag,
			Groups: m.Groups, MessageMode: m.MessageMode, JoinedAt: wire.At(m.JoinedAt),
		}
		if m.RevokedAt != nil {
			at := wire.At(*m.RevokedAt)
			out.Members[i].RevokedAt, out.Members[i].Banned = &at, true
		}
	}
	return out
}
