package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// MembersResponse answers GET /v1/meshes/{mesh}/members.
type MembersResponse struct {
	Members []MeshMember `json:"members"`
}

// MeshMember is one member, banned ones included.
type MeshMember struct {
	MemberID    string     `json:"memberId"`
	Pubkey      string     `json:"pubkey"`
	DisplayName string     `json:"displayName"`
	Role        string     `json:"role"`
	RoleTag     string     `json:"roleTag,omitempty"`
	Groups      []Group    `json:"groups,omitempty"`
	MessageMode string     `json:"messageMode"`
	JoinedAt    Time       `json:"joinedAt"`
	RevokedAt   *Time      `json:"revokedAt,omitempty"` // shut out since then
	Banned      bool       `json:"banned,omitempty"`    // shut out for good; a revoked member may be invited again
	Present     []Presence `json:"present,omitempty"`   // its connections, as far as known here
}

// Presence is one connection of a member.
type Presence struct {
	Pubkey      string `json:"pubkey"` // of the session, else of the member
	DisplayName string `json:"displayName,omitempty"`
	PeerRole    string `json:"peerRole"` // [PeerRoleSession] or [PeerRoleControlPlane]
	Status      string `json:"status"`
	Visible     bool   `json:"visible"`
	ConnectedAt Time   `json:"connectedAt"`
}

// MeshesResponse answers GET /v1/meshes: the meshes of the key that signed.
type MeshesResponse struct {
	Meshes []MeshOfMine `json:"meshes"`
}

// MeshOfMine is one mesh as the key that asks belongs to it.
type MeshOfMine struct {
	MeshID   string `json:"meshId"`
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	IsOwner  bool   `json:"isOwner"`
	MemberID string `json:"memberId,omitempty"` // with role and joinedAt, if the key is a member
	Role     string `json:"role,omitempty"`
	JoinedAt *Time  `json:"joinedAt,omitempty"`
}

// MeshResponse answers GET /v1/meshes/{mesh}.
type MeshResponse struct {
	MeshID       string        `json:"meshId"`
	Slug         string        `json:"slug"`
	Name         string        `json:"name"`
	OwnerPubkey  string        `json:"ownerPubkey"`
	CreatedAt    Time          `json:"createdAt"`
	Members      int           `json:"members"`
	SelfEditable *SelfEditable `json:"selfEditable,omitempty"`
	GroupPolicy  *GroupPolicy  `json:"groupPolicy,omitempty"`
}

// SetMeshRequest is the body of PATCH /v1/meshes/{mesh}. What it leaves out
// stays.
type SetMeshRequest struct {
	Name         *string       `json:"name,omitempty"`
	SelfEditable *SelfEditable `json:"selfEditable,omitempty"`
}

// Check says what is wrong with the request, nil if nothing is.
func (r *SetMeshRequest) Check() error {
	switch {
	case r.Name == nil && r.SelfEditable == nil:
		return errors.New("no settings to update")
	case r.Name == nil:
		return nil
	case *r.Name == "":
		return errors.New("name is empty")
	}
	return checkLabel("name", *r.Name, MaxMeshName)
}

// SetMemberRequest is the body of PATCH /v1/meshes/{mesh}/members/{key}. What
// it leaves out stays.
type SetMemberRequest struct {
	DisplayName *string  `json:"displayName,omitempty"`
	Role        *string  `json:"role,omitempty"`
	RoleTag     *string  `json:"roleTag,omitempty"`
	Groups      *[]Group `json:"groups,omitempty"`
	MessageMode *string  `json:"messageMode,omitempty"`
}

