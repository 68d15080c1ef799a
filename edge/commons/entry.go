package commons

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// Lengths of the random parts that [queue.JournalLua] asks for.
const (
	tailLength  = 24
	epochLength = 8
)

// An entry is what the others are told of an act, by way of the journal: peers
// in their grace hear of it when they are back.
type entry struct {
	kind   queue.JournalKind
	event  string
	by     *Caller // the one that is not told, because it knows; nil for none
	target string
	flags  string
	body   string
}

func (e entry) args() []any {
	member, peer := "", ""
	if e.by != nil {
		member, peer = e.by.Member.Key, e.by.Peer.ID
	}
	flags := e.flags
	if flags == "" {
		flags = "-"
	}
	return []any{
		"", wire.NewID(tailLength), string(e.kind), e.event, member, peer, e.target, flags, e.body,
	}
}

// eventEntry is a system push to the mesh. Data must encode to a JSON object.
func eventEntry(by *Caller, event wire.Event, data any) (entry, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return entry{}, fmt.Errorf("commons: event %s: %w", event, err)
	}
	return entry{kind: queue.KindEvent, event: string(event), by: by, body: string(b)}, nil
}

// frameEntry is a frame for every other connection of the mesh.
func frameEntry(by *Caller, m wire.Message) (entry, error) {
	b, err := wire.Encode(m)
	if err != nil {
		return entry{}, fmt.Errorf("commons: frame %s: %w", m.FrameType(), err)
	}
	return entry{kind: queue.KindFrame, by: by, body: string(b)}, nil
}

// only limits an entry to some: PEERs, and members by their keys.
func (e entry) only(whom []string) entry {
	e.target = Audience(whom)
	return e
}

// urgent has an event pushed with the highest priority.
func (e entry) urgent() entry {
	e.flags = queue.FlagNow
	return e
}

const (
	// audienceMark begins the target of an entry that is for a list.
	audienceMark = "="

	// audienceDigits is how much of each key such a list holds: 64 bits of a
	// public key are enough to tell apart those of one mesh.
	audienceDigits = 16
)

// Audience is the target of a journal entry for some: PEERs, or members by
// their keys.
func Audience(whom []string) string {
	short := make([]string, len(whom))
	for i, w := range whom {
		short[i] = w[:min(len(w), audienceDigits)]
	}
	slices.Sort(short)
	return audienceMark + strings.Join(slices.Compact(short), " ")
}

// Hears reports whether an entry with such a target is for one of who. A
// target that names no list is for everybody.
func Hears(target string, who ...string) bool {
	list, ok := strings.CutPrefix(target, audienceMark)
	if !ok {
		return true
	}
	for one := range strings.SplitSeq(list, " ") {
		for _, w := range who {
			if one != "" && one == w[:min(len(w), audienceDigits)] {
				return true
			}
		}
	}
	return false
}
