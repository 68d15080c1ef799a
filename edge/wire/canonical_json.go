package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf16"
)

// CanonicalJSON rewrites one JSON value so that equal values have equal bytes:
// no blanks, shortest numbers, only mandatory escapes, keys sorted at every
// level. It reproduces an ECMAScript engine, where keys that look like array
// indexes come first, in numeric order, whatever the sort.
func CanonicalJSON(value []byte) ([]byte, error) {
	return canonicalJSON(value, compareKeys)
}

// keyOrder says in which order the keys of an object are written.
type keyOrder func(a, b string) int

func canonicalJSON(value []byte, order keyOrder) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("wire: canonical JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("wire: canonical JSON: more than one value")
	}
	return order.append(nil, v), nil
}

func (order keyOrder) append(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case json.Number:
		f, _ := v.Float64() // out of range is infinite, which is written as null
		return append(b, formatNumber(f)...)
	case string:
		return appendString(b, v)
	case []any:
		return order.appendArray(b, v)
	case map[string]any:
		return order.appendObject(b, v)
	}
	return b // the decoder makes no other kinds
}

func (order keyOrder) appendArray(b []byte, values []any) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = order.append(b, v)
	}
	return append(b, ']')
}

func (order keyOrder) appendObject(b []byte, object map[string]any) []byte {
	b = append(b, '{')
	for i, k := range order.sorted(object) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = order.append(b, object[k])
	}
	return append(b, '}')
}

func (order keyOrder) sorted(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, order)
	return keys
}

// compareKeys puts indexes first, in numeric order, then texts by their UTF-16
// units, which is not the order of their bytes.
func compareKeys(a, b string) int {
	i, aIndex := arrayIndex(a)
	j, bIndex := arrayIndex(b)
	switch {
	case aIndex && bIndex:
		return cmp.Compare(i, j)
	case aIndex:
		return -1
	case bIndex:
		return 1
	}
	return compareUnits(a, b)
}

// compareUnits compares texts by their UTF-16 units.
func compareUnits(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// arrayIndex reports whether k is a number as an engine writes array indexes:
// below 2^32-1, without sign or leading zeros.
func arrayIndex(k string) (uint64, bool) {
	if k == "" || len(k) > 10 || k[0] == '0' && k != "0" {
		return 0, false
	}
	n, err := strconv.ParseUint(k, 10, 64)
	return n, err == nil && n < 1<<32-1
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if c < ' ' {
				b = fmt.Appendf(b, `\u%04x`, c)
				continue
			}
			b = append(b, c)
		}
	}
	return append(b, '"')
}
