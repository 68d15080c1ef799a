package wire

import (
	"cmp"
	"fmt"
)

// Kick closes sessions. One selector counts: All, else Stale, else Target.
type Kick struct {
	Selector
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeKick.
func (Kick) FrameType() Type { return TypeKick }

// RequestID returns the _reqId.
func (m Kick) RequestID() ReqID { return m.ReqID }

// Selector says whose connections are meant.
type Selector struct {
	Target string `json:"target,omitempty"` // name, member key, or the first part of one
	Stale  Millis `json:"stale,omitempty"`  // who was not heard of for so many milliseconds
	All    bool   `json:"all,omitempty"`
}

func (s *Selector) validate() error { return checkLabel("target", s.Target, MaxDisplayName) }

// KickAck names those whose connections were closed.
type KickAck struct {
	Removed
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeKickAck.
func (KickAck) FrameType() Type { return TypeKickAck }

// InReplyTo returns the _reqId of what was asked.
func (m KickAck) InReplyTo() ReqID { return m.ReqID }

// Removed names those whose connections were closed.
type Removed struct {
	Kicked   []string `json:"kicked"`
	Affected []string `json:"affected"`                        // the same
	Skipped  []string `json:"skipped_control_plane,omitempty"` // daemons, which a kick spares
}

// Disconnect closes connections, those of daemons too. Clients come back.
type Disconnect struct {
	Selector
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeDisconnect.
func (Disconnect) FrameType() Type { return TypeDisconnect }

// RequestID returns the _reqId.
func (m Disconnect) RequestID() ReqID { return m.ReqID }

// DisconnectAck names those whose connections were closed.
type DisconnectAck struct {
	Removed
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeDisconnectAck.
func (DisconnectAck) FrameType() Type { return TypeDisconnectAck }

// InReplyTo returns the _reqId of what was asked.
func (m DisconnectAck) InReplyTo() ReqID { return m.ReqID }

// Ban shuts a member out.
type Ban struct {
	Target string `json:"target"` // name, key, or the first part of one
	Reason string `json:"reason,omitempty"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeBan.
func (Ban) FrameType() Type { return TypeBan }

// RequestID returns the _reqId.
func (m Ban) RequestID() ReqID { return m.ReqID }

func (m *Ban) validate() error {
	return cmp.Or(checkLabel("target", m.Target, MaxDisplayName), checkText("reason", m.Reason, MaxDescription))
}

// BanAck names who was shut out.
type BanAck struct {
	Banned string `json:"banned"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeBanAck.
func (BanAck) FrameType() Type { return TypeBanAck }

// InReplyTo returns the _reqId of what was asked.
func (m BanAck) InReplyTo() ReqID { return m.ReqID }

// Unban lets a member back in.
type Unban struct {
	Target string `json:"target"` // name or key
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeUnban.
func (Unban) FrameType() Type { return TypeUnban }

// RequestID returns the _reqId.
func (m Unban) RequestID() ReqID { return m.ReqID }

func (m *Unban) validate() error { return checkLabel("target", m.Target, MaxDisplayName) }

// UnbanAck names who may come back.
type UnbanAck struct {
	Unbanned string `json:"unbanned"`
	ReqID    ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeUnbanAck.
func (UnbanAck) FrameType() Type { return TypeUnbanAck }

// InReplyTo returns the _reqId of what was asked.
func (m UnbanAck) InReplyTo() ReqID { return m.ReqID }

// ListBans asks who is shut out.
type ListBans struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListBans.
func (ListBans) FrameType() Type { return TypeListBans }

// RequestID returns the _reqId.
func (m ListBans) RequestID() ReqID { return m.ReqID }

// ListBansResult says who is shut out.
type ListBansResult struct {
	Bans  []BannedMember `json:"bans"`
	ReqID ReqID          `json:"_reqId,omitempty"`
}

// FrameType returns TypeListBansResult.
func (ListBansResult) FrameType() Type { return TypeListBansResult }

// InReplyTo returns the _reqId of what was asked.
func (m ListBansResult) InReplyTo() ReqID { return m.ReqID }

// BannedMember is a member that was shut out.
type BannedMember struct {
	Name      string `json:"name"`
	Pubkey    string `json:"pubkey"`
	RevokedAt Time   `json:"revokedAt"`
}

// SetGrants says what one key may, as the caller's member decides. No list at
// all takes the word back, an empty one blocks. It is ours, as get_grants:
// existing clients set grants over HTTP.
type SetGrants struct {
	SenderPubkey string       `json:"senderPubkey"`
	Capabilities []Capability `json:"capabilities"`
	ReqID        ReqID        `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetGrants.
func (SetGrants) FrameType() Type { return TypeSetGrants }

// RequestID returns the _reqId.
func (m SetGrants) RequestID() ReqID { return m.ReqID }

func (m *SetGrants) validate() error {
	if len(m.Capabilities) > MaxTags {
		return fmt.Errorf("more than %d capabilities", MaxTags)
	}
	r := SetGrantsRequest{Grants: Grants{m.SenderPubkey: m.Capabilities}}
	return r.Check()
}

// GetGrants asks what the caller's member lets others do.
type GetGrants struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeGetGrants.
func (GetGrants) FrameType() Type { return TypeGetGrants }

// RequestID returns the _reqId.
func (m GetGrants) RequestID() ReqID { return m.ReqID }

// GrantsResult says what the caller's member lets others do.
type GrantsResult struct {
	Grants Grants `json:"grants"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeGrantsResult.
func (GrantsResult) FrameType() Type { return TypeGrantsResult }

// InReplyTo returns the _reqId of what was asked.
func (m GrantsResult) InReplyTo() ReqID { return m.ReqID }
