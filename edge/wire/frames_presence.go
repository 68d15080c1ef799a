package wire

import (
	"encoding/json"
	"errors"
)

// Group is a group that a peer is in, and its part there.
type Group struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"`
}

// Stats are counters that a peer keeps about itself. Absent ones are unknown.
type Stats struct {
	MessagesIn  *float64 `json:"messagesIn,omitempty"`
	MessagesOut *float64 `json:"messagesOut,omitempty"`
	ToolCalls   *float64 `json:"toolCalls,omitempty"`
	Uptime      *float64 `json:"uptime,omitempty"`
	Errors      *float64 `json:"errors,omitempty"`
}

// Profile is how a peer describes itself. Absent fields were never set.
type Profile struct {
	Avatar       *string  `json:"avatar,omitempty"`
	Title        *string  `json:"title,omitempty"`
	Bio          *string  `json:"bio,omitempty"`
	Capabilities []string `json:"capabilities,omitzero"`
}

// Merge returns p with the fields that update carries.
func (p Profile) Merge(update Profile) Profile {
	if update.Avatar != nil {
		p.Avatar = update.Avatar
	}
	if update.Title != nil {
		p.Title = update.Title
	}
	if update.Bio != nil {
		p.Bio = update.Bio
	}
	if update.Capabilities != nil {
		p.Capabilities = update.Capabilities
	}
	return p
}

// IsZero reports whether nothing was ever set.
func (p Profile) IsZero() bool {
	return p.Avatar == nil && p.Title == nil && p.Bio == nil && p.Capabilities == nil
}

// ListPeers asks who is here.
type ListPeers struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListPeers.
func (ListPeers) FrameType() Type { return TypeListPeers }

// RequestID returns the _reqId.
func (m ListPeers) RequestID() ReqID { return m.ReqID }

// PeersList says who is here, in order of arrival.
type PeersList struct {
	Peers []PeerInfo `json:"peers"`
	ReqID ReqID      `json:"_reqId,omitempty"`
}

// FrameType returns TypePeersList.
func (PeersList) FrameType() Type { return TypePeersList }

// InReplyTo returns the _reqId of what was asked.
func (m PeersList) InReplyTo() ReqID { return m.ReqID }

// PeerInfo is one present peer.
type PeerInfo struct {
	Pubkey       string   `json:"pubkey"`       // session key if it has one, else member key
	MemberPubkey string   `json:"memberPubkey"` // enrolled key
	DisplayName  string   `json:"displayName"`
	Status       Status   `json:"status"`
	Summary      *string  `json:"summary"` // null if never set
	Groups       []Group  `json:"groups"`
	SessionID    string   `json:"sessionId"`
	ConnectedAt  Time     `json:"connectedAt"`
	Cwd          string   `json:"cwd"`
	PeerRole     string   `json:"peerRole"`
	Hostname     string   `json:"hostname,omitempty"`
	PeerType     string   `json:"peerType,omitempty"`
	Channel      string   `json:"channel,omitempty"`
	Model        string   `json:"model,omitempty"`
	Stats        *Stats   `json:"stats,omitempty"`
	Visible      *bool    `json:"visible,omitempty"`
	Profile      *Profile `json:"profile,omitempty"`
}

// ListMembers asks who may come in, present or not.
type ListMembers struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListMembers.
func (ListMembers) FrameType() Type { return TypeListMembers }

// RequestID returns the _reqId.
func (m ListMembers) RequestID() ReqID { return m.ReqID }

// MembersList says who may come in.
type MembersList struct {
	Members []MemberInfo `json:"members"`
	ReqID   ReqID        `json:"_reqId,omitempty"`
}

// FrameType returns TypeMembersList.
func (MembersList) FrameType() Type { return TypeMembersList }

// InReplyTo returns the _reqId of what was asked.
func (m MembersList) InReplyTo() ReqID { return m.ReqID }

