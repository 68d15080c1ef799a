package wire

// ErrorFrame refuses a handshake or a request.
type ErrorFrame struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // for people
	ID      string `json:"id,omitempty"`
	ReqID   ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeError.
func (ErrorFrame) FrameType() Type { return TypeError }

// InReplyTo returns the _reqId of what was asked.
func (m ErrorFrame) InReplyTo() ReqID { return m.ReqID }

// HelloAck admits a peer, after either handshake.
type HelloAck struct {
	PresenceID        string         `json:"presenceId"`
	MemberDisplayName string         `json:"memberDisplayName"`
	MemberProfile     *MemberProfile `json:"memberProfile,omitempty"`
	MeshPolicy        *MeshPolicy    `json:"meshPolicy,omitempty"`
	Restored          bool           `json:"restored,omitempty"` // a saved state was found, by hello only
	LastSummary       string         `json:"lastSummary,omitempty"`
	LastSeenAt        *Time          `json:"lastSeenAt,omitempty"`
	RestoredStats     *RestoredStats `json:"restoredStats,omitempty"`
	RestoredGroups    []Group        `json:"restoredGroups,omitempty"`
	Services          []Service      `json:"services,omitzero"` // by hello only, empty there

	Resumed     bool         `json:"resumed"`               // nobody saw this peer leave
	Cursor      string       `json:"cursor,omitempty"`      // where the journal is read on from
	Resync      bool         `json:"resync,omitempty"`      // the journal no longer reaches back that far
	LeaseMs     int64        `json:"leaseMs,omitempty"`     // how long after a loss a reattach is seamless
	Edge        string       `json:"edge,omitempty"`        // which edge this is
	ResumeToken string       `json:"resumeToken,omitempty"` // for the Resume after the next loss
	GroupPolicy *GroupPolicy `json:"groupPolicy,omitempty"` // how groups are to be sealed
}

// FrameType returns TypeHelloAck.
func (HelloAck) FrameType() Type { return TypeHelloAck }

// MemberProfile is what the registry says about the member.
type MemberProfile struct {
	RoleTag     *string `json:"roleTag"`
	Groups      []Group `json:"groups"`      // the member's defaults
	MessageMode string  `json:"messageMode"` // push, inbox or off
}

// MeshPolicy says what members may change about themselves.
type MeshPolicy struct {
	SelfEditable SelfEditable `json:"selfEditable"`
}

// SelfEditable has a field for each thing a member may change about itself.
type SelfEditable struct {
	DisplayName bool `json:"displayName"`
	RoleTag     bool `json:"roleTag"`
	Groups      bool `json:"groups"`
	MessageMode bool `json:"messageMode"`
}

// RestoredStats are a member's totals over all its connections.
type RestoredStats struct {
	MessagesIn  float64 `json:"messagesIn"`
	MessagesOut float64 `json:"messagesOut"`
	ToolCalls   float64 `json:"toolCalls"`
	Errors      float64 `json:"errors"`
}

// Service is a service that the mesh runs for its peers.
type Service struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Status      string   `json:"status"`
	Tools       []string `json:"tools"`
	DeployedBy  string   `json:"deployed_by"`
}

// Restarting says that this edge is about to close the socket (1012), and when
// to come back. The moments are spread by the edge, so that its peers do not
// all arrive elsewhere at once.
type Restarting struct {
	ReconnectAfterMs int64 `json:"reconnectAfterMs"`
}

// FrameType returns TypeRestarting.
func (Restarting) FrameType() Type { return TypeRestarting }

// Sync asks for a Synced behind everything that waits for this connection.
type Sync struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeSync.
func (Sync) FrameType() Type { return TypeSync }

// RequestID returns the _reqId.
func (m Sync) RequestID() ReqID { return m.ReqID }

// Synced says that all that waited when the Sync arrived was written before it.
type Synced struct {
	ReqID  ReqID  `json:"_reqId,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// FrameType returns TypeSynced.
func (Synced) FrameType() Type { return TypeSynced }

// InReplyTo returns the _reqId of what was asked.
func (m Synced) InReplyTo() ReqID { return m.ReqID }

// Goodbye ends the lease at once: the peer is not coming back.
type Goodbye struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeGoodbye.
func (Goodbye) FrameType() Type { return TypeGoodbye }

// RequestID returns the _reqId.
func (m Goodbye) RequestID() ReqID { return m.ReqID }
