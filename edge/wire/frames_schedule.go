package wire

import (
	"cmp"
	"errors"
)

// Schedule has a message sent later, once or again and again, as if the peer
// had sent it then. Cron wins over DeliverAt.
type Schedule struct {
	To        string  `json:"to"` // as a send's targetSpec
	Message   string  `json:"message"`
	DeliverAt *Millis `json:"deliverAt,omitempty"`
	Cron      string  `json:"cron,omitempty"`
	Subtype   string  `json:"subtype,omitempty"` // or SubtypeReminder
	Recurring bool    `json:"recurring,omitempty"`

	Sealed *SealedBody `json:"sealed,omitempty"` // ours: sent instead of Message
	ReqID  ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeSchedule.
func (Schedule) FrameType() Type { return TypeSchedule }

// RequestID returns the _reqId.
func (m Schedule) RequestID() ReqID { return m.ReqID }

// SealedBody is a message that only its readers can open.
type SealedBody struct {
	Nonce       string `json:"nonce"`
	Ciphertext  string `json:"ciphertext"`
	BodyVersion int    `json:"bodyVersion,omitempty"`
}

func (b *SealedBody) validate() error {
	switch {
	case b == nil:
		return nil
	case b.Ciphertext == "":
		return errors.New("sealed.ciphertext is missing")
	}
	return cmp.Or(
		checkLabel("sealed.nonce", b.Nonce, MaxNonce),
		checkLabel("sealed.ciphertext", b.Ciphertext, MaxSend),
		checkBodyVersion(b.BodyVersion),
	)
}

func (m *Schedule) validate() error {
	switch {
	case m.To == "":
		return errors.New("to is missing")
	case m.Message == "" && m.Sealed == nil:
		return errors.New("message is missing")
	case m.Cron == "" && m.DeliverAt == nil:
		return errors.New("deliverAt or cron is missing")
	case m.Cron == "" && !m.DeliverAt.IsNumber():
		return errors.New("deliverAt must be a number of milliseconds")
	}
	return cmp.Or(
		ClassifyTarget(m.To).check(),
		checkText("message", m.Message, MaxScheduled),
		checkText("cron", m.Cron, MaxCron), // what it means is the handler's to say: invalid_cron
		checkLabel("subtype", m.Subtype, MaxLabel),
		m.Sealed.validate(),
	)
}

// ScheduledAck names the scheduled message, and when it goes out first.
type ScheduledAck struct {
	ScheduledID string `json:"scheduledId"`
	DeliverAt   Millis `json:"deliverAt"`
	Cron        string `json:"cron,omitempty"`
	ReqID       ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeScheduledAck.
func (ScheduledAck) FrameType() Type { return TypeScheduledAck }

// InReplyTo returns the _reqId of what was asked.
func (m ScheduledAck) InReplyTo() ReqID { return m.ReqID }

// ListScheduled asks for what the caller's member has scheduled.
type ListScheduled struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListScheduled.
func (ListScheduled) FrameType() Type { return TypeListScheduled }

// RequestID returns the _reqId.
func (m ListScheduled) RequestID() ReqID { return m.ReqID }

// ScheduledList has what the caller's member has scheduled.
type ScheduledList struct {
	Messages []Scheduled `json:"messages"`
	ReqID    ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeScheduledList.
func (ScheduledList) FrameType() Type { return TypeScheduledList }

// InReplyTo returns the _reqId of what was asked.
func (m ScheduledList) InReplyTo() ReqID { return m.ReqID }

// Scheduled is a message that is yet to be sent.
type Scheduled struct {
	ID         string      `json:"id"`
	To         string      `json:"to"`
	Message    string      `json:"message"`
	DeliverAt  Millis      `json:"deliverAt"` // the next time
	CreatedAt  Millis      `json:"createdAt"`
	Cron       string      `json:"cron,omitempty"`
	FiredCount int         `json:"firedCount,omitempty"`
	Sealed     *SealedBody `json:"sealed,omitempty"` // ours
}

// CancelScheduled drops a scheduled message of the caller's member.
type CancelScheduled struct {
	ScheduledID string `json:"scheduledId"`
	ReqID       ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeCancelScheduled.
func (CancelScheduled) FrameType() Type { return TypeCancelScheduled }

// RequestID returns the _reqId.
func (m CancelScheduled) RequestID() ReqID { return m.ReqID }

func (m *CancelScheduled) validate() error { return checkID("scheduledId", m.ScheduledID) }

// CancelScheduledAck says whether there was such a message.
type CancelScheduledAck struct {
	ScheduledID string `json:"scheduledId"`
	OK          bool   `json:"ok"`
	ReqID       ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeCancelScheduledAck.
func (CancelScheduledAck) FrameType() Type { return TypeCancelScheduledAck }

// InReplyTo returns the _reqId of what was asked.
func (m CancelScheduledAck) InReplyTo() ReqID { return m.ReqID }
