package admin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/admin"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/invite"
	"github.com/claudemesh/claudemesh/functions/rooms"
)

// document is an OpenAPI document as far as the tests read it.
type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	Responses map[string]struct {
		Content map[string]struct{ Schema schema }
	}
	Security []any
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Properties           map[string]schema
	Required             []string
	Items                *schema
	AdditionalProperties *schema
}

func (p *place) document(tb testing.TB) document {
	tb.Helper()
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, functionstest.Request("GET", "/v1/openapi.json", nil))
	var d document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 {
		tb.Fatalf("%d, %v", w.Code, err)
	}
	return d
}

// route finds the operation of a request, its path as the document writes it.
func (d *document) route(method, path string) (operation, bool) {
	segments := strings.Split(path, "/")
	for template, methods := range d.Paths {
		parts := strings.Split(template, "/")
		if len(parts) != len(segments) || !slices.EqualFunc(parts, segments, func(a, b string) bool {
			return a == b || strings.HasPrefix(a, "{")
		}) {
			continue
		}
		if op, ok := methods[strings.ToLower(method)]; ok {
			return op, true
		}
	}
	return operation{}, false
}

// conforms says where a JSON value is not what the schema says.
func (d *document) conforms(s schema, v any, at string) error {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		s = d.Components.Schemas[name]
	}
	switch v := v.(type) {
	case map[string]any:
		return d.objectConforms(s, v, at)
	case []any:
		if s.Type != "array" {
			return fmt.Errorf("%s: an array, not %q", at, s.Type)
		}
		for i, item := range v {
			if err := d.conforms(*s.Items, item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
		return nil
	}
	kind := map[string]string{"string": "string", "float64": "integer number", "bool": "boolean", "<nil>": "null"}[fmt.Sprintf("%T", v)]
	if s.Type != "" && !slices.Contains(strings.Fields(kind), s.Type) {
		return fmt.Errorf("%s: %v is no %s", at, v, s.Type)
	}
	return nil
}

func (d *document) objectConforms(s schema, v map[string]any, at string) error {
	if s.Type == "" {
		return nil // any value
	}
	if s.Type != "object" {
		return fmt.Errorf("%s: an object, not %q", at, s.Type)
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s: %s is missing", at, name)
		}
	}
	for name, value := range v {
		property, ok := s.Properties[name]
		if !ok && s.AdditionalProperties != nil {
			property, ok = *s.AdditionalProperties, true
		}
		if !ok {
			return fmt.Errorf("%s: %s is not in the document", at, name)
		}
		if err := d.conforms(property, value, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// checked holds one answer to the document.
func (p *place) checked(tb testing.TB, r *http.Request, w *httptest.ResponseRecorder) {
	tb.Helper()
	d := p.document(tb)
	op, ok := d.route(r.Method, r.URL.Path)
	if !ok {
		if w.Code != 404 && w.Code != 405 {
			tb.Errorf("%s %s is served, %d, but not in the document", r.Method, r.URL.Path, w.Code)
		}
		return
	}
	response, ok := op.Responses[fmt.Sprint(w.Code)]
	if !ok {
		response = op.Responses["default"]
		if w.Code < 400 {
			tb.Errorf("%s %s: %d is not in the document", r.Method, r.URL.Path, w.Code)
		}
	}
	content, ok := response.Content["application/json"]
	if !ok {
		if w.Body.Len() > 0 {
			tb.Errorf("%s %s: %q, but the document knows no body", r.Method, r.URL.Path, w.Body)
		}
		return
	}
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		tb.Errorf("%s %s: %q, %v", r.Method, r.URL.Path, w.Body, err)
		return
	}
	if err := d.conforms(content.Schema, v, "body"); err != nil {
		tb.Errorf("%s %s, %d: %v\n%s", r.Method, r.URL.Path, w.Code, err, w.Body)
	}
}

// TestEveryRouteOfTheDocumentIsServed asks for each without any proof: a route
// that is there refuses, one that is not is unknown.
func TestEveryRouteOfTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	coming := invite.NewHandler(p.Store, invite.Config{})
	parameter := regexp.MustCompile(`\{\w+\}`)
	n := 0
	for path, methods := range p.document(t).Paths {
		for method, op := range methods {
			n++
			target := parameter.ReplaceAllString(path, "x")
			w := httptest.NewRecorder()
			r := functionstest.Request(strings.ToUpper(method), target, nil)
			if len(op.Security) > 0 || target == "/v1/openapi.json" {
				p.handler.ServeHTTP(w, r)
			} else {
				coming.ServeHTTP(w, r)
			}
			body, _ := io.ReadAll(w.Result().Body)
			if w.Code == 405 || string(body) == "not found\n" || len(op.Security) > 0 != (w.Code == 401) {
				t.Errorf("%s %s: %d %s", method, path, w.Code, body)
			}
		}
	}
	if want := 33; n != want {
		t.Errorf("%d routes, want %d", n, want)
	}
}

// TestEveryRouteIsInTheDocument compares with the routes that wire names.
func TestEveryRouteIsInTheDocument(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	p.full(t)
	d := p.document(t)
	for _, pattern := range []string{
		wire.RouteJoin, wire.RouteClaim, wire.RouteInvitePage, wire.RouteInvitePreview, wire.RouteOpenAPI, wire.RouteFleet,
		wire.RouteCreateMesh, wire.RouteListMeshes, wire.RouteMesh, wire.RouteSetMesh, wire.RouteArchiveMesh, wire.RouteSetGroupPolicy,
		wire.RouteMembers, wire.RouteSetMember, wire.RouteRevokeMember, wire.RouteBan, wire.RouteUnban, wire.RouteKick, wire.RouteDisconnect,
		wire.RouteGrants, wire.RouteSetGrants, wire.RouteCreateInvite, wire.RouteInvites, wire.RouteRevokeInvite,
		wire.RouteQueue, wire.RouteInbox, wire.RouteDeadLetters, wire.RouteRequeue, wire.RouteDropDead, wire.RouteAudit, wire.RouteVerifyAudit, wire.RouteBackup, wire.RouteRestore,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		if _, ok := d.Paths[path][strings.ToLower(method)]; !ok {
			t.Errorf("%s is not in the document", pattern)
		}
	}
}

func TestARouteWhoseRoomIsMissingIsNeitherServedNorDescribed(t *testing.T) {
	t.Parallel()
	p := newPlace(t, admin.Config{})
	for _, tail := range []string{"/queue", "/queue/" + wire.PublicKey(p.Owner), "/dead-letters", "/kicks"} {
		if _, ok := p.document(t).Paths["/v1/meshes/{mesh}"+strings.Split(tail, "/"+wire.PublicKey(p.Owner))[0]]; ok {
			t.Errorf("%s is described", tail)
		}
		method := "GET"
		if tail == "/kicks" {
			method = "POST"
		}
		if w := p.serve(t, signed(t, method, p.path(tail), "", p.Owner)); w.Code != 404 {
			t.Errorf("%s is served: %d", tail, w.Code)
		}
	}
}

// full gives the handler all rooms.
func (p *place) full(tb testing.TB) {
	tb.Helper()
	handler, err := admin.NewHandler(p.Store, rooms.Of(p.client, p.config))
	if err != nil {
		tb.Fatal(err)
	}
	p.handler = handler
}
