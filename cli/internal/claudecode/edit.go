package claudecode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrShape says that a file is not JSON, or has something else where an object
// or a list is expected. It must be left alone.
var ErrShape = errors.New("claudecode: file is not what was expected")

// A span is a part of a text: a member of an object, or an element of a list.
type span struct {
	key               string // of a member
	start             int    // of the key or the element
	value, end        int    // of the value
	containerOpen     int    // where { or [ is
	containerCloseEnd int    // behind } or ]
}

// blank returns the first place at or behind at that is no white space.
func blank(text []byte, at int) int {
	for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
		at++
	}
	return at
}

// valueEnd returns the place behind the value that begins at at. The text is
// valid JSON.
func valueEnd(text []byte, at int) int {
	switch text[at] {
	case '"':
		return stringEnd(text, at)
	case '{', '[':
		depth := 0
		for ; ; at++ {
			switch text[at] {
			case '"':
				at = stringEnd(text, at) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
	}
	for at < len(text) && strings.IndexByte(",]} \t\r\n", text[at]) < 0 {
		at++
	}
	return at
}

func stringEnd(text []byte, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// parts returns the members of the object, or the elements of the list, that
// begins at at.
func parts(text []byte, at int) []span {
	var all []span
	open, end := at, valueEnd(text, at)
	object := text[at] == '{'
	for at = blank(text, at+1); at < end-1; {
		s := span{start: at, value: at, containerOpen: open, containerCloseEnd: end}
		if object {
			keyEnd := stringEnd(text, at)
			_ = json.Unmarshal(text[at:keyEnd], &s.key) // valid, as the whole is
			s.value = blank(text, blank(text, keyEnd)+1)
		}
		s.end = valueEnd(text, s.value)
		all = append(all, s)
		if at = blank(text, s.end); text[at] == ',' {
			at = blank(text, at+1)
		}
	}
	return all
}

// find returns the value at path in the text. It reports false where the path
// ends early, and [ErrShape] where it leads through something else than objects.
func find(text []byte, path ...string) (span, bool, error) {
	here := span{value: blank(text, 0)}
	here.end = valueEnd(text, here.value)
next:
	for i, key := range path {
		if text[here.value] != '{' {
			return span{}, false, fmt.Errorf("%w: %s is not an object", ErrShape, where(path[:i]))
		}
		for _, member := range parts(text, here.value) {
			if member.key == key {
				here = member
				continue next
			}
		}
		return here, false, nil
	}
	return here, true, nil
}

func where(path []string) string {
	if len(path) == 0 {
		return "the whole"
	}
	return strings.Join(path, ".")
}

// elements returns the elements of the list at path; none if there is no list.
func elements(text []byte, path ...string) ([]span, error) {
	list, ok, err := find(text, path...)
	switch {
	case err != nil || !ok:
		return nil, err
	case text[list.value] != '[':
		return nil, fmt.Errorf("%w: %s is not a list", ErrShape, where(path))
	}
	return parts(text, list.value), nil
}

// set gives the member at path a value. Objects on the way are made.
func set(text []byte, value any, path ...string) ([]byte, error) {
	old, ok, err := find(text, path...)
	if err != nil {
		return nil, err
	}
	if ok {
		return splice(text, old.value, old.end, render(value, indentOf(text, old.start))), nil
	}
	parent, ok, err := find(text, path[:len(path)-1]...)
	if err != nil {
		return nil, err
	}
	last := path[len(path)-1]
	if !ok {
		return set(text, map[string]any{last: value}, path[:len(path)-1]...)
	}
	if text[parent.value] != '{' {
		return nil, fmt.Errorf("%w: %s is not an object", ErrShape, where(path[:len(path)-1]))
	}
	key, err := json.Marshal(last)
	if err != nil {
		return nil, err
	}
	return insert(text, parent, string(key)+": ", value), nil
}

// add puts value behind the last element of the list at path, which is made if
// it is not there.
func add(text []byte, value any, path ...string) ([]byte, error) {
	list, ok, err := find(text, path...)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return set(text, []any{value}, path...)
	case text[list.value] != '[':
		return nil, fmt.Errorf("%w: %s is not a list", ErrShape, where(path))
	}
	return insert(text, list, "", value), nil
}

// insert puts a value last into a container, with the key before it.
func insert(text []byte, container span, key string, value any) []byte {
	if all := parts(text, container.value); len(all) > 0 {
		last := all[len(all)-1]
		indent := indentOf(text, last.start)
		return splice(text, last.end, last.end, ",\n"+indent+key+render(value, indent))
	}
	outer := indentOf(text, container.start)
	inner := outer + unit
	return splice(text, container.value+1, container.end-1, "\n"+inner+key+render(value, inner)+"\n"+outer)
}

// unit is how far we indent; what is there already is followed.
const unit = "  "

// indentOf returns the white space with which the line of a place begins.
func indentOf(text []byte, at int) string {
	line := bytes.LastIndexByte(text[:at], '\n') + 1
	return string(text[line:blank(text[:at], line)])
}

func render(value any, indent string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(indent, unit)
	_ = enc.Encode(value) // maps, lists and texts of ours
	return strings.TrimSpace(b.String())
}

func splice(text []byte, from, to int, with string) []byte {
	return bytes.Join([][]byte{text[:from], []byte(with), text[to:]}, nil)
}

// remove takes a member or an element out, and the comma that it needed.
func remove(text []byte, gone span) []byte {
	all := parts(text, gone.containerOpen)
	switch last := len(all) - 1; {
	case last == 0:
		return splice(text, gone.containerOpen+1, gone.containerCloseEnd-1, "")
	case gone.start == all[0].start:
		return splice(text, gone.start, all[1].start, "")
	default:
		before := gone.start
		for _, s := range all {
			if s.start < gone.start {
				before = s.end
			}
		}
		return splice(text, before, gone.end, "")
	}
}

// prune removes the member at path while it is an empty object or list, and
// then those around it for the same reason.
func prune(text []byte, path ...string) []byte {
	for ; len(path) > 0; path = path[:len(path)-1] {
		here, ok, err := find(text, path...)
		if err != nil || !ok || strings.IndexByte("{[", text[here.value]) < 0 || len(parts(text, here.value)) > 0 {
			return text
		}
		text = remove(text, here)
	}
	return text
}
