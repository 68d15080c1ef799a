package commons

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/openapi"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// apiWithin bounds one request, but for streams.
const apiWithin = 8 * time.Second

// apiLimit bounds the requests of one API key.
var apiLimit = registry.Limit{Name: "api", Burst: 100, PerMinute: 300}

// apiPeer stands for whoever speaks by API key: it has no lease and is nobody
// that could hear an echo.
func apiPeer(mesh string) presence.Peer { return presence.Peer{Mesh: mesh, ID: "apikey"} }

// An apiCall is a request whose key is good for it.
type apiCall struct {
	w   http.ResponseWriter
	r   *http.Request
	key *bearer
	who *Caller
}

// An apiRoute is one line of what programs with an API key can ask. What
// describes it is for the OpenAPI document.
type apiRoute struct {
	pattern string
	needs   wire.KeyCapability
	do      func(context.Context, *apiCall) (any, error) // a nil answer was given already
	what    string
	query   []string
	in, out any
}

func (s *Commons) apiRoutes() []apiRoute {
	return []apiRoute{
		{wire.RouteAPISend, wire.KeySend, s.apiSend, "Send a message to a topic that the key's member joined.", nil, wire.PostMessageRequest{}, wire.PostMessageResponse{}},
		{wire.RouteAPITopics, wire.KeyRead, s.apiTopics, "List topics.", nil, nil, wire.APITopicsResponse{}},
		{wire.RouteAPIMessages, wire.KeyRead, s.apiMessages, "Read what was said in a topic, newest first.", []string{"limit", "before"}, nil, wire.APIMessagesResponse{}},
		{wire.RouteAPIStream, wire.KeyRead, s.apiStream, "Hear a topic, as server-sent events.", nil, nil, nil},
		{wire.RouteAPIRead, wire.KeyRead, s.apiRead, "Note that all of a topic was read.", nil, nil, wire.APIReadResponse{}},
		{wire.RouteAPIKey, wire.KeyRead, s.apiTopicKey, "Get the member's sealed copy of a topic's key.", nil, nil, wire.APITopicKeyResponse{}},
		{wire.RouteAPIPendingSeals, wire.KeyRead, s.apiPendingSeals, "List members of a topic that wait for a copy of its key.", nil, nil, wire.APIPendingSealsResponse{}},
		{wire.RouteAPISeal, wire.KeySend, s.apiSeal, "Leave a copy of a topic's key for a member.", nil, wire.APISealRequest{}, wire.APISealResponse{}},
		{wire.RouteAPIClaimKey, wire.KeySend, s.apiClaimKey, "Give a topic without a key one.", nil, wire.APIClaimKeyRequest{}, wire.APISealResponse{}},
		{wire.RouteAPIMembers, wire.KeyRead, s.apiMembers, "List members.", nil, nil, wire.APIMembersResponse{}},
		{wire.RouteAPIPeers, wire.KeyRead, s.apiPeers, "List peers that are here.", nil, nil, wire.APIPeersResponse{}},
		{wire.RouteAPINotifications, wire.KeyRead, s.apiNotifications, "List where the member was mentioned, newest first.", []string{"since", "unread"}, nil, wire.APINotificationsResponse{}},
		{wire.RouteAPINotesRead, wire.KeyRead, s.apiNotesRead, "Mark notifications as read.", nil, wire.APINotesReadRequest{}, wire.APINotesReadResponse{}},
	}
}