// MemberInfo is one enrolled member.
type MemberInfo struct {
	MemberID    string `json:"memberId"`
	Pubkey      string `json:"pubkey"`
	DisplayName string `json:"displayName"`
	Role        string `json:"role"`
	JoinedAt    Time   `json:"joinedAt"`
	Online      bool   `json:"online"`
}

// SetStatus says what the peer is doing.
type SetStatus struct {
	Status Status `json:"status"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetStatus.
func (SetStatus) FrameType() Type { return TypeSetStatus }

// RequestID returns the _reqId.
func (m SetStatus) RequestID() ReqID { return m.ReqID }

func (m *SetStatus) validate() error {
	if !m.Status.Valid() {
		return errors.New("status must be idle, working or dnd")
	}
	return nil
}

// SetSummary says in words what the peer works on.
type SetSummary struct {
	Summary string `json:"summary"`
	ReqID   ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetSummary.
func (SetSummary) FrameType() Type { return TypeSetSummary }

// RequestID returns the _reqId.
func (m SetSummary) RequestID() ReqID { return m.ReqID }

func (m *SetSummary) validate() error { return checkText("summary", m.Summary, MaxSummary) }

// SetStats replaces the peer's counters.
type SetStats struct {
	Stats Stats `json:"stats"`
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetStats.
func (SetStats) FrameType() Type { return TypeSetStats }

// RequestID returns the _reqId.
func (m SetStats) RequestID() ReqID { return m.ReqID }

// SetVisible shows the peer in lists, or hides it.
type SetVisible struct {
	Visible bool  `json:"visible"`
	ReqID   ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetVisible.
func (SetVisible) FrameType() Type { return TypeSetVisible }

// RequestID returns the _reqId.
func (m SetVisible) RequestID() ReqID { return m.ReqID }

// UnmarshalJSON insists on the field: a peer must not vanish by omission.
func (m *SetVisible) UnmarshalJSON(b []byte) error {
	var in struct {
		Visible *bool `json:"visible"`
		ReqID   ReqID `json:"_reqId"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if in.Visible == nil {
		return errors.New("visible is missing")
	}
	*m = SetVisible{Visible: *in.Visible, ReqID: in.ReqID}
	return nil
}

// SetProfile replaces those fields of the profile that it carries.
type SetProfile struct {
	Profile
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetProfile.
func (SetProfile) FrameType() Type { return TypeSetProfile }

// RequestID returns the _reqId.
func (m SetProfile) RequestID() ReqID { return m.ReqID }

func (m *SetProfile) validate() error {
	b, err := json.Marshal(m.Profile)
	if err != nil || len(b) > MaxProfile {
		return tooLong("profile", MaxProfile)
	}
	return nil
}

// JoinGroup enters a group, or changes the role in it.
type JoinGroup struct {
	Name  string `json:"name"`
	Role  string `json:"role,omitempty"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeJoinGroup.
func (JoinGroup) FrameType() Type { return TypeJoinGroup }

// RequestID returns the _reqId.
func (m JoinGroup) RequestID() ReqID { return m.ReqID }

func (m *JoinGroup) validate() error { return Group{Name: m.Name, Role: m.Role}.Check() }

// LeaveGroup leaves a group.
type LeaveGroup struct {
	Name  string `json:"name"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeLeaveGroup.
func (LeaveGroup) FrameType() Type { return TypeLeaveGroup }

// RequestID returns the _reqId.
func (m LeaveGroup) RequestID() ReqID { return m.ReqID }

func (m *LeaveGroup) validate() error { return CheckGroupName(m.Name) }

// PeerEvent is the eventData of presence events.
type PeerEvent struct {
	Name       string  `json:"name"`
	Pubkey     string  `json:"pubkey"`
	Groups     []Group `json:"groups,omitzero"` // nil, not empty, where the event has none
	LastSeenAt *Time   `json:"lastSeenAt,omitempty"`
	Summary    string  `json:"summary,omitempty"`
}
