package wire

// CreateWebhook makes an address whose callers speak to the whole mesh.
type CreateWebhook struct {
	Name  string `json:"name"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeCreateWebhook.
func (CreateWebhook) FrameType() Type { return TypeCreateWebhook }

// RequestID returns the _reqId.
func (m CreateWebhook) RequestID() ReqID { return m.ReqID }

func (m *CreateWebhook) validate() error { return checkName("name", m.Name, MaxName) }

// WebhookAck has the address. It is the answer to a removal too, then without.
type WebhookAck struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Secret string `json:"secret"` // 64 hex, the last part of the address
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeWebhookAck.
func (WebhookAck) FrameType() Type { return TypeWebhookAck }

// InReplyTo returns the _reqId of what was asked.
func (m WebhookAck) InReplyTo() ReqID { return m.ReqID }

// ListWebhooks asks for the webhooks of the mesh.
type ListWebhooks struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListWebhooks.
func (ListWebhooks) FrameType() Type { return TypeListWebhooks }

// RequestID returns the _reqId.
func (m ListWebhooks) RequestID() ReqID { return m.ReqID }

// WebhookList has the webhooks that are in use.
type WebhookList struct {
	Webhooks []Webhook `json:"webhooks"`
	ReqID    ReqID     `json:"_reqId,omitempty"`
}

// FrameType returns TypeWebhookList.
func (WebhookList) FrameType() Type { return TypeWebhookList }

// InReplyTo returns the _reqId of what was asked.
func (m WebhookList) InReplyTo() ReqID { return m.ReqID }

// Webhook is an address that others may call.
type Webhook struct {
	Name      string `json:"name"`
	URL       string `json:"url"`
	Active    bool   `json:"active"`
	CreatedAt Time   `json:"createdAt"`
}

// DeleteWebhook ends a webhook.
type DeleteWebhook struct {
	Name  string `json:"name"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeDeleteWebhook.
func (DeleteWebhook) FrameType() Type { return TypeDeleteWebhook }

// RequestID returns the _reqId.
func (m DeleteWebhook) RequestID() ReqID { return m.ReqID }

func (m *DeleteWebhook) validate() error { return checkName("name", m.Name, MaxName) }
