package wire

import (
	"cmp"
	"errors"
)

// TopicVisibility says for whom a topic is meant.
type TopicVisibility string

// The visibilities.
const (
	TopicPublic  TopicVisibility = "public" // the default
	TopicPrivate TopicVisibility = "private"
	TopicDM      TopicVisibility = "dm"
)

// Valid reports whether v is one of the three.
func (v TopicVisibility) Valid() bool { return v == TopicPublic || v == TopicPrivate || v == TopicDM }

// TopicRole is a member's part in a topic.
type TopicRole string

// The parts.
const (
	TopicLead     TopicRole = "lead"   // who made it
	TopicMember   TopicRole = "member" // the default
	TopicObserver TopicRole = "observer"
)

// Valid reports whether r is one of the three.
func (r TopicRole) Valid() bool { return r == TopicLead || r == TopicMember || r == TopicObserver }

// Versions of a topic message's body.
const (
	BodyPlain  = 1 // base64 of the text
	BodySealed = 2 // under the topic key
)

func checkBodyVersion(v int) error {
	if v < 0 || v > BodySealed {
		return errors.New("bodyVersion must be 1 or 2")
	}
	return nil
}

// TopicCreate makes a topic, or finds the one of that name, and joins it.
type TopicCreate struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Visibility  TopicVisibility `json:"visibility,omitempty"`
	Key         *SealedTopicKey `json:"key,omitempty"` // ours: the creator's copy of the key that the creator made
	ReqID       ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicCreate.
func (TopicCreate) FrameType() Type { return TypeTopicCreate }

// RequestID returns the _reqId.
func (m TopicCreate) RequestID() ReqID { return m.ReqID }

func (m *TopicCreate) validate() error {
	if m.Visibility != "" && !m.Visibility.Valid() {
		return errors.New("visibility must be public, private or dm")
	}
	return cmp.Or(
		checkName("name", m.Name, MaxName),
		checkText("description", m.Description, MaxDescription),
		m.Key.validate(),
	)
}

// TopicCreated names the topic, and says whether it is new.
type TopicCreated struct {
	Topic   TopicRef `json:"topic"`
	Created bool     `json:"created"`
	ReqID   ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicCreated.
func (TopicCreated) FrameType() Type { return TypeTopicCreated }

// InReplyTo returns the _reqId of what was asked.
func (m TopicCreated) InReplyTo() ReqID { return m.ReqID }

// TopicRef names a topic.
type TopicRef struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Visibility TopicVisibility `json:"visibility"`
}

