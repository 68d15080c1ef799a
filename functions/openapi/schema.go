package openapi

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// schemas makes JSON schemas of Go types, each struct once, by its name.
type schemas struct{ found object }

func (s *schemas) of(v any) object { return s.typed(reflect.TypeOf(v)) }

// special are the types that write themselves otherwise than their kind.
var special = map[reflect.Type]object{
	reflect.TypeFor[wire.Time]():       {"type": "string", "format": "date-time"},
	reflect.TypeFor[wire.Millis]():     {"type": "number"},
	reflect.TypeFor[json.RawMessage](): {},
}

func (s *schemas) typed(t reflect.Type) object {
	if known, ok := special[t]; ok {
		return known
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.typed(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": s.typed(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.typed(t.Elem())}
	case reflect.Struct:
		return s.ref(t)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	default:
		return object{"type": "string"}
	}
}

func (s *schemas) ref(t reflect.Type) object {
	if _, done := s.found[t.Name()]; !done {
		s.found[t.Name()] = object{} // before its fields, which may refer to it
		properties, required := object{}, []string{}
		s.fields(t, properties, &required)
		schema := object{"type": "object", "properties": properties}
		if len(required) > 0 {
			schema["required"] = required
		}
		s.found[t.Name()] = schema
	}
	return object{"$ref": "#/components/schemas/" + t.Name()}
}

func (s *schemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			s.fields(f.Type, properties, required)
			continue
		}
		properties[name] = s.typed(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}
