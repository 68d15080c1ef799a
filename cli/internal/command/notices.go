package command

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/mailbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// told words an event of what a mesh shares: whom or what it is about, and what
// happened. Words are empty for events of other kinds.
func told(event wire.Event, data json.RawMessage) (about, words string) {
	switch event {
	case wire.EventWatchTriggered:
		var w wire.WatchEvent
		_ = json.Unmarshal(data, &w) // what is missing is not shown
		about = w.Label
		if about == "" {
			about = w.URL
		}
		return about, "changed: " + w.OldValue + " → " + w.NewValue
	case wire.EventScheduleFailed:
		var f wire.ScheduleFailure
		_ = json.Unmarshal(data, &f)
		return f.To, "was not sent what was scheduled (" + f.ScheduledID + "): " + f.Reason
	case wire.EventMCPRegistered, wire.EventMCPUnregistered, wire.EventMCPRestored:
		var s wire.MCPEvent
		_ = json.Unmarshal(data, &s)
		words := map[wire.Event]string{
			wire.EventMCPRegistered: "offers tools as ", wire.EventMCPUnregistered: "offers no more tools as ",
			wire.EventMCPRestored: "is back with tools as ",
		}
		return s.HostedBy, words[event] + s.ServerName
	case wire.EventTopicDeleted:
		var t wire.TopicEvent
		_ = json.Unmarshal(data, &t)
		return t.By, "ended the topic #" + t.Topic
	case wire.EventTick:
		var t wire.TickEvent
		_ = json.Unmarshal(data, &t)
		return "the clock", "ticks: " + t.SimTime.UTC().Format(time.RFC3339)
	default: // of presence, which has words of its own
	}
	return "", ""
}

// noticeFor is an event that the user of a session has asked to hear of, as the
// mailbox keeps it for an agent.
func noticeFor(d peer.Delivery) (mailbox.Message, bool) {
	kinds := map[wire.Event]string{wire.EventWatchTriggered: mailbox.Watch, wire.EventScheduleFailed: mailbox.Schedule}
	kind, wanted := kinds[d.Event]
	if !wanted {
		return mailbox.Message{}, false
	}
	about, words := told(d.Event, d.Data)
	return mailbox.Message{
		Key: d.Key(), MessageID: d.MessageID, Kind: kind, Name: ui.CleanLine(about), Text: about + " " + words,
		Priority: d.Priority, CreatedAt: d.CreatedAt,
	}, true
}

// maxStreamMail is how many messages may be unread before what comes over
// streams is left out: nothing of it is kept anywhere, and it must not hold up
// what people write.
const maxStreamMail = 100

// hearStream keeps what came over a stream for an agent.
func (h *host) hearStream(ctx context.Context, mesh *share.Mesh, d *wire.StreamData) error {
	if h.box.Unread() >= maxStreamMail {
		return nil
	}
	data, origin := mesh.OpenStream(d)
	id := "s" + rand.Text()
	m := mailbox.Message{
		Key: id, MessageID: id, Kind: mailbox.Stream, Name: d.PublishedBy, Target: d.Stream, From: origin.Author, Member: origin.Author,
		Text: string(data), CreatedAt: time.Now().UTC(), Verified: origin.Sealed && origin.Problem == "", Error: origin.Problem,
	}
	_, err := h.box.Add(ctx, m)
	return err
}
