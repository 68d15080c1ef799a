package admin

import (
	"net/http"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/signed"
)

// members lists who is in, each with its connections where those are known.
func (h *handler) members(w http.ResponseWriter, r *signed.Request) error {
	members, err := h.reg.Members(r.Context(), r.Mesh.ID)
	if err != nil {
		return err
	}
	present := map[string][]wire.Presence{}
	if h.Presence != nil {
		here, err := h.Presence.Present(r.Context(), r.Mesh.ID)
		if err != nil {
			return err
		}
		for _, p := range here {
			if p.Visible || p.Member == r.Key || r.As != signed.Member {
				present[p.Member] = append(present[p.Member], p.Presence)
			}
		}
	}
	out := wire.MembersResponse{Members: make([]wire.MeshMember, len(members))}
	for i, m := range members {
		out.Members[i] = newMember(m)
		out.Members[i].Present = present[m.Key]
	}
	door.JSON(w, http.StatusOK, out)
	return nil
}

func newMember(m registry.Member) wire.MeshMember {
	out := wire.MeshMember{
		MemberID: m.ID, Pubkey: m.Key, DisplayName: m.Name, Role: m.Role, RoleTag: m.RoleTag,
		Groups: m.Groups, MessageMode: m.MessageMode, JoinedAt: wire.At(m.JoinedAt),
	}
	if m.RevokedAt != nil {
		at := wire.At(*m.RevokedAt)
		out.RevokedAt, out.Banned = &at, m.Banned
	}
	return out
}
