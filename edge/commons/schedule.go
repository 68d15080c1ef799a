package commons

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

// scheduleShelf holds what is to be sent later: id → scheduleRecord.
var scheduleShelf = shelf{name: "schedule", fields: 2000, bytes: 8 << 20}

const (
	// maxSchedules bounds what one member has scheduled.
	maxSchedules = 200

	// maxAhead is how far in the future a message may be scheduled.
	maxAhead = 10 * 366 * 24 * time.Hour
)

// scheduleRecord is a message to be sent, once or again and again.
type scheduleRecord struct {
	To      string           `json:"to"`
	Message string           `json:"message,omitempty"`
	Sealed  *wire.SealedBody `json:"sealed,omitempty"`
	Next    int64            `json:"next"` // milliseconds, as what follows
	At      int64            `json:"at"`
	Cron    string           `json:"cron,omitempty"`
	Subtype string           `json:"subtype,omitempty"`
	Fired   int              `json:"fired"`

	// Who scheduled it, under whose name it is sent.
	Member   string `json:"member"`
	MemberID string `json:"memberId"`
	Key      string `json:"key"`
	Name     string `json:"name"`
}

func (s *Commons) registerSchedule() {
	on(s.table, s.schedule)
	on(s.table, s.listScheduled)
	on(s.table, s.cancelScheduled)
	s.jobs[scheduleShelf.name] = job{do: s.fire, inOrder: true}
}

// cronParser reads five fields. A day must match both of its fields, which is
// what existing brokers do and the older cron did not.
var cronParser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// parseCron reads an expression of five fields, in UTC.
func parseCron(text string) (cron.Schedule, error) {
	if strings.ContainsAny(text, "=@") {
		return nil, errors.New("time zones and @words are not understood")
	}
	sched, err := cronParser.Parse(text)
	if err != nil {
		return nil, err
	}
	return sched, nil
}

// nextOf is when an expression is due after a time, 0 for never.
func nextOf(text string, after int64) (int64, error) {
	sched, err := parseCron(text)
	if err != nil {
		return 0, refuse(wire.CodeInvalidCron, "%q is no cron expression of five fields: %v", text, err)
	}
	next := sched.Next(time.UnixMilli(after).UTC())
	if next.IsZero() {
		return 0, refuse(wire.CodeInvalidCron, "%q never comes", text)
	}
	return next.UnixMilli(), nil
}

func (s *Commons) schedule(ctx context.Context, who *Caller, m *wire.Schedule) (wire.Message, error) {
	asked, err := s.time(ctx)
	if err != nil {
		return nil, err
	}
	now := asked.UnixMilli()
	r := scheduleRecord{
		To: m.To, Message: m.Message, Sealed: m.Sealed, At: now, Cron: m.Cron, Subtype: m.Subtype,
		Member: who.Member.Key, MemberID: who.Member.ID, Key: who.Key, Name: who.Name,
	}
	if r.Next, err = firstTime(m, now); err != nil {
		return nil, err
	}
	if err := s.checkSchedules(ctx, who); err != nil {
		return nil, err
	}
	record, err := encodeRecord(r)
	if err != nil {
		return nil, err
	}
	id := timedID(asked)
	_, _, err = s.apply(ctx, act{
		mesh: who.Peer.Mesh, by: who, changes: []change{set(scheduleShelf, id, record).dueAt(r.Next)},
	})
	return &wire.ScheduledAck{ScheduledID: id, DeliverAt: wire.Millis(r.Next), Cron: r.Cron, ReqID: m.ReqID}, err
}

// firstTime is when a message goes out first. A time that is past means now.
func firstTime(m *wire.Schedule, now int64) (int64, error) {
	if m.Cron != "" {
		return nextOf(m.Cron, now)
	}
	at := int64(*m.DeliverAt)
	if at > now+maxAhead.Milliseconds() {
		return 0, refuse(wire.CodeInvalidArgument, "deliverAt is more than ten years ahead; it is in milliseconds")
	}
	return max(at, now), nil
}

