package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

const (
	hookBurst     = 30
	hookPerMinute = 30

	// maxPendingHooks bounds the statuses that wait for their peer, and
	// maxHookCallers the processes whose rate is remembered.
	maxPendingHooks = 4096
	maxHookCallers  = 16384
)

// caller is what a hook and the peer it speaks of have in common: the same
// process in the same directory behind the same address. Anyone can call the
// endpoint, so nothing less may move a status.
type caller struct {
	PID  wire.PID `json:"pid"`
	Cwd  string   `json:"cwd"`
	Host string   `json:"host"`
}

// hooks knows which peers here a hook can speak of.
type hooks struct {
	metrics *metrics

	mu      sync.Mutex
	here    map[caller][]*conn // the newest last
	pending map[caller]pendingStatus
	limits  map[caller]*rate.Limiter
}

type pendingStatus struct {
	status wire.Status
	until  time.Time
}

func newHooks(m *metrics) *hooks {
	return &hooks{
		metrics: m, here: map[caller][]*conn{}, pending: map[caller]pendingStatus{}, limits: map[caller]*rate.Limiter{},
	}
}

func (c *conn) caller() caller {
	return caller{PID: c.about.PID, Cwd: c.about.Cwd, Host: c.socket.host}
}

// enter makes a peer reachable and returns the status that waited for it.
func (h *hooks) enter(c *conn) (wire.Status, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := c.caller()
	h.here[key] = append(h.here[key], c)
	p, ok := h.pending[key]
	delete(h.pending, key)
	return p.status, ok && time.Now().Before(p.until)
}

func (h *hooks) leave(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := c.caller()
	h.here[key] = slices.DeleteFunc(h.here[key], func(other *conn) bool { return other == c })
	if len(h.here[key]) == 0 {
		delete(h.here, key)
	}
}

// find returns the newest connection of a process here, or nil.
func (h *hooks) find(key caller) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if conns := h.here[key]; len(conns) > 0 {
		return conns[len(conns)-1]
	}
	return nil
}

// keep holds a status for a peer that may be about to come.
func (h *hooks) keep(key caller, status wire.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if len(h.pending) >= maxPendingHooks {
		for k, p := range h.pending {
			if now.After(p.until) {
				delete(h.pending, k)
			}
		}
	}
	if len(h.pending) >= maxPendingHooks {
		h.metrics.hit(boundHooks)
		return
	}
	h.pending[key] = pendingStatus{status, now.Add(wire.HookPending)}
}

// allow is the rate limit of one process.
func (h *hooks) allow(key caller) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.limits[key]
	if l == nil {
		h.makeRoomLocked()
		l = rate.NewLimiter(rate.Every(time.Minute/hookPerMinute), hookBurst)
		h.limits[key] = l
	}
	if l.Allow() {
		return true
	}
	h.metrics.hit(boundHookRate)
	return false
}

// makeRoomLocked forgets callers whose bucket is full again: they are as good
// as new. If there are none, one is forgotten at random.
func (h *hooks) makeRoomLocked() {
	if len(h.limits) < maxHookCallers {
		return
	}
	for k, l := range h.limits {
		if l.Tokens() >= hookBurst {
			delete(h.limits, k)
		}
	}
	for k := range h.limits {
		if len(h.limits) < maxHookCallers {
			return
		}
		delete(h.limits, k)
	}
}

// hookCall is the body of POST /hook/set-status.
type hookCall struct {
	Cwd    string      `json:"cwd"`
	PID    wire.PID    `json:"pid"`
	Status wire.Status `json:"status"`
}

type hookAnswer struct {
	OK         bool   `json:"ok"`
	PresenceID string `json:"presence_id,omitempty"`
	Pending    bool   `json:"pending,omitempty"`
	Error      string `json:"error,omitempty"`
}

// hook takes a status from a hook of a peer's program.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		http.NotFound(w, r)
		return
	}
	fail := func(status int, text string) { answerJSON(w, status, hookAnswer{Error: text}) }
	var call hookCall
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxHTTPBody))
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		fail(http.StatusRequestEntityTooLarge, "payload too large")
		return
	}
	if err == nil {
		err = json.Unmarshal(body, &call)
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	key := caller{PID: call.PID, Cwd: call.Cwd, Host: host}
	switch {
	case err != nil:
		fail(http.StatusInternalServerError, "body is not the JSON object that is expected")
	case call.Cwd == "" || call.Status == "":
		fail(http.StatusOK, "cwd and status required")
	case !call.Status.Valid():
		fail(http.StatusInternalServerError, "status must be idle, working or dnd")
	case !s.hooks.allow(key):
		fail(http.StatusTooManyRequests, "rate limited")
	default:
		s.applyCall(w, r, key, call.Status)
	}
}

// applyCall writes the status of a peer that is here. One that is not may be
// at another edge, or about to come to any.
func (s *Server) applyCall(w http.ResponseWriter, r *http.Request, key caller, status wire.Status) {
	ctx, cancel := context.WithTimeout(r.Context(), handleWithin)
	defer cancel()
	c := s.hooks.find(key)
	if c == nil {
		s.hooks.keep(key, status)
		s.tellFleet(ctx, key, status)
		answerJSON(w, http.StatusOK, hookAnswer{OK: true, Pending: true})
		return
	}
	if err := c.hooked(ctx, status); err != nil {
		c.log.WarnContext(ctx, "status of hook", "err", err)
		answerJSON(w, http.StatusServiceUnavailable, hookAnswer{Error: "not available just now, try again"})
		return
	}
	answerJSON(w, http.StatusOK, hookAnswer{OK: true, PresenceID: presenceID(c.peer)})
}

// hooked writes a hook's word and brings what it admits.
func (c *conn) hooked(ctx context.Context, status wire.Status) error {
	st, err := c.server.presence.SetStatus(ctx, c.peer, &c.held, string(status), presence.SourceHook)
	if err != nil {
		return err
	}
	c.box.setStatus(st)
	c.kick()
	return nil
}

// applyPendingHook gives a peer that has just come the status that waited.
func (s *Server) applyPendingHook(c *conn) {
	status, ok := s.hooks.enter(c)
	if !ok {
		return
	}
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		if err := c.hooked(ctx, status); err != nil {
			c.log.WarnContext(ctx, "status of hook", "err", err)
		}
	})
}

// fleetHook is what edges tell each other of a hook's call.
type fleetHook struct {
	Edge   string      `json:"edge"`
	Caller caller      `json:"caller"`
	Status wire.Status `json:"status"`
}

const fleetHookWord = "hook"

func (s *Server) tellFleet(ctx context.Context, key caller, status wire.Status) {
	b, err := json.Marshal(fleetHook{s.id, key, status})
	if err == nil {
		err = s.bus.say(ctx, fleetBell, fleetHookWord+fieldSep+string(b))
	}
	if err != nil {
		s.log.WarnContext(ctx, "tell the fleet of a hook", "err", err)
	}
}

// heardFleet takes what another edge tells all.
func (s *Server) heardFleet(word, rest string) {
	if word == fleetJobWord {
		s.commons.Heard(rest)
		return
	}
	var h fleetHook
	if word != fleetHookWord || json.Unmarshal([]byte(rest), &h) != nil || h.Edge == s.id {
		return
	}
	c := s.hooks.find(h.Caller)
	if c == nil {
		s.hooks.keep(h.Caller, h.Status)
		return
	}
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		if err := c.hooked(ctx, h.Status); err != nil {
			c.log.WarnContext(ctx, "status of hook", "err", err)
		}
	})
}
