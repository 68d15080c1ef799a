package command

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// messageEvent is the event that --json shows for a message.
const messageEvent = "message"

// deliveryLine is what --json shows of what arrived, one object a line.
type deliveryLine struct {
	Event     string          `json:"event"`
	MessageID string          `json:"messageId"`
	From      string          `json:"from,omitempty"`
	FromName  string          `json:"fromName,omitempty"`
	Member    string          `json:"fromMember,omitempty"`
	Target    string          `json:"target,omitempty"`
	ReplyTo   string          `json:"replyTo,omitempty"`
	Text      *string         `json:"text,omitempty"`
	Priority  wire.Lane       `json:"priority,omitempty"`
	CreatedAt wire.Time       `json:"createdAt"`
	Verified  *bool           `json:"verified,omitempty"`
	Error     string          `json:"error,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
}

// eventData is what events of presence carry.
type eventData struct {
	Name   string `json:"name"`
	Pubkey string `json:"pubkey"`
}

// show prints what arrived.
func (a *app) show(d peer.Delivery) error {
	if a.out.JSON {
		return a.out.Answer(newLine(d))
	}
	if d.Event != "" {
		return a.showEvent(d)
	}
	return a.showMessage(d)
}

func newLine(d peer.Delivery) deliveryLine {
	l := deliveryLine{
		Event: messageEvent, MessageID: d.MessageID, From: d.From, FromName: d.Name, Member: d.Member,
		Target: d.Target, ReplyTo: d.ReplyTo, Text: &d.Text, Priority: d.Priority, CreatedAt: wire.At(d.CreatedAt), Verified: &d.Verified,
	}
	if d.Err != nil {
		l.Error = unopened(d.Err)
	}
	if d.Webhook != "" {
		l.Event, l.Data = wire.SubtypeWebhook, d.Data
	}
	if d.Event != "" {
		var about eventData
		_ = json.Unmarshal(d.Data, &about) // events of other kinds have other data
		l.Event, l.From, l.FromName, l.Data = string(d.Event), about.Pubkey, about.Name, d.Data
		l.Text, l.Verified, l.Priority = nil, nil, ""
	}
	return l
}

// unopened says why a message could not be opened.
func unopened(err error) string {
	for reason, words := range map[error]string{
		seal.ErrNotForUs:     "it is sealed for another key",
		seal.ErrTampered:     "it was altered, or is not from its sender",
		seal.ErrUnknownEpoch: "it is sealed under a key this version does not know",
		seal.ErrNoKey:        "this mesh's root key is not on this machine",
		seal.ErrMalformed:    "it has no shape that could be opened",
		seal.ErrBadKey:       "its sender has no proper key",
		peer.ErrNoTopicKey:   "nobody has sealed the topic's key for you yet",
		peer.ErrTopicKey:     "it is sealed under another key than this topic's",
	} {
		if errors.Is(err, reason) {
			return words
		}
	}
	return plainWords(err)
}

func (a *app) showMessage(d peer.Delivery) error {
	who := ui.CleanLine(d.Name)
	if who == "" {
		who = a.key(d.From)
	}
	what := d.Text
	switch {
	case d.Err != nil:
		what = "(a message that could not be opened: " + unopened(d.Err) + ")"
	case d.Webhook != "":
		who = "webhook " + ui.CleanLine(d.Webhook)
	case !d.Verified:
		who += " (unverified)"
	}
	to := "you"
	if class := wire.ClassifyTarget(d.Target).Class; class != wire.ClassDirect {
		to = ui.CleanLine(d.Target)
	}
	if !a.out.Terminal() {
		return a.out.Line(stamp(d.CreatedAt), who, to, ui.Clean(what))
	}
	if d.Priority == wire.LaneNow {
		to += "!"
	}
	return a.out.Line(a.out.Dim(d.CreatedAt.Local().Format("15:04:05")), a.out.Bold(who)+" → "+to, indent(ui.Clean(what)))
}

// indent sets the further lines of a text off from the messages around it.
func indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

var eventWords = map[wire.Event]string{
	wire.EventPeerJoined:   "is here",
	wire.EventPeerReturned: "is back",
	wire.EventPeerLeft:     "has left",
	wire.EventPeerVisible:  "shows up",
	wire.EventPeerHidden:   "hides",
}

func (a *app) showEvent(d peer.Delivery) error {
	if d.Event == wire.EventResync {
		a.out.Say("some broadcasts and events of the time away are lost; claudemesh peers shows who is here now")
		return nil
	}
	var about eventData
	_ = json.Unmarshal(d.Data, &about) // events of other kinds have other data
	who, words := ui.CleanLine(about.Name), eventWords[d.Event]
	if about, said := told(d.Event, d.Data); said != "" {
		who, words = ui.CleanLine(about), ui.CleanLine(said)
	}
	if words == "" {
		words = ui.CleanLine(string(d.Event))
	}
	if !a.out.Terminal() {
		last := ui.CleanLine(about.Pubkey)
		if last == "" && eventWords[d.Event] == "" {
			last = words
		}
		return a.out.Line(stamp(d.CreatedAt), who, string(d.Event), last)
	}
	return a.out.Line(a.out.Dim(d.CreatedAt.Local().Format("15:04:05")), a.out.Dim(who+" "+words))
}
