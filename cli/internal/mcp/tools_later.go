package mcp

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Later is a message that is to be sent later. Without To it is for whoever
// asks.
type Later struct {
	To, Text, Cron string
	At             time.Time
	Clear          bool
}

// Scheduled is one that the broker has.
type Scheduled struct {
	ID     string
	At     time.Time
	Sealed bool
}

func (s *Server) addLaterTools() {
	add(s, "schedule_message", "Have a message sent later, to a peer, @group, #topic, everybody (*) or, without to, yourself as a reminder. "+
		"Give one of in_seconds, at or cron. The broker sends it then, whether you are here or not.", s.scheduleMessage)
	add(s, "list_scheduled", "List what your member has scheduled.", s.listScheduled)
	add(s, "cancel_scheduled", "Do not send a scheduled message.", s.cancelScheduled)
}

type laterIn struct {
	To        string  `json:"to,omitempty" jsonschema:"a name, key, @group, #topic or *; leave it out to remind yourself"`
	Message   string  `json:"message" jsonschema:"the text"`
	InSeconds float64 `json:"in_seconds,omitempty" jsonschema:"how long from now"`
	At        string  `json:"at,omitempty" jsonschema:"when, such as 2026-12-24T18:00:00Z"`
	Cron      string  `json:"cron,omitempty" jsonschema:"again and again: minute, hour, day of month, month, day of week, in UTC"`
	writing
}

func (in *laterIn) when(now time.Time) (at time.Time, err error) {
	given := 0
	for _, is := range []bool{in.InSeconds != 0, in.At != "", in.Cron != ""} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return at, ui.Usagef("say when, in one way").Hinted("give one of in_seconds, at and cron")
	case in.InSeconds < 0 || in.InSeconds > (10*366*24*time.Hour).Seconds():
		return at, ui.Usagef("in_seconds is not from now on and within ten years").Hinted("give a number above 0")
	case in.InSeconds > 0:
		return now.Add(time.Duration(in.InSeconds * float64(time.Second))), nil
	case in.At != "":
		if at, err = time.Parse(time.RFC3339, in.At); err != nil || at.Before(now) {
			return at, ui.Usagef("at %q is no time to come", in.At).Hinted("such as 2026-12-24T18:00:00Z; it is now %s", stamp(now))
		}
	}
	return at, nil
}

type laterOut struct {
	ID     string `json:"id" jsonschema:"give it to cancel_scheduled"`
	At     string `json:"at" jsonschema:"when it goes out first, in UTC"`
	Sealed bool   `json:"sealed"`
	mailed
}

func (s *Server) scheduleMessage(ctx context.Context, in laterIn) (laterOut, error) {
	at, err := in.when(time.Now())
	if err != nil {
		return laterOut{}, err
	}
	made, err := s.o.Session.Later(ctx, Later{To: in.To, Text: in.Message, Cron: in.Cron, At: at, Clear: in.Clear})
	return laterOut{ID: made.ID, At: stamp(made.At), Sealed: made.Sealed}, err
}

type scheduledInfo struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Next string `json:"next"`
	Cron string `json:"cron,omitempty"`
	Text string `json:"text,omitempty" jsonschema:"empty where only the recipient can open it"`
}

type scheduledOut struct {
	Messages []scheduledInfo `json:"messages"`
	mailed
}

func (s *Server) listScheduled(ctx context.Context, _ none) (scheduledOut, error) {
	out := scheduledOut{Messages: []scheduledInfo{}}
	m, err := s.o.Session.Shared()
	if err != nil {
		return out, err
	}
	answer, err := share.Ask[*wire.ScheduledList](ctx, m, &wire.ListScheduled{})
	if err != nil {
		return out, err
	}
	for _, l := range answer.Messages[:min(len(answer.Messages), maxListed)] {
		out.Messages = append(out.Messages, scheduledInfo{
			ID: line(l.ID, maxNameLine), To: line(l.To, maxNameLine), Next: stamp(time.UnixMilli(int64(l.DeliverAt))), Cron: line(l.Cron, maxNameLine),
			Text: text(m.ScheduledText(l), maxBrief),
		})
	}
	return out, nil
}

type namedIn struct {
	ID string `json:"id" jsonschema:"the whole id"`
}

func (s *Server) cancelScheduled(ctx context.Context, in namedIn) (okOut, error) {
	m, err := s.o.Session.Shared()
	if err != nil {
		return okOut{}, err
	}
	answer, err := share.Ask[*wire.CancelScheduledAck](ctx, m, &wire.CancelScheduled{ScheduledID: in.ID})
	if err == nil && !answer.OK {
		err = ui.Failf("nothing with that id is to be sent").Hinted("list_scheduled shows what is")
	}
	return okOut{OK: err == nil}, err
}
