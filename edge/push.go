package edge

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// isoTime is how the wire writes a moment.
const isoTime = "2006-01-02T15:04:05.000Z"

// stamp is what Redis decided about a push. Its texts need no escaping: they
// are ids, hex keys and cursors.
type stamp struct {
	id     string
	at     int64  // milliseconds
	member string // the sender's member key, "" to leave it out
	cursor string // "" for direct messages
}

// splice completes a stored body to a push.
func (s stamp) splice(body string) frame {
	b := make([]byte, 0, len(body)+256)
	b = append(b, `{"type":"push","messageId":"`...)
	b = append(b, s.id...)
	b = append(b, `","createdAt":"`...)
	b = time.UnixMilli(s.at).UTC().AppendFormat(b, isoTime)
	if s.member != "" {
		b = append(b, `","senderMemberPubkey":"`...)
		b = append(b, s.member...)
	}
	if s.cursor != "" {
		b = append(b, `","cursor":"`...)
		b = append(b, s.cursor...)
	}
	b = append(b, `",`...)
	return textFrame(append(b, body[1:]...)) // body opens with a brace
}

// directPush is a direct message as its reader sees it. Existing daemons drop
// what comes from their own member on a connection without a session key, so
// the sender's member is not named there.
func directPush(c *conn, e *queue.Entry) frame {
	s := stamp{id: e.ID, at: e.At, member: e.Member}
	if c.kind == presence.KindMember && e.Member == c.member.Key {
		s.member = ""
	}
	return s.splice(e.Body)
}

// pushOf is a journal entry on its way to many peers: it is encoded once.
type pushOf struct {
	epoch, mesh string
	entry       *queue.JournalEntry
	encoded     frame
}

func (p *pushOf) kind() pushKind {
	switch p.entry.Kind {
	case queue.KindMessage, queue.KindTopic:
		return pushFanout
	case queue.KindFrame:
		return pushCommons
	default:
		return pushPresence
	}
}

func (p *pushOf) frame() frame {
	if p.encoded != nil {
		return p.encoded
	}
	e := p.entry
	cursor := wire.Cursor{Epoch: p.epoch, Seq: e.Seq, ID: e.ID}.String()
	switch e.Kind {
	case queue.KindMessage, queue.KindTopic:
		p.encoded = stamp{id: e.ID, at: e.At, member: e.Member, cursor: cursor}.splice(e.Body)
	case queue.KindFrame:
		p.encoded = stamp{id: e.ID, cursor: cursor}.extend(e.Body)
	default:
		p.encoded = eventOf(e.Flags, &wire.Push{
			Event: wire.Event(e.Event), EventData: json.RawMessage(e.Body), MessageID: e.ID, MeshID: p.mesh,
			CreatedAt: wire.At(time.UnixMilli(e.At)), Cursor: cursor, Priority: urgency(e),
		})
	}
	return p.encoded
}

// extend completes a stored frame of another kind with its id and its place.
func (s stamp) extend(body string) frame {
	b := make([]byte, 0, len(body)+128)
	b = append(b, body[:len(body)-1]...) // body closes with a brace
	b = append(b, `,"messageId":"`...)
	b = append(b, s.id...)
	b = append(b, `","cursor":"`...)
	b = append(b, s.cursor...)
	return textFrame(append(b, `"}`...))
}

// eventOf completes the push of an event in the journal.
func eventOf(flags string, m *wire.Push) frame {
	if !strings.Contains(flags, queue.FlagWebhook) {
		return eventFrame(m)
	}
	m.Subtype, m.SenderPubkey, m.Priority = wire.SubtypeWebhook, wire.WebhookSender(string(m.Event)), wire.LaneNext
	return encodeEvent(m)
}

// eventFrame completes a system push.
func eventFrame(m *wire.Push) frame {
	m.Subtype, m.SenderPubkey = wire.SubtypeSystem, wire.SystemSender
	if m.Priority == "" {
		m.Priority = wire.LaneLow
	}
	return encodeEvent(m)
}

func encodeEvent(m *wire.Push) frame {
	b, err := wire.Encode(m)
	if err != nil {
		b = []byte(`{"type":"push","subtype":"system"}`) // event data that is no JSON; nobody writes such
	}
	return textFrame(b)
}

// urgency is the priority of an event, "" for the usual one.
func urgency(e *queue.JournalEntry) wire.Lane {
	if strings.Contains(e.Flags, queue.FlagNow) {
		return wire.LaneNow
	}
	return ""
}

// resyncPush tells a peer that the journal no longer reaches back to what it
// has seen.
func resyncPush(mesh, cursor string) frame {
	return eventFrame(&wire.Push{
		Event: wire.EventResync, EventData: json.RawMessage("{}"), MessageID: newEventID(), MeshID: mesh,
		CreatedAt: wire.At(time.Now()), Cursor: cursor,
	})
}

// newEventID is a random id in the shape of a UUID, for events that are in no
// journal.
func newEventID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