func (s *Commons) checkSchedules(ctx context.Context, who *Caller) error {
	records, err := s.schedules(ctx, who.Peer.Mesh)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range records {
		if r.Member == who.Member.Key {
			n++
		}
	}
	if n >= maxSchedules {
		return refuse(wire.CodeFull, "a member may have %d messages scheduled: cancel one first", maxSchedules)
	}
	return nil
}

// timedID is an id that sorts by the time at which it was made: what is due at
// the same time is done in the order in which it was asked for.
func timedID(t time.Time) string {
	return fmt.Sprintf("%011s", strconv.FormatInt(t.UnixMicro(), 36)) + newID()
}

func (s *Commons) schedules(ctx context.Context, mesh string) (map[string]scheduleRecord, error) {
	all, err := s.all(ctx, mesh, scheduleShelf)
	if err != nil {
		return nil, err
	}
	return decodeAll[scheduleRecord](all)
}

func (s *Commons) listScheduled(ctx context.Context, who *Caller, m *wire.ListScheduled) (wire.Message, error) {
	records, err := s.schedules(ctx, who.Peer.Mesh)
	if err != nil {
		return nil, err
	}
	reply := &wire.ScheduledList{Messages: []wire.Scheduled{}, ReqID: m.ReqID}
	for _, id := range oldestFirst(records, func(r scheduleRecord) int64 { return r.At }) {
		r := records[id]
		if r.Member != who.Member.Key {
			continue
		}
		reply.Messages = append(reply.Messages, wire.Scheduled{
			ID: id, To: r.To, Message: r.Message, DeliverAt: wire.Millis(r.Next), CreatedAt: wire.Millis(r.At),
			Cron: r.Cron, FiredCount: r.Fired, Sealed: r.Sealed,
		})
	}
	return reply, nil
}

func (s *Commons) cancelScheduled(ctx context.Context, who *Caller, m *wire.CancelScheduled) (wire.Message, error) {
	reply := &wire.CancelScheduledAck{ScheduledID: m.ScheduledID, ReqID: m.ReqID}
	err := retry(ctx, func() error {
		old, err := s.get(ctx, who.Peer.Mesh, scheduleShelf, m.ScheduledID)
		if err != nil || old == "" {
			return err
		}
		r, err := decodeRecord[scheduleRecord](old)
		if err != nil || r.Member != who.Member.Key {
			return err // another member's is not there, for this one
		}
		_, _, err = s.apply(ctx, act{
			mesh: who.Peer.Mesh, by: who, changes: []change{remove(scheduleShelf, m.ScheduledID).was(old).done()},
		})
		reply.OK = err == nil
		return err
	})
	return reply, err
}

// fire sends one message and notes that. Both can happen twice: the message has
// a client id of its own, under which the queue keeps it once, and the note is
// conditional.
func (s *Commons) fire(ctx context.Context, mesh, id string) error {
	old, err := s.get(ctx, mesh, scheduleShelf, id)
	if err != nil {
		return err
	}
	if old == "" {
		none := change{shelf: scheduleShelf, field: id}
		return unlessDone(s.apply(ctx, act{mesh: mesh, tidy: true, changes: []change{none.was("").done()}}))
	}
	r, err := decodeRecord[scheduleRecord](old)
	if err != nil {
		return err
	}
	now, err := s.now(ctx)
	if err != nil || now < r.Next {
		return err // somebody was quicker
	}
	a := act{mesh: mesh, tidy: true}
	if err := s.sendScheduled(ctx, mesh, id, &r); err != nil {
		if errors.Is(err, queue.ErrNotMember) {
			return s.endSchedules(ctx, mesh, r.Member)
		}
		failure := undeliverable(err)
		if failure == "" {
			return err
		}
		told, err := failedEntry(id, &r, failure)
		if err != nil {
			return err
		}
		a.entries = []entry{told}
	}
	next, err := r.after(id, old, now)
	if err != nil {
		return err
	}
	a.changes = []change{next}
	return unlessDone(s.apply(ctx, a))
}

