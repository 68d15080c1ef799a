package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/signed"
)

func (h *handler) ban(w http.ResponseWriter, r *signed.Request) error {
	return done(w, h.moderator().Ban(r.Context(), r.Mesh.ID, by(r), r.PathValue("key")))
}

func (h *handler) unban(w http.ResponseWriter, r *signed.Request) error {
	return done(w, h.moderator().Unban(r.Context(), r.Mesh.ID, by(r), r.PathValue("key")))
}

func (h *handler) revokeMember(w http.ResponseWriter, r *signed.Request) error {
	return done(w, h.moderator().Revoke(r.Context(), r.Mesh.ID, by(r), r.PathValue("key")))
}

func (h *handler) moderator() Moderator { return Moderator{Registry: h.reg, Presence: h.Presence} }

func by(r *signed.Request) By { return By{Key: r.Key, As: r.As} }

// setMember changes a member: the owner anything of anybody, an admin all but
// roles of whom it moderates and of itself, a member what the mesh lets it
// change of itself.
func (h *handler) setMember(w http.ResponseWriter, r *signed.Request) error {
	var in wire.SetMemberRequest
	if err := r.Into(&in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return invalid(err)
	}
	key := r.PathValue("key")
	if err := h.maySet(r, key, &in); err != nil {
		return err
	}
	m, err := h.reg.SetMember(r.Context(), r.Mesh.ID, key, registry.MemberChange{
		Name: in.DisplayName, Role: in.Role, RoleTag: in.RoleTag, Groups: in.Groups, MessageMode: in.MessageMode,
	})
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, newMember(m))
	return nil
}

func (h *handler) maySet(r *signed.Request, key string, in *wire.SetMemberRequest) error {
	self := strings.EqualFold(key, r.Key)
	switch {
	case r.As == signed.Owner:
		return nil
	case in.Role != nil:
		return forbidden("only the owner changes roles")
	case r.As == signed.Member && !self:
		return forbidden("members change themselves only")
	case r.As == signed.Member:
		return selfEditable(r.Mesh.SelfEditable, in)
	case self:
		return nil
	}
	return h.moderator().May(r.Context(), r.Mesh.ID, by(r), key)
}

// selfEditable refuses fields that the mesh's policy leaves to admins. Without
// a policy members name themselves as they like.
func selfEditable(policy *wire.SelfEditable, in *wire.SetMemberRequest) error {
	if policy == nil {
		return nil
	}
	var managed []string
	for _, f := range []struct {
		name     string
		set, may bool
	}{
		{"displayName", in.DisplayName != nil, policy.DisplayName},
		{"roleTag", in.RoleTag != nil, policy.RoleTag},
		{"groups", in.Groups != nil, policy.Groups},
		{"messageMode", in.MessageMode != nil, policy.MessageMode},
	} {
		if f.set && !f.may {
			managed = append(managed, f.name)
		}
	}
	if len(managed) > 0 {
		return forbidden("admin-managed fields: " + strings.Join(managed, ", "))
	}
	return nil
}

func (h *handler) kick(w http.ResponseWriter, r *signed.Request) error {
	return h.close(w, r, h.moderator().Kick, IsSession)
}

func (h *handler) disconnect(w http.ResponseWriter, r *signed.Request) error {
	return h.close(w, r, h.moderator().Disconnect, func(Present) bool { return true })
}

// close has connections closed by do; closes says which of those named.
func (h *handler) close(w http.ResponseWriter, r *signed.Request, do func(ctx context.Context, mesh, target string, which func(Present) bool) error, closes func(Present) bool) error {
	var in wire.KickRequest
	if err := r.Into(&in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return invalid(err)
	}
	target := strings.ToLower(in.Target)
	here, err := h.Presence.Present(r.Context(), r.Mesh.ID)
	if err != nil {
		return err
	}
	sessions := connectionsOf(target, here)
	if err := h.mayClose(r, target, sessions); err != nil {
		return err
	}
	if len(sessions) > 0 {
		target = ids(sessions)
	}
	named := func(p Present) bool {
		return target == wire.TargetAll || target == p.Member || slices.ContainsFunc(sessions, func(s Present) bool { return s.ID == p.ID })
	}
	if err := do(r.Context(), r.Mesh.ID, target, named); err != nil {
		return err
	}
	out := wire.KickResponse{Affected: []wire.Presence{}}
	for _, p := range here {
		switch {
		case !named(p):
		case closes(p):
			out.Affected = append(out.Affected, p.Presence)
		default:
			out.Skipped = append(out.Skipped, p.Presence)
		}
	}
	door.JSON(w, http.StatusOK, out)
	return nil
}

// connectionsOf returns the connections of a session key. A hello may name any: where
// somebody has proven to have the key, those who merely name it are not meant.
func connectionsOf(key string, here []Present) []Present {
	var proven, all []Present
	for _, p := range here {
		switch {
		case p.Pubkey != key || p.Member == key:
		case IsSession(p):
			proven = append(proven, p)
			fallthrough
		default:
			all = append(all, p)
		}
	}
	if len(proven) > 0 {
		return proven
	}
	return all
}

// ids names connections to edges.
func ids(of []Present) string {
	out := make([]string, len(of))
	for i, p := range of {
		out[i] = p.ID
	}
	return strings.Join(out, " ")
}

// mayClose refuses what only the owner may do. A session's connections are
// those of its member.
func (h *handler) mayClose(r *signed.Request, target string, sessions []Present) error {
	if target == wire.TargetAll {
		if r.As != signed.Owner {
			return forbidden("only the owner closes everybody's connections")
		}
		return nil
	}
	members := []string{target}
	if len(sessions) > 0 {
		members = nil
		for _, p := range sessions {
			members = append(members, p.Member)
		}
		slices.Sort(members)
	}
	for _, key := range slices.Compact(members) {
		_, member, err := h.reg.Admission(r.Context(), r.Mesh.ID, key)
		switch {
		case err != nil:
			return err
		case member.Role == wire.RoleAdmin && r.As != signed.Owner && key != r.Key:
			return forbidden("only the owner moderates admins")
		}
	}
	return nil
}
