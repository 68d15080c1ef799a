package invite

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

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

// Registry is what joining needs.
type Registry interface {
	Enrol(context.Context, registry.Enrolment) (registry.Enrolled, error)
	Take(ctx context.Context, l registry.Limit, who string) (time.Duration, error)
}

// Config sets up the handler. Zero values mean the defaults.
type Config struct {
	Address door.Address     // nil: door.Direct
	Limit   registry.Limit   // of joins from one address; default 300 at once, 120 a minute
	Within  time.Duration    // 0: door.Within
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: none
}

// defaultLimit is generous, because an office or a cluster of containers has
// one address, and a join without a valid invite changes nothing.
var defaultLimit = registry.Limit{Name: "join", Burst: 300, PerMinute: 120}

func (c Config) withDefaults() Config {
	if c.Address == nil {
		c.Address = door.Direct
	}
	if c.Limit == (registry.Limit{}) {
		c.Limit = defaultLimit
	}
	if c.Within == 0 {
		c.Within = door.Within
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

type handler struct {
	reg Registry
	Config
}

// NewHandler returns the handler of POST /join.
func NewHandler(reg Registry, c Config) http.Handler {
	h := &handler{reg: reg, Config: c.withDefaults()}
	return door.Open(h.Within, http.HandlerFunc(h.serve))
}

// serve knows one request target only. Existing clients may rely on 404 for
// all others, a query string included.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method+" "+r.URL.Path != wire.RouteJoin || r.URL.RawQuery != "" {
		door.NotFound(w, r)
		return
	}
	enrolled, err := h.join(w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	door.JSON(w, http.StatusOK, wire.JoinResponse{
		OK: true, MemberID: enrolled.MemberID, AlreadyMember: enrolled.Already,
	})
}

func (h *handler) join(w http.ResponseWriter, r *http.Request) (registry.Enrolled, error) {
	switch wait, err := h.reg.Take(r.Context(), h.Limit, h.Address(r)); {
	case err != nil:
		return registry.Enrolled{}, err
	case wait > 0:
		door.SetRetryAfter(w, wait)
		return registry.Enrolled{}, refuse(http.StatusTooManyRequests, reasonRateLimited)
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
	return h.reg.Enrol(r.Context(), registry.Enrolment{
		Mesh: claim.MeshID, TokenHash: claim.InviteHash, Owner: claim.OwnerPubkey,
		Key: claim.PeerPubkey, Name: claim.DisplayName,
	})
}

func refuse(status int, reason string) *wire.JoinRefusal {
	return &wire.JoinRefusal{Status: status, Reason: reason}
}

// answers says what a newcomer is told about each error that means something.
// Everything else is Redis being away.
var answers = []struct {
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

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	refusal := refusalFor(err)
	if refusal == nil {
		h.Log.ErrorContext(r.Context(), "join unavailable", "err", err)
		door.SetRetryAfter(w, door.RetryAfter)
		refusal = refuse(http.StatusServiceUnavailable, reasonUnavailable)
	}
	door.JSON(w, refusal.Status, refusal.Response())
}

// refusalFor returns nil for an error that is no refusal.
func refusalFor(err error) *wire.JoinRefusal {
	var r *wire.JoinRefusal
	if errors.As(err, &r) {
		return r
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return refuse(a.status, a.reason)
		}
	}
	return nil
}
