package wire

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
)

// Lengths in bytes, under their base64, of a member's copy of a topic key.
const (
	SealedTopicKeySize = 80 // the sealer's X25519 key, then the box of the topic key
	TopicKeyNonceSize  = 24
)

// SealedTopicKey is one member's copy of a topic key. Clients make both; an
// edge sees neither.
type SealedTopicKey struct {
	EncryptedKey string `json:"encryptedKey"`
	Nonce        string `json:"nonce"`
}

func (k *SealedTopicKey) validate() error {
	if k == nil {
		return nil
	}
	return cmp.Or(
		checkBase64("encryptedKey", k.EncryptedKey, SealedTopicKeySize),
		checkBase64("nonce", k.Nonce, TopicKeyNonceSize),
	)
}

func checkBase64(field, text string, size int) error {
	if b, err := base64.StdEncoding.DecodeString(text); err != nil || len(b) != size {
		return fmt.Errorf("%s must be %d bytes in base64", field, size)
	}
	return nil
}

// TopicKey asks for the caller's copy of a topic key. It and the rest of this
// file are ours: existing clients exchange keys over HTTP.
type TopicKey struct {
	Topic string `json:"topic"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicKey.
func (TopicKey) FrameType() Type { return TypeTopicKey }

// RequestID returns the _reqId.
func (m TopicKey) RequestID() ReqID { return m.ReqID }

func (m *TopicKey) validate() error { return checkTopic(m.Topic) }

// TopicKeyResult is the caller's copy. The key to open it with is inside of it.
type TopicKeyResult struct {
	Topic   string `json:"topic"` // as asked
	TopicID string `json:"topicId"`
	SealedTopicKey
	SenderPubkey string `json:"senderPubkey"` // who made the copy
	CreatedAt    Time   `json:"createdAt"`
	ReqID        ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicKeyResult.
func (TopicKeyResult) FrameType() Type { return TypeTopicKeyResult }

// InReplyTo returns the _reqId of what was asked.
func (m TopicKeyResult) InReplyTo() ReqID { return m.ReqID }

// TopicSeal leaves a copy of a topic key for a member, replacing an older one.
type TopicSeal struct {
	Topic    string `json:"topic"`
	MemberID string `json:"memberId"`
	SealedTopicKey
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicSeal.
func (TopicSeal) FrameType() Type { return TypeTopicSeal }

// RequestID returns the _reqId.
func (m TopicSeal) RequestID() ReqID { return m.ReqID }

func (m *TopicSeal) validate() error {
	if !IsMeshID(m.MemberID) {
		return errors.New("memberId must be 32 letters and digits")
	}
	return cmp.Or(checkTopic(m.Topic), m.SealedTopicKey.validate())
}

// TopicSealed confirms a TopicSeal.
type TopicSealed struct {
	Topic    string `json:"topic"`
	TopicID  string `json:"topicId"`
	MemberID string `json:"memberId"`
	SealedAt Time   `json:"sealedAt"`
	ReqID    ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicSealed.
func (TopicSealed) FrameType() Type { return TypeTopicSealed }

// InReplyTo returns the _reqId of what was asked.
func (m TopicSealed) InReplyTo() ReqID { return m.ReqID }

// TopicPendingSeals asks who joined a topic and has no copy of its key.
type TopicPendingSeals struct {
	Topic string `json:"topic"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicPendingSeals.
func (TopicPendingSeals) FrameType() Type { return TypeTopicPendingSeals }

// RequestID returns the _reqId.
func (m TopicPendingSeals) RequestID() ReqID { return m.ReqID }

func (m *TopicPendingSeals) validate() error { return checkTopic(m.Topic) }

// TopicPendingSealsResult says for whom to make a copy.
type TopicPendingSealsResult struct {
	Topic   string        `json:"topic"`
	TopicID string        `json:"topicId"`
	Pending []PendingSeal `json:"pending"`
	ReqID   ReqID         `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicPendingSealsResult.
func (TopicPendingSealsResult) FrameType() Type { return TypeTopicPendingSealsResult }

// InReplyTo returns the _reqId of what was asked.
func (m TopicPendingSealsResult) InReplyTo() ReqID { return m.ReqID }

// PendingSeal is a member that waits for its copy of a topic key.
type PendingSeal struct {
	MemberID    string `json:"memberId"`
	Pubkey      string `json:"pubkey"`
	DisplayName string `json:"displayName"`
}

// Notifications asks where the member was mentioned. It is ours: existing
// clients ask over HTTP.
type Notifications struct {
	Since  *Time `json:"since,omitempty"` // the last day if absent
	Unread bool  `json:"unread,omitempty"`
	ReqID  ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeNotifications.
func (Notifications) FrameType() Type { return TypeNotifications }

// RequestID returns the _reqId.
func (m Notifications) RequestID() ReqID { return m.ReqID }

// NotificationsResult says where the member was mentioned, newest first.
type NotificationsResult struct {
	Notifications []Notification `json:"notifications"`
	Since         Time           `json:"since"`
	MentionedAs   string         `json:"mentionedAs"`
	ReqID         ReqID          `json:"_reqId,omitempty"`
}

// FrameType returns TypeNotificationsResult.
func (NotificationsResult) FrameType() Type { return TypeNotificationsResult }

// InReplyTo returns the _reqId of what was asked.
func (m NotificationsResult) InReplyTo() ReqID { return m.ReqID }

// Notification is a topic message that mentions somebody.
type Notification struct {
	ID             string `json:"id"` // of the message
	NotificationID string `json:"notificationId"`
	TopicID        string `json:"topicId"`
	TopicName      string `json:"topicName"`
	SenderName     string `json:"senderName"`
	SenderPubkey   string `json:"senderPubkey"`
	Ciphertext     string `json:"ciphertext"`
	Kind           string `json:"kind"` // NotificationMention
	ReadAt         *Time  `json:"readAt"`
	CreatedAt      Time   `json:"createdAt"`

	Nonce       string `json:"nonce,omitempty"` // ours, as what follows
	BodyVersion int    `json:"bodyVersion,omitempty"`
}

// NotificationMention is the kind of every notification there is.
const NotificationMention = "mention"