// after is what becomes of a message that was due: it goes, or waits for its
// next time. Times that passed while no edge ran are not made up for.
func (r *scheduleRecord) after(id, old string, now int64) (change, error) {
	gone := remove(scheduleShelf, id).was(old).done()
	if r.Cron == "" {
		return gone, nil
	}
	next, err := nextOf(r.Cron, now)
	if err != nil {
		return gone, nil //nolint:nilerr // it never comes again
	}
	r.Fired++
	r.Next = next
	record, err := encodeRecord(r)
	if err != nil {
		return change{}, err
	}
	return set(scheduleShelf, id, record).was(old).dueAt(next), nil
}

// undeliverable words why a message can never be sent, "" if it may be later.
func undeliverable(err error) string {
	for known, words := range map[error]string{
		queue.ErrNoRecipient: "the recipient is not there any more",
		queue.ErrBlocked:     "the recipient does not take messages from you",
		queue.ErrInboxFull:   "too much waits for the recipient",
		queue.ErrMeshFull:    "too much waits in the mesh",
		queue.ErrInvalid:     "the recipient's name is none",
		queue.ErrFingerprint: "another message was sent under its id",
	} {
		if errors.Is(err, known) {
			return words
		}
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		return refused.Message
	}
	return ""
}

// failedEntry tells the member that its message was not sent.
func failedEntry(id string, r *scheduleRecord, reason string) (entry, error) {
	e, err := eventEntry(nil, wire.EventScheduleFailed, wire.ScheduleFailure{ScheduledID: id, To: r.To, Reason: reason})
	return e.only([]string{r.Member}), err
}

// sendScheduled sends a message as the member that scheduled it.
func (s *Commons) sendScheduled(ctx context.Context, mesh, id string, r *scheduleRecord) error {
	target := wire.ClassifyTarget(r.To)
	clientID := "schedule-" + id + "-" + strconv.Itoa(r.Fired)
	body := wire.PushBody{
		MeshID: mesh, SenderPubkey: r.Key, SenderMemberID: r.MemberID, SenderName: r.Name, TargetSpec: r.To,
		Priority: wire.LaneNow, Ciphertext: base64.StdEncoding.EncodeToString([]byte(r.Message)), ClientMessageID: clientID,
		Subtype: r.Subtype,
	}
	if r.Sealed != nil {
		body.Nonce, body.Ciphertext, body.BodyVersion = r.Sealed.Nonce, r.Sealed.Ciphertext, r.Sealed.BodyVersion
	}
	// The sender is no peer: a reminder reaches the one that asked for it.
	sender := queue.Sender{Peer: "schedule", Member: r.Member, Key: r.Key}
	var err error
	switch target.Class {
	case wire.ClassDirect:
		_, err = s.queue.Send(ctx, queue.Direct{
			Mesh: mesh, Sender: sender, Target: target.Name, Lane: queue.LaneNow, ClientID: clientID, Body: body.Encode(),
		})
	case wire.ClassTopic:
		return s.postScheduled(ctx, mesh, sender, target.Name, clientID, body)
	case wire.ClassBroadcast, wire.ClassGroup, wire.ClassNobody:
		audience := target.Audience()
		if audience == "" {
			audience = "@"
		}
		_, err = s.queue.Post(ctx, queue.Post{
			Mesh: mesh, Sender: sender, Target: audience, ClientID: clientID, Body: body.Encode(),
		})
	}
	return err
}

// endSchedules drops all that somebody has scheduled who is no member any more.
func (s *Commons) endSchedules(ctx context.Context, mesh, member string) error {
	records, err := s.schedules(ctx, mesh)
	if err != nil {
		return err
	}
	var changes []change
	for id, r := range records {
		if r.Member == member {
			changes = append(changes, remove(scheduleShelf, id).done())
		}
	}
	_, _, err = s.apply(ctx, act{mesh: mesh, tidy: true, changes: changes})
	return err
}
