package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/openapi"
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
	Revoke(ctx context.Context, mesh, memberKey string) error
	Kick(ctx context.Context, mesh, target string) error
	Disconnect(ctx context.Context, mesh, target string) error
	SetMember(ctx context.Context, mesh, memberKey string, c registry.MemberChange) (registry.Member, error)
	MeshesOf(ctx context.Context, key string) ([]registry.Membership, error)
	CountMembers(ctx context.Context, mesh string) (int, error)
	SetMesh(ctx context.Context, mesh string, c registry.MeshChange) error
	Archive(ctx context.Context, mesh string) error
	Grants(ctx context.Context, mesh, memberKey string) (wire.Grants, error)
	SetGrants(ctx context.Context, mesh, memberKey string, change wire.Grants) (wire.Grants, error)
	Invites(ctx context.Context, mesh string) ([]registry.Invite, error)
	Audit(ctx context.Context, mesh, before string, limit int) ([]registry.AuditEntry, int, error)
	VerifyAudit(ctx context.Context, mesh string) (entries int, brokenAt string, err error)
	Backup(ctx context.Context, mesh, after string) (records []wire.BackupRecord, next string, err error)
	NoteRequeued(ctx context.Context, mesh, messageID string) error
	NoteDropped(ctx context.Context, mesh, messageID string) error
	Restore(ctx context.Context, mesh, owner string, records []wire.BackupRecord) error
	Members(ctx context.Context, mesh string) ([]registry.Member, error)
	Take(ctx context.Context, l registry.Limit, who string) (time.Duration, error)
}

type handler struct {
	reg Registry
	Config
}

// NewHandler returns the handler of everything under /v1 but invites.
func NewHandler(reg Registry, c Config) (http.Handler, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &handler{reg: reg, Config: c}
	routes, ops := h.routes()
	document, err := openapi.Document("claudemesh", "1", ops)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", signed.NewHandler(signed.Options{Registry: reg, Gate: h.mayAsk, Log: c.Log, Now: c.Now}, routes))
	mux.HandleFunc(wire.RouteOpenAPI, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // the reader has gone, there is nobody to tell
	})
	return door.Open(c.Within, mux), nil
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
	ctx := registry.WithActor(r.Context(), registry.ActorOwner)
	mesh, member, err := h.reg.CreateMesh(ctx, registry.NewMesh{
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
	return h.take(r, h.CreateLimit, h.Address(r.Request), "too many new meshes from this address")
}

// mayAsk bounds how often one asks: each signed request leaves a nonce, and any
// key is good enough for some of them. Strangers are told apart by address. Whom
// the mesh knows has a limit of its own, which no neighbour uses up.
func (h *handler) mayAsk(r *signed.Request) error {
	if r.As == signed.Stranger {
		return h.take(r, h.RequestLimit, h.Address(r.Request), "too many requests from this address")
	}
	return h.take(r, h.RequestLimit, r.Mesh.ID+":"+r.Key, "too many requests with this key")
}

func (h *handler) take(r *signed.Request, l registry.Limit, who, otherwise string) error {
	wait, err := h.reg.Take(r.Context(), l, who)
	if err == nil && wait > 0 {
		return &signed.Refusal{
			Status: http.StatusTooManyRequests, Code: wire.CodeRateLimited, Message: otherwise, Wait: wait,
		}
	}
	return err
}

// mayOperate lets the operator in, and nobody where there is no token.
func (h *handler) mayOperate(r *signed.Request) error {
	if !h.operator(r.Request) {
		return signed.Refuse(http.StatusForbidden, wire.CodeOperatorToken, "this takes the operator's token")
	}
	return nil
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
