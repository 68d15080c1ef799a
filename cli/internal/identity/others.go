package identity

import (
	"encoding/json"
	"reflect"
	"strings"
)

// withoutKnown returns the fields of a JSON object that the struct has not.
func withoutKnown(fields map[string]json.RawMessage, of any) map[string]json.RawMessage {
	for field := range reflect.TypeOf(of).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(fields, name)
	}
	return fields
}

// withOthers writes v as an object with additional fields.
func withOthers(v any, others map[string]json.RawMessage) ([]byte, error) {
	known, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(others) == 0 {
		return known, nil
	}
	rest, err := json.Marshal(others)
	if err != nil {
		return nil, err
	}
	joined := append(known[:len(known)-1], ',')
	return append(joined, rest[1:]...), nil
}
