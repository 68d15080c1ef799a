package wire

import (
	"cmp"
	"errors"
	"fmt"
)

// KeyCapability is something that an API key lets its holder do.
type KeyCapability string

// What an API key can be for.
const (
	KeySend       KeyCapability = "send"
	KeyRead       KeyCapability = "read"
	KeyStateWrite KeyCapability = "state_write"
	KeyAdmin      KeyCapability = "admin"
)

// Valid reports whether c is one of the four.
func (c KeyCapability) Valid() bool {
	return c == KeySend || c == KeyRead || c == KeyStateWrite || c == KeyAdmin
}

// APIKeyCreate makes a key for programs that speak HTTP only.
type APIKeyCreate struct {
	Label        string          `json:"label"`
	Capabilities []KeyCapability `json:"capabilities"`
	TopicScopes  []string        `json:"topicScopes,omitempty"` // names; none means all
	ExpiresAt    *Expiry         `json:"expiresAt,omitempty"`
	ReqID        ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeAPIKeyCreate.
func (APIKeyCreate) FrameType() Type { return TypeAPIKeyCreate }

// RequestID returns the _reqId.
func (m APIKeyCreate) RequestID() ReqID { return m.ReqID }

func (m *APIKeyCreate) validate() error {
	if len(m.Capabilities) == 0 {
		return errors.New("capabilities are missing")
	}
	for _, c := range m.Capabilities {
		if !c.Valid() {
			return fmt.Errorf("no such capability: %.40q", c)
		}
	}
	if len(m.Capabilities) > MaxTags {
		return fmt.Errorf("more than %d capabilities", MaxTags)
	}
	return cmp.Or(checkName("label", m.Label, MaxName), checkNames("topicScopes", m.TopicScopes, MaxTopicScopes, MaxName))
}

// APIKeyCreated has the key itself, which is never shown again.
type APIKeyCreated struct {
	ID           string          `json:"id"`
	Secret       string          `json:"secret"`
	Label        string          `json:"label"`
	Prefix       string          `json:"prefix"`
	Capabilities []KeyCapability `json:"capabilities"`
	TopicScopes  []string        `json:"topicScopes"` // null means all
	CreatedAt    Time            `json:"createdAt"`
	ReqID        ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeAPIKeyCreated.
func (APIKeyCreated) FrameType() Type { return TypeAPIKeyCreated }

// InReplyTo returns the _reqId of what was asked.
func (m APIKeyCreated) InReplyTo() ReqID { return m.ReqID }

// APIKeyList asks for the keys that were made.
type APIKeyList struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeAPIKeyList.
func (APIKeyList) FrameType() Type { return TypeAPIKeyList }

// RequestID returns the _reqId.
func (m APIKeyList) RequestID() ReqID { return m.ReqID }

// APIKeyListResponse has the keys that were made, without their secrets.
type APIKeyListResponse struct {
	Keys  []APIKey `json:"keys"`
	ReqID ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeAPIKeyListResponse.
func (APIKeyListResponse) FrameType() Type { return TypeAPIKeyListResponse }

// InReplyTo returns the _reqId of what was asked.
func (m APIKeyListResponse) InReplyTo() ReqID { return m.ReqID }

// APIKey is what is known of a key.
type APIKey struct {
	ID           string          `json:"id"`
	Label        string          `json:"label"`
	Prefix       string          `json:"prefix"`
	Capabilities []KeyCapability `json:"capabilities"`
	TopicScopes  []string        `json:"topicScopes"` // null means all
	CreatedAt    Time            `json:"createdAt"`
	LastUsedAt   *Time           `json:"lastUsedAt"`
	RevokedAt    *Time           `json:"revokedAt"`
	ExpiresAt    *Time           `json:"expiresAt"`
	Owner        string          `json:"owner,omitempty"` // ours: name of the member it speaks for
}

// APIKeyRevoke ends a key.
type APIKeyRevoke struct {
	ID    string `json:"id"` // or the first characters of it
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeAPIKeyRevoke.
func (APIKeyRevoke) FrameType() Type { return TypeAPIKeyRevoke }

// RequestID returns the _reqId.
func (m APIKeyRevoke) RequestID() ReqID { return m.ReqID }

func (m *APIKeyRevoke) validate() error { return checkID("id", m.ID) }

// APIKeyRevokeResponse says what became of the key.
type APIKeyRevokeResponse struct {
	Status  KeyRevocation `json:"status"`
	ID      string        `json:"id,omitempty"`
	Matches int           `json:"matches,omitempty"` // with KeyNotUnique
	ReqID   ReqID         `json:"_reqId,omitempty"`
}

// FrameType returns TypeAPIKeyRevokeResponse.
func (APIKeyRevokeResponse) FrameType() Type { return TypeAPIKeyRevokeResponse }

// InReplyTo returns the _reqId of what was asked.
func (m APIKeyRevokeResponse) InReplyTo() ReqID { return m.ReqID }

// KeyRevocation is how an attempt to end an API key went.
type KeyRevocation string

// How it can go.
const (
	KeyRevoked   KeyRevocation = "revoked"
	KeyNotFound  KeyRevocation = "not_found"
	KeyNotUnique KeyRevocation = "not_unique"
)
