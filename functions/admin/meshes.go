package admin

import (
	"errors"
	"net/http"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/signed"
)

func (h *handler) listMeshes(w http.ResponseWriter, r *signed.Request) error {
	found, err := h.reg.MeshesOf(r.Context(), r.Key)
	if err != nil {
		return err
	}
	out := wire.MeshesResponse{Meshes: make([]wire.MeshOfMine, len(found))}
	for i, m := range found {
		out.Meshes[i] = wire.MeshOfMine{
			MeshID: m.Mesh.ID, Slug: m.Mesh.Slug, Name: m.Mesh.Name, Role: m.Member.Role,
			MemberID: m.Member.ID, IsOwner: m.Mesh.OwnerKey == r.Key,
		}
		if !m.Member.JoinedAt.IsZero() {
			at := wire.At(m.Member.JoinedAt)
			out.Meshes[i].JoinedAt = &at
		}
	}
	door.JSON(w, http.StatusOK, out)
	return nil
}

func (h *handler) mesh(w http.ResponseWriter, r *signed.Request) error {
	members, err := h.reg.CountMembers(r.Context(), r.Mesh.ID)
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, newMeshResponse(r.Mesh, members))
	return nil
}

func newMeshResponse(m registry.Mesh, members int) wire.MeshResponse {
	return wire.MeshResponse{
		MeshID: m.ID, Slug: m.Slug, Name: m.Name, OwnerPubkey: m.OwnerKey, CreatedAt: wire.At(m.CreatedAt),
		SelfEditable: m.SelfEditable, GroupPolicy: m.GroupPolicy, Members: members,
	}
}

func (h *handler) setMesh(w http.ResponseWriter, r *signed.Request) error {
	var in wire.SetMeshRequest
	if err := r.Into(&in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return invalid(err)
	}
	return done(w, h.reg.SetMesh(r.Context(), r.Mesh.ID, registry.MeshChange{Name: in.Name, SelfEditable: in.SelfEditable}))
}

func (h *handler) archiveMesh(w http.ResponseWriter, r *signed.Request) error {
	return done(w, h.reg.Archive(r.Context(), r.Mesh.ID))
}

func (h *handler) grants(w http.ResponseWriter, r *signed.Request) error {
	grants, err := h.reg.Grants(r.Context(), r.Mesh.ID, r.Key)
	if err != nil {
		return err
	}
	if grants == nil {
		grants = wire.Grants{}
	}
	door.JSON(w, http.StatusOK, wire.GrantsResponse{Grants: grants})
	return nil
}

// setGrants changes what the signer lets others do. Nobody sets another's.
func (h *handler) setGrants(w http.ResponseWriter, r *signed.Request) error {
	var in wire.SetGrantsRequest
	if err := r.Into(&in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return invalid(err)
	}
	grants, err := h.reg.SetGrants(r.Context(), r.Mesh.ID, r.Key, in.Grants)
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, wire.GrantsResponse{Grants: grants})
	return nil
}

func (h *handler) invites(w http.ResponseWriter, r *signed.Request) error {
	found, err := h.reg.Invites(r.Context(), r.Mesh.ID)
	if err != nil {
		return err
	}
	out := wire.InvitesResponse{Invites: make([]wire.MeshInvite, len(found))}
	for i, v := range found {
		out.Invites[i] = wire.MeshInvite{
			InviteID: v.ID, Role: v.Role, MaxUses: v.MaxUses, Uses: v.Uses, ExpiresAt: v.ExpiresAt.Unix(),
			CreatedAt: wire.At(v.CreatedAt), InvitedBy: v.InvitedBy, ShortLink: v.CodeHash != "",
		}
		if v.RevokedAt != nil {
			at := wire.At(*v.RevokedAt)
			out.Invites[i].RevokedAt = &at
		}
	}
	door.JSON(w, http.StatusOK, out)
	return nil
}

func (h *handler) audit(w http.ResponseWriter, r *signed.Request) error {
	limit, err := intQuery(r, "limit", 50, maxPage)
	if err != nil {
		return err
	}
	before := r.URL.Query().Get("before")
	if before != "" && !isStreamID(before) {
		return invalid(errors.New("before must be the id of an entry"))
	}
	found, total, err := h.reg.Audit(r.Context(), r.Mesh.ID, before, limit)
	if err != nil {
		return err
	}
	out := wire.AuditResponse{Entries: make([]wire.AuditEntry, len(found)), Total: total}
	for i, e := range found {
		out.Entries[i] = wire.AuditEntry{
			ID: e.ID, EventType: e.Event, Actor: e.Actor, Payload: e.Payload, Hash: e.Hash, CreatedAt: wire.At(e.At),
		}
	}
	door.JSON(w, http.StatusOK, out)
	return nil
}

func (h *handler) verifyAudit(w http.ResponseWriter, r *signed.Request) error {
	entries, brokenAt, err := h.reg.VerifyAudit(r.Context(), r.Mesh.ID)
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, wire.AuditVerdict{Valid: brokenAt == "", Entries: entries, BrokenAt: brokenAt})
	return nil
}
