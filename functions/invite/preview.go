package invite

import (
	"net/http"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// look finds the invite that the path names, for somebody who only looks.
func (h *handler) look(w http.ResponseWriter, r *http.Request) (registry.Mesh, registry.Invite, error) {
	if err := h.limitClaim(w, r, h.LookLimit, h.Address(r)); err != nil {
		return registry.Mesh{}, registry.Invite{}, err
	}
	return h.reg.InviteByCode(r.Context(), r.PathValue("code"))
}

// previewCodes are what a claim says, as /v1 says it.
var previewCodes = map[string]struct {
	code    wire.Code
	message string
}{
	wire.ClaimNotFound:    {wire.CodeNotFound, "no such invite"},
	wire.ClaimRevoked:     {wire.CodeRevoked, "the invite was withdrawn"},
	wire.ClaimExpired:     {wire.CodeExpired, "the invite has expired"},
	wire.ClaimExhausted:   {wire.CodeExhausted, "the invite is used up"},
	wire.ClaimRateLimited: {wire.CodeRateLimited, "too many requests from this address"},
	wire.ClaimUnavailable: {wire.CodeUnavailable, "not available just now, try again"},
}

// servePreview tells what may be known of an invite before joining by it. A
// client opens and checks the sealed invite before it claims anything.
func (h *handler) servePreview(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	mesh, invite, err := h.look(w, r)
	if err != nil {
		refusal := h.claimRefusal(r, err)
		if refusal.status == http.StatusServiceUnavailable {
			door.SetRetryAfter(w, door.RetryAfter)
		}
		said := previewCodes[refusal.reason]
		door.JSON(w, refusal.status, wire.NewHTTPError(said.code, said.message))
		return
	}
	door.JSON(w, http.StatusOK, wire.InvitePreview{
		MeshName: mesh.DisplayName(), InvitedBy: invite.InvitedBy, Role: invite.Role,
		ExpiresAt: invite.ExpiresAt.Unix(), OwnerPubkey: mesh.OwnerKey, SealedInvite: invite.Sealed,
	})
}