// Check says what is wrong with the request, nil if nothing is.
func (r *SetMemberRequest) Check() error {
	if *r == (SetMemberRequest{}) {
		return errors.New("no fields to update")
	}
	p := Preset{DisplayName: text(r.DisplayName), RoleTag: text(r.RoleTag), MessageMode: text(r.MessageMode)}
	if r.Groups != nil {
		p.Groups = *r.Groups
	}
	switch {
	case r.DisplayName != nil && *r.DisplayName == "":
		return errors.New("displayName is empty")
	case r.MessageMode != nil && *r.MessageMode == "":
		return errors.New("messageMode must be push, inbox or off")
	case r.Role != nil && !ValidRole(*r.Role):
		return errors.New("role must be admin or member")
	}
	return p.Check()
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TargetAll stands for everybody where connections are to be closed.
const TargetAll = "*"

// KickRequest is the body of POST /v1/meshes/{mesh}/kicks and of disconnects.
type KickRequest struct {
	Target string `json:"target"` // member key, session key, or [TargetAll]
}

// Check says what is wrong with the request, nil if nothing is.
func (r *KickRequest) Check() error {
	if r.Target != TargetAll && !IsKey(r.Target) {
		return errors.New("target must be a key of 64 hex chars, or *")
	}
	return nil
}

// SetGrantsRequest is the body of PATCH /v1/meshes/{mesh}/grants: a list
// replaces what a key may, null removes the entry.
type SetGrantsRequest struct {
	Grants Grants `json:"grants"`
}

// Check says what is wrong with the request, nil if nothing is.
func (r *SetGrantsRequest) Check() error {
	if len(r.Grants) == 0 {
		return errors.New("grants required")
	}
	for key, caps := range r.Grants {
		if !IsKey(key) {
			return errors.New("grants are by key of 64 hex chars")
		}
		for _, c := range caps {
			switch c {
			case CapRead, CapDM, CapBroadcast, CapStateRead, CapStateWrite, CapFileRead:
			default:
				return fmt.Errorf("no such capability: %.40q", c)
			}
		}
	}
	return nil
}

// GrantsResponse tells all that the signer lets others do.
type GrantsResponse struct {
	Grants Grants `json:"grants"`
}

// InvitesResponse answers GET /v1/meshes/{mesh}/invites.
type InvitesResponse struct {
	Invites []MeshInvite `json:"invites"`
}

// MeshInvite is one invite as the registry knows it, which is neither its token
// nor its code.
type MeshInvite struct {
	InviteID  string `json:"inviteId"`
	Role      string `json:"role"`
	MaxUses   int    `json:"maxUses"`
	Uses      int    `json:"uses"`
	ExpiresAt int64  `json:"expiresAt"` // whole seconds
	CreatedAt Time   `json:"createdAt"`
	RevokedAt *Time  `json:"revokedAt,omitempty"`
	InvitedBy string `json:"invitedBy,omitempty"`
	ShortLink bool   `json:"shortLink"`
}

// AuditResponse answers GET /v1/meshes/{mesh}/audit, newest first.
type AuditResponse struct {
	Entries []AuditEntry `json:"entries"`
	Total   int          `json:"total"` // kept in all
}

// AuditEntry is one line of a mesh's audit log. Its hash chains it to the one
// before; see [AuditHash].
type AuditEntry struct {
	ID        string          `json:"id"`
	EventType string          `json:"eventType"`
	Actor     string          `json:"actor,omitempty"` // member id, or "owner"
	Payload   json.RawMessage `json:"payload"`
	Hash      string          `json:"hash"`
	CreatedAt Time            `json:"createdAt"`
}

// AuditVerdict answers GET /v1/meshes/{mesh}/audit/verify.
type AuditVerdict struct {
	Valid    bool   `json:"valid"`
	Entries  int    `json:"entries"`            // that hold
	BrokenAt string `json:"brokenAt,omitempty"` // the first that does not
}

// KickResponse tells whose connections were there to be closed when edges were
// told to. Those opened by hello are skipped by a kick.
type KickResponse struct {
	Affected []Presence `json:"affected"`
	Skipped  []Presence `json:"skipped,omitempty"`
}

// QueueResponse answers GET /v1/meshes/{mesh}/queue.
type QueueResponse struct {
	Inboxes []InboxDepth `json:"inboxes"`
}

// InboxDepth is how much waits in one inbox.
type InboxDepth struct {
	Key      string `json:"key"` // member key, session key, or a claimed connection's id
	Messages int    `json:"messages"`
	Bytes    int64  `json:"bytes"`
}

// InboxResponse answers GET /v1/meshes/{mesh}/queue/{key}.
type InboxResponse struct {
	Messages []Envelope `json:"messages"`
}

// Envelope is a waiting message without what it says.
type Envelope struct {
	MessageID    string `json:"messageId"`
	Lane         string `json:"lane"`
	Seq          uint64 `json:"seq"` // where a next page goes on, as after
	SenderPubkey string `json:"senderPubkey"`
	SentAt       Time   `json:"sentAt"`
	Bytes        int    `json:"bytes"`
}

// DeadLettersResponse answers GET /v1/meshes/{mesh}/dead-letters, oldest first.
type DeadLettersResponse struct {
	DeadLetters []DeadLetter `json:"deadLetters"`
}

// DeadLetter is a message that nobody fetched in time, without what it says.
type DeadLetter struct {
	Envelope
	Inbox  string `json:"inbox"`
	Reason string `json:"reason"`
}

// FleetResponse answers GET /v1/fleet.
type FleetResponse struct {
	Edges []FleetEdge `json:"edges"`
}

// FleetEdge is one edge that is alive, with what it says about itself.
type FleetEdge struct {
	Edge    string `json:"edge"`
	SeenAt  Time   `json:"seenAt"` // last heartbeat
	AgeMs   int64  `json:"ageMs"`  // of it
	Version string `json:"version,omitempty"`
	Started *Time  `json:"startedAt,omitempty"`
	Sockets *int   `json:"sockets,omitempty"`
	LateMs  *int64 `json:"lateMs,omitempty"` // worst lateness of a departure that it announced in the last minute
}

// BackupFormat is raised when an older restore could misread a backup.
const BackupFormat = 1

// Backup is one part of a mesh's registry: the answer of GET
// /v1/meshes/{mesh}/backup and the body of POST /v1/meshes/{mesh}/restore. It
// holds no secret: neither tokens nor keys that open or sign anything.
type Backup struct {
	Format  int            `json:"format"`
	MeshID  string         `json:"meshId"`
	Records []BackupRecord `json:"records"`
	Next    string         `json:"next,omitempty"` // for the next part, as after
}

// BackupRecord is one fact, as the registry stores it.
type BackupRecord struct {
	Kind  string `json:"kind"`
	Field string `json:"field"`
	Value string `json:"value"`
}

// Check says what is wrong with the part, nil if nothing is.
func (b *Backup) Check(meshID string) error {
	switch {
	case b.Format != BackupFormat:
		return fmt.Errorf("format must be %d", BackupFormat)
	case b.MeshID != meshID || !IsMeshID(meshID):
		return errors.New("backup is of another mesh")
	case len(b.Records) == 0:
		return errors.New("backup holds nothing")
	}
	return nil
}
