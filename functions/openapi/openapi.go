package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Operation is one route.
type Operation struct {
	Pattern string // of net/http, with its method
	Summary string // a sentence; who may make the request, too
	Signed  bool   // by the headers of wire
	Bearer  bool   // with an API key
	Query   []string
	In, Out any  // values of the bodies' types; nil for none
	Status  int  // of success
	HTML    bool // answered by a page
	Refusal any  // a value of the type of refusals; nil: wire.HTTPError
	Headers []string
}

type object = map[string]any

// Document returns the document of all operations.
func Document(title, version string, ops []Operation) ([]byte, error) {
	s := &schemas{found: object{}}
	paths := object{}
	for _, op := range ops {
		method, path, ok := strings.Cut(op.Pattern, " ")
		if !ok {
			return nil, fmt.Errorf("openapi: pattern %q has no method", op.Pattern)
		}
		at, _ := paths[path].(object)
		if at == nil {
			at = object{}
			paths[path] = at
		}
		at[strings.ToLower(method)] = s.operation(op, path)
	}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": title, "version": version,
			"description": "Bodies are JSON of at most 64 KiB, under /api/v1 of 128 KiB. Signed requests carry the headers of PROTOCOL.md, section 20; a nonce works once.",
		},
		"paths":      paths,
		"components": object{"schemas": s.found, "securitySchemes": securitySchemes()},
	})
}

func securitySchemes() object {
	out := object{}
	for _, header := range signatureHeaders {
		out[header] = object{"type": "apiKey", "in": "header", "name": header}
	}
	out[apiKeyScheme] = object{"type": "http", "scheme": "bearer", "bearerFormat": "cm_…"}
	return out
}

// apiKeyScheme is what the document calls API keys.
const apiKeyScheme = "APIKey"

var signatureHeaders = []string{wire.HeaderKey, wire.HeaderTime, wire.HeaderNonce, wire.HeaderSignature}

func (s *schemas) operation(op Operation, path string) object {
	out := object{"summary": op.Summary, "responses": s.responses(op)}
	if params := parameters(op, path); len(params) > 0 {
		out["parameters"] = params
	}
	if op.In != nil {
		out["requestBody"] = object{"required": true, "content": s.content(op.In)}
	}
	if op.Signed {
		all := object{}
		for _, header := range signatureHeaders {
			all[header] = []string{}
		}
		out["security"] = []object{all}
	}
	if op.Bearer {
		out["security"] = []object{{apiKeyScheme: []string{}}}
	}
	return out
}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

func parameters(op Operation, path string) []object {
	var out []object
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		out = append(out, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, name := range op.Query {
		out = append(out, object{"name": name, "in": "query", "schema": object{"type": "string"}})
	}
	for _, name := range op.Headers {
		out = append(out, object{"name": name, "in": "header", "schema": object{"type": "string"}})
	}
	return out
}

func (s *schemas) responses(op Operation) object {
	good := object{"description": http.StatusText(op.Status)}
	switch {
	case op.HTML:
		good["content"] = object{"text/html": object{}}
	case op.Out != nil:
		good["content"] = s.content(op.Out)
	}
	refusal := object{"description": "refused"}
	switch {
	case op.HTML:
		refusal["content"] = object{"text/html": object{}}
	case op.Refusal != nil:
		refusal["content"] = s.content(op.Refusal)
	default:
		refusal["content"] = s.content(wire.HTTPError{})
	}
	return object{strconv.Itoa(op.Status): good, "default": refusal}
}

func (s *schemas) content(v any) object {
	return object{"application/json": object{"schema": s.of(v)}}
}
