package wire

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
