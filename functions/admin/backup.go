package admin

import (
	"errors"
	"net/http"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/signed"
)

func (h *handler) backup(w http.ResponseWriter, r *signed.Request) error {
	records, next, err := h.reg.Backup(r.Context(), r.Mesh.ID, r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, wire.Backup{
		Format: wire.BackupFormat, MeshID: r.Mesh.ID, Records: append([]wire.BackupRecord{}, records...), Next: next,
	})
	return nil
}

// restore takes the owner's signature and, since the mesh may be gone and with
// it the knowledge who its owner was, the operator's word.
func (h *handler) restore(w http.ResponseWriter, r *signed.Request) error {
	var in wire.Backup
	if err := r.Into(&in); err != nil {
		return err
	}
	mesh := r.PathValue("mesh")
	if err := in.Check(mesh); err != nil {
		return invalid(err)
	}
	ctx := registry.WithActor(r.Context(), registry.ActorOwner)
	err := h.reg.Restore(ctx, mesh, r.Key, in.Records)
	switch {
	case errors.Is(err, registry.ErrBadBackup):
		return invalid(errors.New("a record could not have come from a backup"))
	case errors.Is(err, registry.ErrOwnerMismatch):
		return forbidden("the mesh is another owner's")
	}
	return done(w, err)
}
