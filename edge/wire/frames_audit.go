package wire

// AuditQuery asks for what was recorded.
type AuditQuery struct {
	Limit     int    `json:"limit,omitempty"`
	Offset    int    `json:"offset,omitempty"`
	EventType string `json:"eventType,omitempty"`
	ReqID     ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeAuditQuery.
func (AuditQuery) FrameType() Type { return TypeAuditQuery }

// RequestID returns the _reqId.
func (m AuditQuery) RequestID() ReqID { return m.ReqID }

func (m *AuditQuery) validate() error { return checkLabel("eventType", m.EventType, MaxLabel) }

// Page is how many entries to answer with.
func (m *AuditQuery) Page() int { return page(m.Limit, AuditPage, MaxAuditPage) }

// AuditResult has what was recorded, newest first.
type AuditResult struct {
	Entries []AuditEntry `json:"entries"`
	Total   int          `json:"total"`
	ReqID   ReqID        `json:"_reqId,omitempty"`
}

// FrameType returns TypeAuditResult.
func (AuditResult) FrameType() Type { return TypeAuditResult }

// InReplyTo returns the _reqId of what was asked.
func (m AuditResult) InReplyTo() ReqID { return m.ReqID }

// AuditVerify asks whether anything was changed in what was recorded.
type AuditVerify struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeAuditVerify.
func (AuditVerify) FrameType() Type { return TypeAuditVerify }

// RequestID returns the _reqId.
func (m AuditVerify) RequestID() ReqID { return m.ReqID }

// AuditVerifyResult says whether the chain of hashes holds.
type AuditVerifyResult struct {
	AuditVerdict
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeAuditVerifyResult.
func (AuditVerifyResult) FrameType() Type { return TypeAuditVerifyResult }

// InReplyTo returns the _reqId of what was asked.
func (m AuditVerifyResult) InReplyTo() ReqID { return m.ReqID }