// API serves /api/v1/. Pages of any origin may ask, because nothing but the key
// that they send themselves lets them.
func (s *Commons) API() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.apiRoutes() {
		mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) { s.serveAPI(w, r, &route) })
	}
	mux.HandleFunc(wire.RouteAPIOpenAPI, s.describeAPI)
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusNotFound, wire.APIError{Error: wire.CodeNotFound, Message: "there is nothing to ask here"})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, "+wire.HeaderLastEventID+", "+headerIdempotency)
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// describeAPI tells what can be asked, as the table has it.
func (s *Commons) describeAPI(w http.ResponseWriter, r *http.Request) {
	var ops []openapi.Operation
	for _, route := range s.apiRoutes() {
		ops = append(ops, openapi.Operation{
			Pattern: route.pattern, Summary: route.what + " Needs " + string(route.needs) + ".", Bearer: true,
			Query: route.query, In: route.in, Out: route.out, Status: http.StatusOK, Refusal: wire.APIError{},
		})
	}
	document, err := openapi.Document("claudemesh for programs", "1", ops)
	if err != nil {
		s.refuseCall(r.Context(), w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, json.RawMessage(document))
}

func (s *Commons) serveAPI(w http.ResponseWriter, r *http.Request, route *apiRoute) {
	ctx, cancel := context.WithTimeout(r.Context(), apiWithin)
	defer cancel()
	call, err := s.admitCall(ctx, w, r, route.needs)
	var answer any
	if err == nil {
		answer, err = route.do(ctx, call)
	}
	switch {
	case err != nil:
		s.refuseCall(ctx, w, r, err)
	case answer != nil:
		answerJSON(w, http.StatusOK, answer)
	}
}

// admitCall checks who asks, whether it may, and whether it asks too often.
func (s *Commons) admitCall(
	ctx context.Context, w http.ResponseWriter, r *http.Request, needs wire.KeyCapability,
) (*apiCall, error) {
	key, err := s.authenticate(ctx, wire.BearerKey(r.Header.Get("Authorization")))
	if err != nil {
		return nil, err
	}
	if err := s.takeToken(ctx, w, apiLimit, key.id); err != nil {
		return nil, err
	}
	if !key.can(needs) {
		return nil, refuse(wire.CodeAPICapability, "this API key is not for %s", needs)
	}
	s.used(ctx, key)
	return &apiCall{w: w, r: r, key: key, who: key.caller()}, nil
}

// takeToken charges a bucket that all edges share.
func (s *Commons) takeToken(ctx context.Context, w http.ResponseWriter, l registry.Limit, who string) error {
	wait, err := s.registry.Take(ctx, l, who)
	if err != nil || wait <= 0 {
		return err
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	return refuse(wire.CodeRateLimited, "rate limited")
}

// apiStatus is the status of a refusal; 400 for those not listed.
var apiStatus = map[wire.Code]int{
	wire.CodeAPIKeyMissing:      http.StatusUnauthorized,
	wire.CodeAPIKeyInvalid:      http.StatusUnauthorized,
	wire.CodeAPICapability:      http.StatusForbidden,
	wire.CodeAPITopicScope:      http.StatusForbidden,
	wire.CodeForbidden:          http.StatusForbidden,
	wire.CodeTopicNotFound:      http.StatusNotFound,
	wire.CodeKeyNotSealed:       http.StatusNotFound,
	wire.CodeRecipientNotJoined: http.StatusNotFound,
	wire.CodeTopicUnencrypted:   http.StatusConflict,
	wire.CodeFull:               http.StatusInsufficientStorage,
	wire.CodeRateLimited:        http.StatusTooManyRequests,
	wire.CodeTooLarge:           http.StatusRequestEntityTooLarge,
	wire.CodeUnavailable:        http.StatusServiceUnavailable,
}

// asRefusal says why a request was not granted. What went wrong here, and not
// there, is logged and not told.
func (s *Commons) asRefusal(ctx context.Context, err error) *Refusal {
	var refused *Refusal
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, queue.ErrRate):
		return refuse(wire.CodeRateLimited, "this member sends too much")
	case errors.Is(err, queue.ErrNotMember):
		return errKeyNoIssuer
	case errors.Is(err, queue.ErrFingerprint):
		return refuse(wire.CodeInvalidArgument, "another message was sent under this %s", headerIdempotency)
	case errors.Is(err, queue.ErrInvalid):
		return refuse(wire.CodeInvalidArgument, "the request holds characters that it must not")
	}
	s.log.WarnContext(ctx, "api", "err", err)
	return refuse(wire.CodeUnavailable, "not available just now, try again")
}

func (s *Commons) refuseCall(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	refused := s.asRefusal(ctx, err)
	status, known := apiStatus[refused.Code]
	if !known {
		status = http.StatusBadRequest
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	body := wire.APIError{Error: refused.Code, Message: refused.Message}
	if refused.Code == wire.CodeTopicNotFound {
		body.Topic = r.PathValue("topic")
	}
	answerJSON(w, status, body)
}

// can reports whether the key is for that. What an admin's key may ends when
// its owner is none any more.
func (b *bearer) can(needs wire.KeyCapability) bool {
	for _, c := range b.Can {
		if c == needs {
			return needs != wire.KeyAdmin || b.member.Role == wire.RoleAdmin
		}
	}
	return false
}

// scope refuses a topic that the key is not for.
func (c *apiCall) scope(t *topic) error {
	if !c.key.covers(t.id, t.Name) {
		return refuse(wire.CodeAPITopicScope, "this API key is not for this topic")
	}
	return nil
}

// checked is a body that can say what is wrong with it.
type checked interface{ Check() error }

// readBody reads the request's body into v.
func (c *apiCall) readBody(v checked) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, wire.MaxAPIBody))
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		return refuse(wire.CodeTooLarge, "the body is longer than %d bytes", wire.MaxAPIBody)
	}
	if err == nil && len(strings.TrimSpace(string(raw))) > 0 {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return refuse(wire.CodeInvalidArgument, "the body is not the JSON object that is expected")
	}
	if err := v.Check(); err != nil {
		return refuse(wire.CodeInvalidArgument, "%v", err)
	}
	return nil
}

// answerJSON answers with v.
func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client is gone, there is nobody to tell
}
