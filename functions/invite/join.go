package invite

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// Sentences that existing clients do not know and show as they are.
const (
	reasonMalformed   = "body must be a JSON object with the fields of a join"
	reasonBrokeOff    = "body broke off"
	reasonRateLimited = "rate limited"
	reasonMeshFull    = "mesh_full"
	reasonUnavailable = "unavailable"
)

func (h *handler) serveJoin(w http.ResponseWriter, r *http.Request) {
	enrolled, err := h.join(w, r)
	if err != nil {
		h.failJoin(w, r, err)
		return
	}
	door.JSON(w, http.StatusOK, wire.JoinResponse{
		OK: true, MemberID: enrolled.MemberID, AlreadyMember: enrolled.Already,
	})
}

func (h *handler) join(w http.ResponseWriter, r *http.Request) (registry.Enrolled, error) {
	if err := h.limitJoin(w, r, h.Limit, h.Address(r)); err != nil {
		return registry.Enrolled{}, err
	}
	body, err := door.Body(w, r)
	if err != nil {
		return registry.Enrolled{}, err
	}
	var request wire.JoinRequest
	if json.Unmarshal(body, &request) != nil {
		return registry.Enrolled{}, refuse(http.StatusBadRequest, reasonMalformed)
	}
	claim, refusal := request.Check(h.Now())
	if refusal != nil {
		return registry.Enrolled{}, refusal
	}
	if err := h.limitJoin(w, r, h.InviteLimit, claim.InviteHash); err != nil {
		return registry.Enrolled{}, err
	}
	enrolled, err := h.reg.Enrol(r.Context(), registry.Enrolment{
		Mesh: claim.MeshID, TokenHash: claim.InviteHash, Owner: claim.OwnerPubkey,
		Key: claim.PeerPubkey, Name: claim.DisplayName,
	})
	if errors.Is(err, registry.ErrNoInvite) && claim.TokenReason != "" {
		err = refuse(http.StatusBadRequest, claim.TokenReason)
	}
	return enrolled, err
}

func (h *handler) limitJoin(w http.ResponseWriter, r *http.Request, l registry.Limit, who string) error {
	limited, err := h.tooMany(w, r, l, who)
	if err == nil && limited {
		return refuse(http.StatusTooManyRequests, reasonRateLimited)
	}
	return err
}

func refuse(status int, reason string) *wire.JoinRefusal {
	return &wire.JoinRefusal{Status: status, Reason: reason}
}

// joinAnswers says what a newcomer is told about each error that means
// something. Everything else is Redis being away.
var joinAnswers = []struct {
	err    error
	status int
	reason string
}{
	{door.ErrTooLarge, http.StatusRequestEntityTooLarge, wire.JoinTooLarge},
	{door.ErrUnreadable, http.StatusBadRequest, reasonBrokeOff},
	{registry.ErrNoMesh, http.StatusBadRequest, wire.JoinMeshNotFound},
	{registry.ErrNoOwnerKey, http.StatusBadRequest, wire.JoinMissingOwnerKey},
	{registry.ErrOwnerMismatch, http.StatusBadRequest, wire.JoinOwnerMismatch},
	{registry.ErrNoInvite, http.StatusBadRequest, wire.JoinNotFound},
	{registry.ErrInviteRevoked, http.StatusBadRequest, wire.JoinRevoked},
	{registry.ErrInviteExpired, http.StatusBadRequest, wire.JoinExpired},
	{registry.ErrInviteExhausted, http.StatusBadRequest, wire.JoinExhausted},
	{registry.ErrRevoked, http.StatusForbidden, wire.JoinBanned},
	{registry.ErrFull, http.StatusConflict, reasonMeshFull},
}

func (h *handler) failJoin(w http.ResponseWriter, r *http.Request, err error) {
	refusal := joinRefusal(err)
	if refusal == nil {
		h.Log.ErrorContext(r.Context(), "join unavailable", "err", err)
		door.SetRetryAfter(w, door.RetryAfter)
		refusal = refuse(http.StatusServiceUnavailable, reasonUnavailable)
	}
	door.JSON(w, refusal.Status, refusal.Response())
}

// joinRefusal returns nil for an error that is no refusal.
func joinRefusal(err error) *wire.JoinRefusal {
	var r *wire.JoinRefusal
	if errors.As(err, &r) {
		return r
	}
	for _, a := range joinAnswers {
		if errors.Is(err, a.err) {
			return refuse(a.status, a.reason)
		}
	}
	return nil
}
