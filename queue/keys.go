package queue

import (
	"strconv"
	"strings"
)

// place is where a mesh's keys live: the hash tag of its partition, and its id.
// Its methods are the only spelling of this package's key names.
type place struct{ tag, mesh string }

func (q *Queue) at(mesh string) place { return place{tag: q.c.Tag(mesh), mesh: mesh} }

func (p place) key(kind string) string { return kind + ":" + p.tag + ":" + p.mesh }

func (p place) head() string    { return p.key("head") }
func (p place) journal() string { return p.key("journal") }
func (p place) reader() string  { return p.key("reader") }
func (p place) dead() string    { return p.key("dead") }
func (p place) buried() string  { return p.key("buried") }
func (p place) rate() string    { return p.key("rate") }

// The following are prefixes: scripts append ":" and a bucket, a key or a key
// and a lane.
func (p place) once() string    { return p.key("once") }
func (p place) track() string   { return p.key("track") }
func (p place) tries() string   { return p.key("tries") }
func (p place) inboxes() string { return p.key("inbox") }

func (p place) inbox(key string, lane Lane) string {
	return p.inboxes() + ":" + key + ":" + string(lane)
}

func (p place) trackBucket(n int) string { return p.track() + ":" + strconv.Itoa(n) }

// waits is shared by all meshes of a partition.
func (p place) waits() string { return waitsKey(p.tag) }

func waitsKey(tag string) string { return "waits:" + tag }

// inboxRef names one lane of one inbox. Its text is a member of the waits set
// and the tail of the lane's key.
type inboxRef struct {
	mesh, key string
	lane      Lane
}

func (r inboxRef) String() string { return r.mesh + ":" + r.key + ":" + string(r.lane) }

// parseInboxRef is the inverse of [inboxRef.String].
func parseInboxRef(s string) (inboxRef, bool) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return inboxRef{}, false
	}
	r := inboxRef{mesh: parts[0], key: parts[1], lane: Lane(parts[2])}
	return r, isName(r.mesh) && isName(r.key) && r.lane.valid()
}

// parseInboxKey is the inverse of [place.inbox].
func parseInboxKey(key string) (tag string, r inboxRef, ok bool) {
	rest, ok := strings.CutPrefix(key, "inbox:")
	if !ok {
		return "", inboxRef{}, false
	}
	tag, rest, ok = strings.Cut(rest, ":")
	if !ok || tag == "" {
		return "", inboxRef{}, false
	}
	r, ok = parseInboxRef(rest)
	return tag, r, ok
}

// maxName bounds the parts of key names: a 64-digit key is the longest.
const maxName = 64

// isName reports whether s may be part of a key name or of a list that Lua
// takes apart: letters and digits only.
func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if !isBase62(s[i]) {
			return false
		}
	}
	return true
}
