package wire

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
)

// Lane is the priority of a message, and which of a recipient's queues it
// waits in. Within one lane, messages of one sender keep their order.
type Lane string

// The lanes, most urgent first.
const (
	LaneNow  Lane = "now"  // reaches a busy recipient too
	LaneNext Lane = "next" // when the recipient is idle; the default
	LaneLow  Lane = "low"  // when the recipient is idle
)

// Valid reports whether l is one of the three.
func (l Lane) Valid() bool { return l == LaneNow || l == LaneNext || l == LaneLow }

// Send hands a message to the mesh.
type Send struct {
	ID                 string   `json:"id,omitempty"`                  // echoed in the ack
	ClientMessageID    string   `json:"client_message_id,omitempty"`   // makes a repeat recognisable
	RequestFingerprint string   `json:"request_fingerprint,omitempty"` // tells a repeat from a reuse
	TargetSpec         string   `json:"targetSpec"`
	Priority           Lane     `json:"priority,omitempty"`
	Nonce              string   `json:"nonce"`      // opaque to the edge
	Ciphertext         string   `json:"ciphertext"` // opaque to the edge
	Mentions           []string `json:"mentions,omitempty"`
	ReplyToID          string   `json:"replyToId,omitempty"`
	BodyVersion        int      `json:"bodyVersion,omitempty"`
}

// FrameType returns TypeSend.
func (Send) FrameType() Type { return TypeSend }

// Lane is the priority asked for, LaneNext when none was.
func (m *Send) Lane() Lane {
	if m.Priority == "" {
		return LaneNext
	}
	return m.Priority
}

// Size is what [MaxSend] bounds, in UTF-16 units, as the reference counts.
func (m *Send) Size() int {
	n := 0
	for _, s := range []string{m.Ciphertext, m.Nonce, m.TargetSpec} {
		for _, r := range s {
			n += utf16.RuneLen(r)
		}
	}
	return n
}

func (m *Send) validate() error {
	if m.TargetSpec == "" {
		return errors.New("targetSpec is missing")
	}
	if m.Priority != "" && !m.Priority.Valid() {
		return errors.New("priority must be now, next or low")
	}
	return cmp.Or(
		ClassifyTarget(m.TargetSpec).check(),
		checkTexts("mentions", m.Mentions, MaxMentions, MaxDisplayName),
		checkBodyVersion(m.BodyVersion),
		checkLabel("id", m.ID, MaxCorrelationID),
		checkLabel("client_message_id", m.ClientMessageID, MaxCorrelationID),
		checkLabel("request_fingerprint", m.RequestFingerprint, MaxFingerprint),
		checkLabel("replyToId", m.ReplyToID, MaxCorrelationID),
	)
}

// Ack answers a send. Queued true means that the message is kept until it is
// delivered; otherwise Error says why it is not.
type Ack struct {
	ID        string `json:"id"`
	MessageID string `json:"messageId"`
	Queued    bool   `json:"queued"`
	Error     string `json:"error,omitempty"`
	ReqID     ReqID  `json:"_reqId,omitempty"` // only in answers to setters
}

// FrameType returns TypeAck.
func (Ack) FrameType() Type { return TypeAck }

// InReplyTo returns the _reqId of what was asked.
func (m Ack) InReplyTo() ReqID { return m.ReqID }

// Texts of Ack.Error. Existing clients match them by pattern: those that match
// (they contain "invalid") are final, the others are tried again.
const (
	AckNoRecipient = "no connected peer for target (not online, or targetSpec is your own key without another session)"
	AckBlocked     = "blocked by recipient grants (sender lacks dm capability)"
	AckInboxFull   = "inbox_full: too much is waiting for this recipient, try again later"
	AckMeshFull    = "mesh_full: too much is waiting in this mesh, try again later"
	AckFingerprint = "invalid: request fingerprint differs from the first use of this client_message_id"
	AckUnavailable = "unavailable: the message was not stored, try again"
)

// AckRateLimited is the Ack.Error of a sender who is too fast.
func AckRateLimited(perMinute, burst int) string {
	return fmt.Sprintf("rate_limit: max %d msg/min (burst %d) — slow down", perMinute, burst)
}

// AckTooLarge is the Ack.Error of a message of that size.
func AckTooLarge(size int) string {
	return fmt.Sprintf("payload too large: %d bytes > MAX_MESSAGE_BYTES=%d", size, MaxSend)
}

