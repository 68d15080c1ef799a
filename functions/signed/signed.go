package signed

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

// Role is what a key is to a mesh. Roles combine, so that a route can name
// several.
type Role uint8

// The roles.
const (
	Owner    Role = 1 << iota // the key that signs the mesh's invites
	Admin                     // an active member with that role
	Member                    // any other active member
	Stranger                  // any key that signs; for routes without a mesh
)

// Registry is what signed requests need to know.
type Registry interface {
	Admission(ctx context.Context, mesh, memberKey string) (registry.Mesh, registry.Member, error)
	UseNonce(ctx context.Context, key, nonce string) error
}

// Request is one that was signed by a key that may make it.
type Request struct {
	*http.Request
	Key  string        // of the signer, in lower case
	As   Role          // one role: the highest that the key has
	Mesh registry.Mesh // zero on a route without a mesh
	Body []byte
}

// Into reads the body as JSON. Unknown fields are ignored.
func (r *Request) Into(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return Refuse(http.StatusBadRequest, wire.CodeMalformed, "body is not the JSON object this request takes")
	}
	return nil
}

// Route is one line of the table that says who may do what. A pattern with
// {mesh} is about that mesh.
type Route struct {
	Pattern string
	May     Role
	Gate    func(*Request) error // what else must hold, before the nonce is spent; may be nil
	Do      func(http.ResponseWriter, *Request) error
}

// Options are what all routes of a function share. Registry is required.
type Options struct {
	Registry Registry
	Gate     func(*Request) error // what must hold on every route, before its own gate; may be nil
	Log      *slog.Logger         // nil: none
	Now      func() time.Time     // nil: time.Now
}

// NewHandler serves the routes. Paths that no route has are 404.
func NewHandler(o Options, routes []Route) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", door.NotFound)
	for _, route := range routes {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := o.serve(w, r, route); err != nil {
				fail(r.Context(), w, o.Log, err)
			}
		})
	}
	return mux
}

func (o *Options) serve(w http.ResponseWriter, r *http.Request, route Route) error {
	body, err := door.Body(w, r)
	if err != nil {
		return err
	}
	proof, err := wire.VerifyRequest(r, body, o.Now())
	if err != nil {
		return err
	}
	req := &Request{Request: r, Key: proof.Key, As: Stranger, Body: body}
	if route.May != Stranger {
		if err := o.identify(req); err != nil {
			return err
		}
	}
	if req.As&route.May == 0 {
		return Refuse(http.StatusForbidden, wire.CodeForbidden, "this key may not do this in this mesh")
	}
	for _, gate := range []func(*Request) error{o.Gate, route.Gate} {
		if gate == nil {
			continue
		}
		if err := gate(req); err != nil {
			return err
		}
	}
	if err := o.Registry.UseNonce(r.Context(), req.Key, proof.Nonce); err != nil {
		return err
	}
	return route.Do(w, req)
}

// identify finds the mesh that the path names, and what the key is to it.
func (o *Options) identify(req *Request) error {
	mesh, member, err := o.Registry.Admission(req.Context(), req.PathValue("mesh"), req.Key)
	req.Mesh = mesh
	actor := member.ID
	if mesh.OwnerKey == req.Key {
		actor = registry.ActorOwner
	}
	req.Request = req.WithContext(registry.WithActor(req.Context(), actor))
	switch {
	case errors.Is(err, registry.ErrNoMesh):
		return err
	case mesh.OwnerKey != "" && mesh.OwnerKey == req.Key:
		req.As = Owner
	case errors.Is(err, registry.ErrNotMember):
		req.As = Stranger
	case err != nil:
		return err
	case member.Role == wire.RoleAdmin:
		req.As = Admin
	default:
		req.As = Member
	}
	return nil
}
