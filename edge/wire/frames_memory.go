package wire

import "cmp"

// Remember keeps a text for the mesh. A sealed one is searched by clients.
type Remember struct {
	Content string   `json:"content"`
	Tags    []string `json:"tags,omitempty"`
	ID      string   `json:"memoryId,omitempty"` // ours: a new id, to which a sealed text is bound
	ReqID   ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeRemember.
func (Remember) FrameType() Type { return TypeRemember }

// RequestID returns the _reqId.
func (m Remember) RequestID() ReqID { return m.ReqID }

func (m *Remember) validate() error {
	return cmp.Or(checkRequired("content", m.Content, MaxContent), checkTags(m.Tags), checkNewID("memoryId", m.ID))
}

// MemoryStored names what was kept.
type MemoryStored struct {
	ID    string `json:"id"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeMemoryStored.
func (MemoryStored) FrameType() Type { return TypeMemoryStored }

// InReplyTo returns the _reqId of what was asked.
func (m MemoryStored) InReplyTo() ReqID { return m.ReqID }

// Recall searches what was kept. An empty query asks for the newest.
type Recall struct {
	Query string `json:"query"`
	All   bool   `json:"all,omitempty"`   // ours: everything, newest first, page by page; Query does not count
	After string `json:"after,omitempty"` // ours: the Next of the page before
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeRecall.
func (Recall) FrameType() Type { return TypeRecall }

// RequestID returns the _reqId.
func (m Recall) RequestID() ReqID { return m.ReqID }

func (m *Recall) validate() error {
	return cmp.Or(checkText("query", m.Query, MaxQuery), checkLabel("after", m.After, MaxCorrelationID))
}

// MemoryResults has what was found, best first.
type MemoryResults struct {
	Memories []Memory `json:"memories"`
	Next     string   `json:"next,omitempty"` // ours: more follows, for whoever asked for All
	ReqID    ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeMemoryResults.
func (MemoryResults) FrameType() Type { return TypeMemoryResults }

// InReplyTo returns the _reqId of what was asked.
func (m MemoryResults) InReplyTo() ReqID { return m.ReqID }

// Memory is one text that the mesh keeps.
type Memory struct {
	ID           string   `json:"id"`
	Content      string   `json:"content"`
	Tags         []string `json:"tags"`
	RememberedBy string   `json:"rememberedBy"` // name of the member
	RememberedAt Time     `json:"rememberedAt"`
}

// Forget drops a text. It is answered by an Ack with the memory's id as both
// ids, whether there was such a text or not.
type Forget struct {
	MemoryID string `json:"memoryId"`
	ReqID    ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeForget.
func (Forget) FrameType() Type { return TypeForget }

// RequestID returns the _reqId.
func (m Forget) RequestID() ReqID { return m.ReqID }

func (m *Forget) validate() error { return checkID("memoryId", m.MemoryID) }

// AckOf is the answer to requests that remove something by its id.
func AckOf(id string, req ReqID) *Ack { return &Ack{ID: id, MessageID: id, ReqID: req} }
