package invite

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// Registry is what coming in needs.
type Registry interface {
	Enrol(context.Context, registry.Enrolment) (registry.Enrolled, error)
	InviteByCode(ctx context.Context, code string) (registry.Mesh, registry.Invite, error)
	Take(ctx context.Context, l registry.Limit, who string) (time.Duration, error)
}

// Config sets up the handler. Zero values mean the defaults.
type Config struct {
	WebURL      string           // https://HOST as links show it; "": the request's own host
	Address     door.Address     // nil: door.Direct
	Limit       registry.Limit   // of joins and claims from one address; default 300 at once, 120 a minute
	InviteLimit registry.Limit   // of joins and claims by one invite, whoever makes them; default the same
	LookLimit   registry.Limit   // of pages and previews for one address; default the same
	Within      time.Duration    // 0: door.Within
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger     // nil: none
}

// The defaults are generous, because an office or a cluster of containers has
// one address, and a join without a valid invite changes nothing.
var (
	defaultLimit       = registry.Limit{Name: "join", Burst: 300, PerMinute: 120}
	defaultInviteLimit = registry.Limit{Name: "invite", Burst: 300, PerMinute: 120}
	defaultLookLimit   = registry.Limit{Name: "look", Burst: 300, PerMinute: 120}
)

func (c Config) withDefaults() Config {
	if c.Address == nil {
		c.Address = door.Direct
	}
	for limit, otherwise := range map[*registry.Limit]registry.Limit{
		&c.Limit: defaultLimit, &c.InviteLimit: defaultInviteLimit, &c.LookLimit: defaultLookLimit,
	} {
		if *limit == (registry.Limit{}) {
			*limit = otherwise
		}
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

// Patterns are what to mount the handler at, where other functions are served
// beside it.
var Patterns = []string{"/join", "/invites/", "/i/", "/v1/invites/"}

// NewHandler returns the handler of everything about coming in.
func NewHandler(reg Registry, c Config) http.Handler {
	h := &handler{reg: reg, Config: c.withDefaults()}
	mux := http.NewServeMux()
	mux.HandleFunc("/", door.NotFound)
	for pattern, serve := range map[string]http.HandlerFunc{
		wire.RouteJoin: h.serveJoin, wire.RouteClaim: h.serveClaim,
		wire.RouteInvitePreview: h.servePreview, wire.RouteInvitePage: h.servePage,
	} {
		mux.HandleFunc(pattern, withoutQuery(serve))
	}
	return door.Open(h.Within, mux)
}

// withoutQuery makes a query a wrong address. Existing clients may rely on 404
// for it.
func withoutQuery(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" || r.URL.ForceQuery {
			door.NotFound(w, r)
			return
		}
		next(w, r)
	}
}

// tooMany says how long who has to wait, 0 if not at all.
func (h *handler) tooMany(w http.ResponseWriter, r *http.Request, l registry.Limit, who string) (bool, error) {
	wait, err := h.reg.Take(r.Context(), l, who)
	if wait > 0 {
		door.SetRetryAfter(w, wait)
	}
	return wait > 0, err
}
