package wire

import (
	"cmp"
	"errors"
	"fmt"
)

// Routes for programs that have an API key instead of a member key. The key
// goes into the Authorization header, after "Bearer". A topic is named by name
// or id.
const (
	RouteAPISend          = "POST /api/v1/messages"
	RouteAPITopics        = "GET /api/v1/topics"
	RouteAPIMessages      = "GET /api/v1/topics/{topic}/messages"
	RouteAPIStream        = "GET /api/v1/topics/{topic}/stream"
	RouteAPIRead          = "PATCH /api/v1/topics/{topic}/read"
	RouteAPIKey           = "GET /api/v1/topics/{topic}/key"
	RouteAPIPendingSeals  = "GET /api/v1/topics/{topic}/pending-seals"
	RouteAPISeal          = "POST /api/v1/topics/{topic}/seal"
	RouteAPIClaimKey      = "POST /api/v1/topics/{topic}/claim-key"
	RouteAPIMembers       = "GET /api/v1/members"
	RouteAPIPeers         = "GET /api/v1/peers"
	RouteAPINotifications = "GET /api/v1/notifications"
	RouteAPINotesRead     = "POST /api/v1/notifications/read"

	RouteAPIOpenAPI = "GET /api/v1/openapi.json" // ours; needs no key

	RouteWebhook = "POST /hook/{mesh}/{secret}"
)

// MaxAPIBody bounds a body under /api/v1: a message of MaxSend and its JSON.
const MaxAPIBody = 128 << 10

// APIError is the body of a refusal under /api/v1.
type APIError struct {
	Error   Code   `json:"error"`
	Message string `json:"message,omitempty"` // ours, for people
	Topic   string `json:"topic,omitempty"`   // as asked, with CodeTopicNotFound
}

// Codes of refusals under /api/v1 beside those of frames.
const (
	CodeAPIKeyMissing     Code = "error.api_key_missing"   // 401
	CodeAPIKeyInvalid     Code = "error.api_key_invalid"   // 401: unknown, revoked or over
	CodeAPICapability     Code = "error.api_key_forbidden" // 403: the key is not for this
	CodeAPITopicScope     Code = "error.api_key_scope"     // 403: the key is not for this topic
	CodeAPIKeyHasNoIssuer Code = "api_key_has_no_issuer"   // 400: who made the key is no member any more
)

// PostMessageRequest is the body of POST /api/v1/messages.
type PostMessageRequest struct {
	Topic       string   `json:"topic"`
	Ciphertext  string   `json:"ciphertext"`
	Nonce       string   `json:"nonce"`
	Priority    Lane     `json:"priority,omitempty"`
	BodyVersion int      `json:"bodyVersion,omitempty"`
	Mentions    []string `json:"mentions,omitempty"`
	ReplyToID   string   `json:"replyToId,omitempty"`
}

// Check says what is wrong with the request, nil if nothing is.
func (r *PostMessageRequest) Check() error {
	switch {
	case r.Ciphertext == "":
		return errors.New("ciphertext is missing")
	case r.Priority != "" && !r.Priority.Valid():
		return errors.New("priority must be now, next or low")
	}
	return cmp.Or(
		checkTopic(r.Topic),
		checkBodyVersion(r.BodyVersion),
		checkNames("mentions", r.Mentions, MaxMentions, MaxDisplayName),
		checkLabel("replyToId", r.ReplyToID, MaxCorrelationID),
		checkLabel("nonce", r.Nonce, MaxSend),
		checkLabel("ciphertext", r.Ciphertext, MaxSend),
		r.checkSize(),
	)
}

func (r *PostMessageRequest) checkSize() error {
	m := Send{TargetSpec: r.Topic, Nonce: r.Nonce, Ciphertext: r.Ciphertext}
	if n := m.Size(); n > MaxSend {
		return fmt.Errorf("message of %d characters exceeds %d", n, MaxSend)
	}
	return nil
}

// PostMessageResponse answers PostMessageRequest.
type PostMessageResponse struct {
	MessageID     string `json:"messageId"`
	HistoryID     string `json:"historyId"` // the same
	QueueID       string `json:"queueId"`   // the same: nothing waits twice
	Topic         string `json:"topic"`
	TopicID       string `json:"topicId"`
	Notifications int    `json:"notifications"` // members that were mentioned
	BodyVersion   int    `json:"bodyVersion"`
	ReplyToID     string `json:"replyToId,omitempty"`
}

// APITopicsResponse answers GET /api/v1/topics.
type APITopicsResponse struct {
	Topics []Topic `json:"topics"`
}

// APIMessagesResponse answers GET /api/v1/topics/{topic}/messages, newest first.
type APIMessagesResponse struct {
	Topic    string       `json:"topic"`
	TopicID  string       `json:"topicId"`
	Messages []APIMessage `json:"messages"`
}

// APIMessage is a topic message, in answers and in streams.
type APIMessage struct {
	ID             string   `json:"id"`
	SenderMemberID string   `json:"senderMemberId"`
	SenderPubkey   string   `json:"senderPubkey"`
	SenderName     string   `json:"senderName"`
	Nonce          string   `json:"nonce"`
	Ciphertext     string   `json:"ciphertext"`
	BodyVersion    int      `json:"bodyVersion"`
	ReplyToID      *string  `json:"replyToId"`
	Mentions       []string `json:"mentions,omitempty"` // ours
	CreatedAt      Time     `json:"createdAt"`
}

