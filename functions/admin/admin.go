package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/functions/signed"
)

// Registry is what administration needs.
type Registry interface {
	signed.Registry
	CreateMesh(context.Context, registry.NewMesh) (registry.Mesh, registry.Member, error)
	AddInvite(ctx context.Context, mesh string, n registry.NewInvite) (registry.Invite, error)
	RevokeInvite(ctx context.Context, mesh, id string) error
	SetGroupPolicy(ctx context.Context, mesh string, p wire.GroupPolicy) error
	Ban(ctx context.Context, mesh, memberKey string) error
	Unban(ctx context.Context, mesh, memberKey string) error
	Members(ctx context.Context, mesh string) ([]registry.Member, error)
	Take(ctx context.Context, l registry.Limit, who string) (time.Duration, error)
}

type handler struct {
	reg Registry
	Config
}

// NewHandler returns the handler of everything under /v1/meshes.
func NewHandler(reg Registry, c Config) (http.Handler, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &handler{reg: reg, Config: c}
	routes := signed.NewHandler(signed.Options{Registry: reg, Log: c.Log, Now: c.Now}, []signed.Route{
		{Pattern: wire.RouteCreateMesh, May: signed.Stranger, Gate: h.mayCreate, Do: h.createMesh},
		{Pattern: wire.RouteCreateInvite, May: signed.Owner, Do: h.createInvite},
		{Pattern: wire.RouteRevokeInvite, May: signed.Owner, Do: h.revokeInvite},
		{Pattern: wire.RouteSetGroupPolicy, May: signed.Owner, Do: h.setGroupPolicy},
		{Pattern: wire.RouteBan, May: signed.Owner | signed.Admin, Do: h.ban},
		{Pattern: wire.RouteUnban, May: signed.Owner | signed.Admin, Do: h.unban},
		{Pattern: wire.RouteMembers, May: signed.Owner | signed.Admin | signed.Member, Do: h.members},
	})
	return door.Open(c.Within, routes), nil
}

// createMesh is the one route that takes any key: the mesh whose owner it
// would be does not exist yet.
func (h *handler) createMesh(w http.ResponseWriter, r *signed.Request) error {
	var in wire.CreateMeshRequest
	if err := r.Into(&in); err != nil {
		return err
	}
	if err := in.Check(); err != nil {
		return invalid(err)
	}
	if in.OwnerPubkey != r.Key {
		return signed.Refuse(http.StatusForbidden, wire.CodeForbidden, "the request must be signed by owner_pubkey")
	}
	mesh, member, err := h.reg.CreateMesh(r.Context(), registry.NewMesh{
		Name: in.Name, Slug: in.Slug, OwnerKey: in.OwnerPubkey, MemberKey: in.MemberPubkey, Member: in.DisplayName,
	})
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusCreated, wire.CreateMeshResponse{
		MeshID: mesh.ID, Slug: mesh.Slug, Name: mesh.Name, MemberID: member.ID, BrokerURL: h.BrokerURL,
	})
	return nil
}

// mayCreate applies the operator's choice, then the limit.
func (h *handler) mayCreate(r *signed.Request) error {
	switch {
	case h.Creation == CreationToken && !h.operator(r.Request):
		return signed.Refuse(http.StatusForbidden, wire.CodeOperatorToken, "making a mesh here takes the operator's token")
	case h.Creation == CreationClosed:
		return signed.Refuse(http.StatusForbidden, wire.CodeCreationClosed, "no meshes can be made here")
	}
	wait, err := h.reg.Take(r.Context(), h.CreateLimit, h.Address(r.Request))
	if err == nil && wait > 0 {
		return &signed.Refusal{
			Status: http.StatusTooManyRequests, Code: wire.CodeRateLimited,
			Message: "too many new meshes from this address", Wait: wait,
		}
	}
	return err
}

