package presence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// The explorer of explore_test.go keeps what Redis holds outside of Redis, so
// that it can go on from any state that it has seen. All times in an image are
// relative: the same situation an hour later is the same image.

// image is everything that Redis holds. It does not change once made.
type image struct {
	id   imageID
	keys []keyImage // by name
	next *image     // the same one tick later, once somebody has asked
	head cursorID   // where the journal ends, likewise
}

// imageID names an image among those of one oracle.
type imageID int32

// keyImage is one key. Items are alternately fields and values, members and
// scores, or ids of stream entries and of the messages in them.
type keyImage struct {
	name, kind string
	ttl        time.Duration // 0 means none
	items      []string
}

func (k keyImage) String() string {
	return fmt.Sprintf("%s %s %d %q", k.name, k.kind, k.ttl, k.items)
}

// relative tells for which sorted sets the scores are times.
func relative(name string) bool {
	return strings.HasPrefix(name, "due:") || strings.HasPrefix(name, "cleanup:")
}

// dump reads what a server holds.
func dump(m *miniredis.Miniredis, now time.Time) (out []keyImage) {
	for _, name := range m.Keys() {
		if name == "claudemesh:partitions" {
			continue
		}
		k := keyImage{name: name, kind: m.Type(name), ttl: m.TTL(name)}
		switch k.kind {
		case "string":
			value, _ := m.Get(name)
			k.items = []string{value}
		case "hash":
			for _, field := range sorted(m.HKeys(name)) {
				k.items = append(k.items, field, timeless(name, m.HGet(name, field)))
			}
		case "zset":
			scores, _ := m.SortedSet(name)
			for member, score := range scores {
				k.items = append(k.items, member+" "+strconv.FormatInt(int64(score)-now.UnixMilli(), 10))
			}
			slices.Sort(k.items)
		case "stream":
			entries, _ := m.Stream(name)
			for _, e := range entries {
				k.items = append(k.items, e.ID, strings.Join(e.Values, "\x00"))
			}
		default:
			k.items = sorted(m.SMembers(name))
		}
		out = append(out, k)
	}
	return out
}

func sorted(words []string, _ error) []string {
	slices.Sort(words)
	return words
}

// timeless takes from a roster record the times that nothing depends on.
func timeless(name, value string) string {
	if !strings.HasPrefix(name, "roster:") {
		return value
	}
	f := strings.SplitN(value, " ", recordFields)
	if len(f) == recordFields {
		f[5], f[8] = "1", "1"
	}
	return strings.Join(f, " ")
}

// load makes a server hold i.
func (i *image) load(m *miniredis.Miniredis, now time.Time) {
	m.FlushAll()
	for _, k := range i.keys {
		switch k.kind {
		case "string":
			_ = m.Set(k.name, k.items[0])
		case "hash":
			m.HSet(k.name, k.items...)
		case "zset":
			for _, item := range k.items {
				member, score := splitScore(item)
				_, _ = m.ZAdd(k.name, float64(now.UnixMilli()+score), member)
			}
		case "stream":
			for n := 0; n < len(k.items); n += 2 {
				_, _ = m.XAdd(k.name, k.items[n], strings.Split(k.items[n+1], "\x00"))
			}
		default:
			_, _ = m.SAdd(k.name, k.items...)
		}
		if k.ttl > 0 {
			m.SetTTL(k.name, k.ttl)
		}
	}
}

func splitScore(item string) (member string, score int64) {
	at := strings.LastIndexByte(item, ' ')
	score, _ = strconv.ParseInt(item[at+1:], 10, 64)
	return item[:at], score
}

// later is what is held after d: leases run out, deadlines come nearer, and
// clean-ups are done. How long ago a deadline was does not matter.
func (i *image) later(d time.Duration) (out []keyImage) {
	for _, k := range i.keys {
		if strings.HasPrefix(k.name, "cleanup:") {
			continue
		}
		if k.ttl > 0 {
			if k.ttl -= d; k.ttl <= 0 {
				continue
			}
		}
		if k.kind == "zset" && relative(k.name) {
			items := make([]string, len(k.items))
			for n, item := range k.items {
				member, score := splitScore(item)
				items[n] = member + " " + strconv.FormatInt(max(score-d.Milliseconds(), -1), 10)
			}
			slices.Sort(items)
			k.items = items
		}
		out = append(out, k)
	}
	return out
}

// key finds a key by the beginning of its name.
func (i *image) key(name string) (keyImage, bool) {
	for _, k := range i.keys {
		if k.name == name {
			return k, true
		}
	}
	return keyImage{}, false
}

// pair finds the value of a hash's field.
func (i *image) pair(name, field string) (string, bool) {
	k, _ := i.key(name)
	for n := 0; n+1 < len(k.items); n += 2 {
		if k.items[n] == field {
			return k.items[n+1], true
		}
	}
	return "", false
}

// score finds the time, from now, of a member of a sorted set.
func (i *image) score(name, member string) (time.Duration, bool) {
	k, _ := i.key(name)
	for _, item := range k.items {
		if m, score := splitScore(item); m == member {
			return time.Duration(score) * time.Millisecond, true
		}
	}
	return 0, false
}