// TopicList asks for the topics of the mesh.
type TopicList struct {
	All   bool  `json:"all,omitempty"` // ours: those of others too that are not public; for admins
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicList.
func (TopicList) FrameType() Type { return TypeTopicList }

// RequestID returns the _reqId.
func (m TopicList) RequestID() ReqID { return m.ReqID }

// TopicListResponse has the topics, oldest first.
type TopicListResponse struct {
	Topics []Topic `json:"topics"`
	ReqID  ReqID   `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicListResponse.
func (TopicListResponse) FrameType() Type { return TypeTopicListResponse }

// InReplyTo returns the _reqId of what was asked.
func (m TopicListResponse) InReplyTo() ReqID { return m.ReqID }

// Topic is a conversation that the mesh keeps.
type Topic struct {
	ID          string          `json:"id"` // empty where it would be an invitation, see TopicList
	Name        string          `json:"name"`
	Description *string         `json:"description"`
	Visibility  TopicVisibility `json:"visibility"`
	MemberCount int             `json:"memberCount"`
	CreatedAt   Time            `json:"createdAt"`
	Sealed      bool            `json:"sealed,omitempty"` // ours: it has a key
}

// TopicJoin makes the caller's member one of the topic, or changes its part.
type TopicJoin struct {
	Topic string    `json:"topic"` // id or name
	Role  TopicRole `json:"role,omitempty"`
	ReqID ReqID     `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicJoin.
func (TopicJoin) FrameType() Type { return TypeTopicJoin }

// RequestID returns the _reqId.
func (m TopicJoin) RequestID() ReqID { return m.ReqID }

func (m *TopicJoin) validate() error {
	if m.Role != "" && !m.Role.Valid() {
		return errors.New("role must be lead, member or observer")
	}
	return checkTopic(m.Topic)
}

// TopicLeave ends the member's part in a topic.
type TopicLeave struct {
	Topic string `json:"topic"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicLeave.
func (TopicLeave) FrameType() Type { return TypeTopicLeave }

// RequestID returns the _reqId.
func (m TopicLeave) RequestID() ReqID { return m.ReqID }

func (m *TopicLeave) validate() error { return checkTopic(m.Topic) }

// TopicDelete ends a topic, with all that was said in it. It is ours.
type TopicDelete struct {
	Topic string `json:"topic"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicDelete.
func (TopicDelete) FrameType() Type { return TypeTopicDelete }

// RequestID returns the _reqId.
func (m TopicDelete) RequestID() ReqID { return m.ReqID }

func (m *TopicDelete) validate() error { return checkTopic(m.Topic) }

// TopicMembers asks who joined.
type TopicMembers struct {
	Topic string `json:"topic"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicMembers.
func (TopicMembers) FrameType() Type { return TypeTopicMembers }

// RequestID returns the _reqId.
func (m TopicMembers) RequestID() ReqID { return m.ReqID }

func (m *TopicMembers) validate() error { return checkTopic(m.Topic) }

// TopicMembersResponse says who joined, in that order.
type TopicMembersResponse struct {
	Topic   string      `json:"topic"` // as asked
	Members []TopicPart `json:"members"`
	ReqID   ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicMembersResponse.
func (TopicMembersResponse) FrameType() Type { return TypeTopicMembersResponse }

// InReplyTo returns the _reqId of what was asked.
func (m TopicMembersResponse) InReplyTo() ReqID { return m.ReqID }

// TopicPart is a member's part in a topic.
type TopicPart struct {
	MemberID    string    `json:"memberId"`
	Pubkey      string    `json:"pubkey"`
	DisplayName string    `json:"displayName"`
	Role        TopicRole `json:"role"`
	JoinedAt    Time      `json:"joinedAt"`
	LastReadAt  *Time     `json:"lastReadAt"` // null until then
}

// TopicHistory asks for what was said.
type TopicHistory struct {
	Topic    string `json:"topic"`
	Limit    int    `json:"limit,omitempty"`
	BeforeID string `json:"beforeId,omitempty"`
	ReqID    ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicHistory.
func (TopicHistory) FrameType() Type { return TypeTopicHistory }

// RequestID returns the _reqId.
func (m TopicHistory) RequestID() ReqID { return m.ReqID }

func (m *TopicHistory) validate() error {
	return cmp.Or(checkTopic(m.Topic), checkLabel("beforeId", m.BeforeID, MaxCorrelationID))
}

// Page is how many messages to answer with.
func (m *TopicHistory) Page() int { return page(m.Limit, TopicPage, MaxTopicPage) }

// TopicHistoryResponse has what was said, newest first.
type TopicHistoryResponse struct {
	Topic    string         `json:"topic"` // as asked
	Messages []TopicMessage `json:"messages"`
	ReqID    ReqID          `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicHistoryResponse.
func (TopicHistoryResponse) FrameType() Type { return TypeTopicHistoryResponse }

// InReplyTo returns the _reqId of what was asked.
func (m TopicHistoryResponse) InReplyTo() ReqID { return m.ReqID }

// TopicMessage is something that was said in a topic.
type TopicMessage struct {
	ID             string   `json:"id"`
	SenderPubkey   string   `json:"senderPubkey"`
	SenderMemberID string   `json:"senderMemberId"`
	SenderName     string   `json:"senderName"`
	Nonce          string   `json:"nonce"`
	Ciphertext     string   `json:"ciphertext"`
	BodyVersion    int      `json:"bodyVersion"`
	ReplyToID      string   `json:"replyToId,omitempty"`
	Mentions       []string `json:"mentions,omitempty"` // ours
	CreatedAt      Time     `json:"createdAt"`
}

// TopicMarkRead says that the member has read all there is.
type TopicMarkRead struct {
	Topic string `json:"topic"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeTopicMarkRead.
func (TopicMarkRead) FrameType() Type { return TypeTopicMarkRead }

// RequestID returns the _reqId.
func (m TopicMarkRead) RequestID() ReqID { return m.ReqID }

func (m *TopicMarkRead) validate() error { return checkTopic(m.Topic) }

func checkTopic(topic string) error { return checkName("topic", topic, MaxName) }