func (h *handler) createInvite(w http.ResponseWriter, r *signed.Request) error {
	var in wire.CreateInviteRequest
	if err := r.Into(&in); err != nil {
		return err
	}
	if err := in.Check(h.Now()); err != nil {
		return invalid(err)
	}
	n := registry.NewInvite{
		TokenHash: in.TokenHash, Role: in.Role, MaxUses: in.MaxUses, ExpiresAt: time.Unix(in.ExpiresAt, 0),
		InvitedBy: in.InvitedBy, ID: in.InviteID, CodeHash: in.CodeHash, Sealed: in.SealedInvite, Signature: in.SignatureV2,
	}
	v2 := in.V2(r.Mesh.ID, r.Mesh.OwnerKey)
	if in.SignatureV2 != "" && !v2.Verify(wire.CapabilityV2{Canonical: string(v2.Canonical()), Signature: in.SignatureV2}) {
		return signed.Refuse(http.StatusForbidden, wire.CodeBadSignature, "signature_v2 is not the owner's")
	}
	if in.Preset != nil {
		n.Preset = *in.Preset
	}
	invite, err := h.reg.AddInvite(r.Context(), r.Mesh.ID, n)
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusCreated, wire.CreateInviteResponse{InviteID: invite.ID, ExpiresAt: in.ExpiresAt})
	return nil
}

func (h *handler) revokeInvite(w http.ResponseWriter, r *signed.Request) error {
	return done(w, h.reg.RevokeInvite(r.Context(), r.Mesh.ID, r.PathValue("invite")))
}

func (h *handler) setGroupPolicy(w http.ResponseWriter, r *signed.Request) error {
	var in wire.SetGroupPolicyRequest
	if err := r.Into(&in); err != nil {
		return err
	}
	if !in.Mode.Valid() || in.Counter < 1 || in.Counter > maxCounter || !in.SignedAt.IsNumber() {
		return invalid(errors.New("mode must be sealed or plain, counter and signedAt whole numbers"))
	}
	policy := in.Policy(r.Mesh.OwnerKey)
	if err := h.reg.SetGroupPolicy(r.Context(), r.Mesh.ID, policy); err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, policy)
	return nil
}

// maxCounter is the largest whole number that every JSON reader keeps exact.
const maxCounter = 1<<53 - 1

func (h *handler) unban(w http.ResponseWriter, r *signed.Request) error {
	key, err := h.moderated(r)
	if err != nil {
		return err
	}
	return done(w, h.reg.Unban(r.Context(), r.Mesh.ID, key))
}

func (h *handler) ban(w http.ResponseWriter, r *signed.Request) error {
	key, err := h.moderated(r)
	if err != nil {
		return err
	}
	return done(w, h.reg.Ban(r.Context(), r.Mesh.ID, key))
}

// moderated is the member key that the path names, if the signer may ban it.
// Admins may not ban each other or themselves: whoever loses an admin key
// would lose the mesh to the finder. The owner key stays above that.
func (h *handler) moderated(r *signed.Request) (string, error) {
	key := r.PathValue("key")
	if !wire.IsKey(key) {
		return "", invalid(errors.New("member key must be 64 hex chars"))
	}
	if r.As == signed.Owner {
		return key, nil
	}
	_, member, err := h.reg.Admission(r.Context(), r.Mesh.ID, key)
	switch {
	case err != nil && !errors.Is(err, registry.ErrRevoked):
		return "", err
	case member.Role == wire.RoleAdmin:
		return "", signed.Refuse(http.StatusForbidden, wire.CodeForbidden, "only the owner moderates admins")
	}
	return key, nil
}

func (h *handler) members(w http.ResponseWriter, r *signed.Request) error {
	members, err := h.reg.Members(r.Context(), r.Mesh.ID)
	if err != nil {
		return err
	}
	door.JSON(w, http.StatusOK, newMembersResponse(members))
	return nil
}

// done answers a request that has nothing to tell.
func done(w http.ResponseWriter, err error) error {
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func invalid(err error) error {
	return signed.Refuse(http.StatusBadRequest, wire.CodeInvalidArgument, err.Error())
}