// AckInvalid is the Ack.Error of a send that cannot be acted on.
func AckInvalid(reason string) string { return "invalid send: " + reason }

// Push brings a message or, with SubtypeSystem or SubtypeWebhook, an event.
type Push struct {
	Subtype            string          `json:"subtype,omitempty"`
	Event              Event           `json:"event,omitempty"`
	EventData          json.RawMessage `json:"eventData,omitempty"`
	MessageID          string          `json:"messageId"`
	MeshID             string          `json:"meshId"`
	SenderPubkey       string          `json:"senderPubkey"` // the key to open the box with
	SenderMemberPubkey string          `json:"senderMemberPubkey,omitempty"`
	SenderMemberID     string          `json:"senderMemberId,omitempty"`
	SenderName         string          `json:"senderName,omitempty"`
	TargetSpec         string          `json:"targetSpec,omitempty"`
	Priority           Lane            `json:"priority,omitempty"`
	Nonce              string          `json:"nonce"`
	Ciphertext         string          `json:"ciphertext"`
	CreatedAt          Time            `json:"createdAt"`
	ClientMessageID    string          `json:"client_message_id,omitempty"`
	RequestFingerprint string          `json:"request_fingerprint,omitempty"`
	ReplyToID          string          `json:"replyToId,omitempty"`
	Topic              string          `json:"topic,omitempty"` // name of the topic
	BodyVersion        int             `json:"bodyVersion,omitempty"`
	Mentions           []string        `json:"mentions,omitempty"`
	Cursor             string          `json:"cursor,omitempty"` // journal entries only
}

// FrameType returns TypePush.
func (Push) FrameType() Type { return TypePush }

// IsEvent reports whether the push carries an event rather than a message.
func (m *Push) IsEvent() bool { return m.Subtype == SubtypeSystem || m.Subtype == SubtypeWebhook }

// ClientAck says that a message arrived and may be forgotten. Either id will do.
type ClientAck struct {
	ClientMessageID string `json:"clientMessageId,omitempty"`
	BrokerMessageID string `json:"brokerMessageId,omitempty"`
}

// FrameType returns TypeClientAck.
func (ClientAck) FrameType() Type { return TypeClientAck }

func (m *ClientAck) validate() error {
	if m.ClientMessageID == "" && m.BrokerMessageID == "" {
		return errors.New("client_ack names no message")
	}
	return cmp.Or(
		checkLabel("clientMessageId", m.ClientMessageID, MaxCorrelationID),
		checkLabel("brokerMessageId", m.BrokerMessageID, MaxCorrelationID),
	)
}

// MessageStatus asks what became of a message, by its id or the first part of it.
type MessageStatus struct {
	MessageID string `json:"messageId"`
	ReqID     ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeMessageStatus.
func (MessageStatus) FrameType() Type { return TypeMessageStatus }

// RequestID returns the _reqId.
func (m MessageStatus) RequestID() ReqID { return m.ReqID }

func (m *MessageStatus) validate() error {
	if !isBase62(m.MessageID) || len(m.MessageID) < MinMessagePrefix || len(m.MessageID) > MaxMessageIDLength {
		return fmt.Errorf("messageId must be %d to %d letters and digits", MinMessagePrefix, MaxMessageIDLength)
	}
	return nil
}

// MessageStatusResult says what became of a message.
type MessageStatusResult struct {
	MessageID   string      `json:"messageId"` // as asked
	TargetSpec  string      `json:"targetSpec"`
	Delivered   bool        `json:"delivered"`
	DeliveredAt *Time       `json:"deliveredAt"` // null until then
	Recipients  []Recipient `json:"recipients"`
	ReqID       ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeMessageStatusResult.
func (MessageStatusResult) FrameType() Type { return TypeMessageStatusResult }

// InReplyTo returns the _reqId of what was asked.
func (m MessageStatusResult) InReplyTo() ReqID { return m.ReqID }

// Recipient is one peer that a message is or was for.
type Recipient struct {
	Name   string          `json:"name"`
	Pubkey string          `json:"pubkey"`
	Status RecipientStatus `json:"status"`
}

// RecipientStatus is how far a message got with one recipient.
type RecipientStatus string

// What a message's way to a recipient can look like.
const (
	RecipientDelivered    RecipientStatus = "delivered"
	RecipientHeld         RecipientStatus = "held"
	RecipientDisconnected RecipientStatus = "disconnected"
)
