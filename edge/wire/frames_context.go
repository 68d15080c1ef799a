package wire

import "cmp"

// ShareContext replaces what the member says it is working on.
type ShareContext struct {
	Summary     string   `json:"summary"`
	FilesRead   []string `json:"filesRead,omitempty"`
	KeyFindings []string `json:"keyFindings,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	ReqID       ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeShareContext.
func (ShareContext) FrameType() Type { return TypeShareContext }

// RequestID returns the _reqId.
func (m ShareContext) RequestID() ReqID { return m.ReqID }

func (m *ShareContext) validate() error {
	return cmp.Or(
		checkRequired("summary", m.Summary, MaxContextSummary),
		checkTexts("filesRead", m.FilesRead, MaxContextItems, MaxCwd),
		checkTexts("keyFindings", m.KeyFindings, MaxContextItems, MaxFinding),
		checkTags(m.Tags),
	)
}

// ContextShared names the context. Existing brokers leave the _reqId out.
type ContextShared struct {
	ID    string `json:"id"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeContextShared.
func (ContextShared) FrameType() Type { return TypeContextShared }

// InReplyTo returns the _reqId of what was asked.
func (m ContextShared) InReplyTo() ReqID { return m.ReqID }

// GetContext searches contexts: the query is part of a summary, or a tag.
type GetContext struct {
	Query string `json:"query"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeGetContext.
func (GetContext) FrameType() Type { return TypeGetContext }

// RequestID returns the _reqId.
func (m GetContext) RequestID() ReqID { return m.ReqID }

func (m *GetContext) validate() error { return checkText("query", m.Query, MaxQuery) }

// ContextResults has what was found, newest first.
type ContextResults struct {
	Contexts []Context `json:"contexts"`
	ReqID    ReqID     `json:"_reqId,omitempty"`
}

// FrameType returns TypeContextResults.
func (ContextResults) FrameType() Type { return TypeContextResults }

// InReplyTo returns the _reqId of what was asked.
func (m ContextResults) InReplyTo() ReqID { return m.ReqID }

// Context is what one member says it is working on.
type Context struct {
	PeerName    string   `json:"peerName"`
	Summary     string   `json:"summary"`
	FilesRead   []string `json:"filesRead"`
	KeyFindings []string `json:"keyFindings"`
	Tags        []string `json:"tags"`
	UpdatedAt   Time     `json:"updatedAt"`
}

// ListContexts asks for every member's context.
type ListContexts struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListContexts.
func (ListContexts) FrameType() Type { return TypeListContexts }

// RequestID returns the _reqId.
func (m ListContexts) RequestID() ReqID { return m.ReqID }

// ContextList has every member's context in brief, newest first.
type ContextList struct {
	Contexts []ContextBrief `json:"contexts"`
	ReqID    ReqID          `json:"_reqId,omitempty"`
}

// FrameType returns TypeContextList.
func (ContextList) FrameType() Type { return TypeContextList }

// InReplyTo returns the _reqId of what was asked.
func (m ContextList) InReplyTo() ReqID { return m.ReqID }

// ContextBrief is a context without its lists.
type ContextBrief struct {
	PeerName  string   `json:"peerName"`
	Summary   string   `json:"summary"`
	Tags      []string `json:"tags"`
	UpdatedAt Time     `json:"updatedAt"`
}