// API is the message as /api/v1 tells it.
func (m *TopicMessage) API() APIMessage {
	out := APIMessage{
		ID: m.ID, SenderMemberID: m.SenderMemberID, SenderPubkey: m.SenderPubkey, SenderName: m.SenderName,
		Nonce: m.Nonce, Ciphertext: m.Ciphertext, BodyVersion: m.BodyVersion, Mentions: m.Mentions, CreatedAt: m.CreatedAt,
	}
	if m.ReplyToID != "" {
		out.ReplyToID = &m.ReplyToID
	}
	return out
}

// Names of the server-sent events of GET /api/v1/topics/{topic}/stream.
const (
	StreamReady     = "ready"     // data: APIStreamReady
	StreamMessage   = "message"   // data: APIMessage; the event's id is the message's
	StreamHeartbeat = "heartbeat" // data: APIHeartbeat
	StreamError     = "error"     // data: APIError; the stream ends
)

// HeaderLastEventID names the message after which a stream is to go on. It is
// ours: existing servers start anew.
const HeaderLastEventID = "Last-Event-ID"

// APIStreamReady opens a stream.
type APIStreamReady struct {
	Topic       string `json:"topic"`
	TopicID     string `json:"topicId"`
	ConnectedAt Time   `json:"connectedAt"`
}

// APIHeartbeat shows that a stream is alive.
type APIHeartbeat struct {
	At Time `json:"at"`
}

// APIReadResponse answers PATCH /api/v1/topics/{topic}/read.
type APIReadResponse struct {
	Topic      string `json:"topic"`
	TopicID    string `json:"topicId"`
	LastReadAt Time   `json:"lastReadAt"`
}

// APITopicKeyResponse answers GET /api/v1/topics/{topic}/key.
type APITopicKeyResponse struct {
	Topic   string `json:"topic"`
	TopicID string `json:"topicId"`
	SealedTopicKey
	SenderPubkey string `json:"senderPubkey"`
	CreatedAt    Time   `json:"createdAt"`
}

// APIPendingSealsResponse answers GET /api/v1/topics/{topic}/pending-seals.
type APIPendingSealsResponse struct {
	Topic        string        `json:"topic"`
	TopicID      string        `json:"topicId"`
	SenderPubkey string        `json:"senderPubkey"`
	Pending      []PendingSeal `json:"pending"`
}

// MaxPendingSeals is how many members one answer names.
const MaxPendingSeals = 50

// APISealRequest is the body of POST /api/v1/topics/{topic}/seal.
type APISealRequest struct {
	MemberID string `json:"memberId"`
	SealedTopicKey
}

// Check says what is wrong with the request, nil if nothing is.
func (r *APISealRequest) Check() error {
	if !IsMeshID(r.MemberID) {
		return errors.New("memberId must be 32 letters and digits")
	}
	return r.validate()
}

// APIClaimKeyRequest is the body of POST /api/v1/topics/{topic}/claim-key: the
// caller's own copy of a key that it made for a topic without one.
type APIClaimKeyRequest struct{ SealedTopicKey }

// Check says what is wrong with the request, nil if nothing is.
func (r *APIClaimKeyRequest) Check() error { return r.validate() }

// APISealResponse answers either.
type APISealResponse struct {
	Topic    string `json:"topic"`
	TopicID  string `json:"topicId"`
	MemberID string `json:"memberId"`
	SealedAt Time   `json:"sealedAt"`
}

// APIMembersResponse answers GET /api/v1/members.
type APIMembersResponse struct {
	Members []APIMember `json:"members"`
}

// APIMember is one active member, with what its connections say.
type APIMember struct {
	MemberID    string  `json:"memberId"`
	Pubkey      string  `json:"pubkey"`
	DisplayName string  `json:"displayName"`
	Role        string  `json:"role"`
	IsHuman     bool    `json:"isHuman"`
	JoinedAt    Time    `json:"joinedAt"`
	Online      bool    `json:"online"`
	Status      Status  `json:"status"`
	Summary     *string `json:"summary"`
}

// APIPeersResponse answers GET /api/v1/peers.
type APIPeersResponse struct {
	Peers []PeerInfo `json:"peers"`
}

// APINotificationsResponse answers GET /api/v1/notifications.
type APINotificationsResponse struct {
	Notifications []Notification `json:"notifications"`
	Since         Time           `json:"since"`
	MentionedAs   string         `json:"mentionedAs"`
}

// MaxNotifications is how many of them one answer has.
const MaxNotifications = 50

// APINotesReadRequest is the body of POST /api/v1/notifications/read. Without
// ids it is about all there are.
type APINotesReadRequest struct {
	IDs []string `json:"ids,omitempty"` // notificationId
}

// Check says what is wrong with the request, nil if nothing is.
func (r *APINotesReadRequest) Check() error {
	return checkNames("ids", r.IDs, MaxNotifications, MaxCorrelationID)
}

// APINotesReadResponse answers APINotesReadRequest.
type APINotesReadResponse struct {
	Read int `json:"read"` // were unread until now
}

// WebhookResponse answers a call of a webhook.
type WebhookResponse struct {
	OK        bool   `json:"ok"`
	Delivered *int   `json:"delivered,omitempty"` // connections that it was pushed to
	Error     string `json:"error,omitempty"`
}

// Sentences that a call of a webhook is answered with, under "error", beside
// [HookTooLarge].
const (
	WebhookUnauthorized = "unauthorized"      // 401
	WebhookNotObject    = "invalid JSON body" // 400: JSON, but neither object nor list
	WebhookNotJSON      = "invalid JSON"      // 400
	WebhookFailed       = "internal error"    // 500
)
