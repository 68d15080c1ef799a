package invite

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// claimRefusal is a refusal in the shape that existing clients of a claim read.
type claimRefusal struct {
	status         int
	reason, detail string
}

func (r *claimRefusal) Error() string { return "invite: claim refused: " + r.reason }

func refuseClaim(status int, reason string) error {
	return &claimRefusal{status: status, reason: reason}
}

// errNoRootKey answers a claim that only wants the root key sealed. Brokers of
// such clients answer the same for a mesh whose root key they do not have.
var errNoRootKey = &claimRefusal{
	http.StatusBadRequest, wire.ClaimMalformed,
	"this broker holds no root key; claim with peer_pubkey, invite_proof, timestamp and signature",
}

func (h *handler) serveClaim(w http.ResponseWriter, r *http.Request) {
	answer, err := h.claim(w, r)
	if err != nil {
		h.failClaim(w, r, err)
		return
	}
	door.JSON(w, http.StatusOK, answer)
}

// claim checks in the order in which existing brokers do: body, code, state of
// the invite, mesh, proofs.
func (h *handler) claim(w http.ResponseWriter, r *http.Request) (*wire.ClaimResponse, error) {
	code := r.PathValue("code")
	if err := h.limitClaim(w, r, h.Limit, h.Address(r)); err != nil {
		return nil, err
	}
	body, err := door.Body(w, r)
	if err != nil {
		return nil, err
	}
	var in wire.ClaimRequest
	if json.Unmarshal(body, &in) != nil {
		return nil, refuseClaim(http.StatusBadRequest, wire.ClaimMalformed)
	}
	if status, reason := in.Check(code, h.Now()); reason != "" {
		return nil, refuseClaim(status, reason)
	}
	mesh, invite, err := h.reg.InviteByCode(r.Context(), code)
	switch {
	case errors.Is(err, registry.ErrInviteExhausted) && !in.IsLegacy():
		// A repeat by a key that is in already must still be answered.
	case err != nil:
		return nil, err
	case in.IsLegacy():
		return nil, errNoRootKey
	}
	// Nobody knows the proof who has not opened the sealed invite. Whoever only
	// has the code must not use up what the invite's bearers may try.
	if wire.InviteHash(in.InviteProof) != invite.TokenHash {
		return nil, registry.ErrNoInvite
	}
	if err := h.limitClaim(w, r, h.InviteLimit, invite.TokenHash); err != nil {
		return nil, err
	}
	return h.enrol(r, mesh, invite, &in)
}

// enrol takes in a newcomer whose proof holds.
func (h *handler) enrol(r *http.Request, mesh registry.Mesh, invite registry.Invite, in *wire.ClaimRequest) (*wire.ClaimResponse, error) {
	enrolled, err := h.reg.Enrol(r.Context(), registry.Enrolment{
		Mesh: mesh.ID, TokenHash: invite.TokenHash, Key: in.Key(), Name: in.DisplayName,
	})
	if err != nil {
		return nil, err
	}
	v2 := wire.InviteV2{
		MeshID: mesh.ID, InviteID: invite.ID, ExpiresAt: invite.ExpiresAt.Unix(),
		Role: invite.Role, OwnerPubkey: mesh.OwnerKey,
	}
	return &wire.ClaimResponse{
		MeshID: mesh.ID, MemberID: enrolled.MemberID, OwnerPubkey: mesh.OwnerKey,
		CanonicalV2: string(v2.Canonical()), SealedInvite: invite.Sealed, AlreadyMember: enrolled.Already,
	}, nil
}

func (h *handler) limitClaim(w http.ResponseWriter, r *http.Request, l registry.Limit, who string) error {
	limited, err := h.tooMany(w, r, l, who)
	if err == nil && limited {
		return refuseClaim(http.StatusTooManyRequests, wire.ClaimRateLimited)
	}
	return err
}

// claimAnswers says what is told about each error that means something.
// Everything else is Redis being away.
var claimAnswers = []struct {
	err    error
	status int
	reason string
}{
	{door.ErrTooLarge, http.StatusRequestEntityTooLarge, wire.ClaimTooLarge},
	{door.ErrUnreadable, http.StatusBadRequest, wire.ClaimMalformed},
	{registry.ErrNoInvite, http.StatusNotFound, wire.ClaimNotFound},
	{registry.ErrNoMesh, http.StatusNotFound, wire.ClaimNotFound},
	{registry.ErrInviteRevoked, http.StatusGone, wire.ClaimRevoked},
	{registry.ErrInviteExpired, http.StatusGone, wire.ClaimExpired},
	{registry.ErrInviteExhausted, http.StatusGone, wire.ClaimExhausted},
	{registry.ErrNoOwnerKey, http.StatusBadRequest, wire.ClaimMalformed},
	{registry.ErrRevoked, http.StatusForbidden, wire.ClaimBanned},
	{registry.ErrFull, http.StatusConflict, wire.ClaimMeshFull},
}

func (h *handler) claimRefusal(r *http.Request, err error) *claimRefusal {
	var refusal *claimRefusal
	if errors.As(err, &refusal) {
		return refusal
	}
	for _, a := range claimAnswers {
		if errors.Is(err, a.err) {
			return &claimRefusal{status: a.status, reason: a.reason}
		}
	}
	h.Log.ErrorContext(r.Context(), "invites unavailable", "err", err)
	return &claimRefusal{status: http.StatusServiceUnavailable, reason: wire.ClaimUnavailable}
}

func (h *handler) failClaim(w http.ResponseWriter, r *http.Request, err error) {
	refusal := h.claimRefusal(r, err)
	if refusal.status == http.StatusServiceUnavailable {
		door.SetRetryAfter(w, door.RetryAfter)
	}
	door.JSON(w, refusal.status, wire.ClaimError{Error: refusal.reason, Detail: refusal.detail})
}
