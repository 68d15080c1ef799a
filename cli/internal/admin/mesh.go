package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Mesh is one mesh, as the client's key may see and change it.
type Mesh struct {
	Client
	ID string
}

// at is the path of something of the mesh, whose parts may be anything.
func (m *Mesh) at(parts ...string) string {
	path := "/v1/meshes/" + url.PathEscape(m.ID)
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

func query(path string, pairs ...string) string {
	values := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// Get tells the mesh's settings.
func (m *Mesh) Get(ctx context.Context) (out wire.MeshResponse, err error) {
	err = m.do(ctx, http.MethodGet, m.at(), nil, &out)
	return out, err
}

// Set changes settings.
func (m *Mesh) Set(ctx context.Context, in *wire.SetMeshRequest) error {
	return m.do(ctx, http.MethodPatch, m.at(), in, nil)
}

// Archive ends the mesh.
func (m *Mesh) Archive(ctx context.Context) error {
	return m.do(ctx, http.MethodDelete, m.at(), nil, nil)
}

// SetGroupPolicy says how groups are written.
func (m *Mesh) SetGroupPolicy(ctx context.Context, in *wire.SetGroupPolicyRequest) (out wire.GroupPolicy, err error) {
	err = m.do(ctx, http.MethodPut, m.at("group-policy"), in, &out)
	return out, err
}

// Backup reads a part of what the registry knows of the mesh.
func (m *Mesh) Backup(ctx context.Context, after string) (out wire.Backup, err error) {
	err = m.do(ctx, http.MethodGet, query(m.at("backup"), "after", after), nil, &out)
	return out, err
}

// Restore puts back a part of a backup. It takes the operator's token.
func (m *Mesh) Restore(ctx context.Context, part *wire.Backup) error {
	return m.do(ctx, http.MethodPost, m.at("restore"), part, nil)
}

// Members lists members, those who are shut out included.
func (m *Mesh) Members(ctx context.Context) ([]wire.MeshMember, error) {
	var out wire.MembersResponse
	err := m.do(ctx, http.MethodGet, m.at("members"), nil, &out)
	return out.Members, err
}

// SetMember changes a member.
func (m *Mesh) SetMember(ctx context.Context, key string, in *wire.SetMemberRequest) (out wire.MeshMember, err error) {
	err = m.do(ctx, http.MethodPatch, m.at("members", key), in, &out)
	return out, err
}

// Revoke shuts a member out until an invite made later lets it in.
func (m *Mesh) Revoke(ctx context.Context, key string) error {
	return m.do(ctx, http.MethodDelete, m.at("members", key), nil, nil)
}

// Ban shuts a member out until the ban is lifted.
func (m *Mesh) Ban(ctx context.Context, key string) error {
	return m.do(ctx, http.MethodPost, m.at("bans", key), nil, nil)
}

// Unban lifts a ban or revocation.
func (m *Mesh) Unban(ctx context.Context, key string) error {
	return m.do(ctx, http.MethodDelete, m.at("bans", key), nil, nil)
}

// Kick closes sessions, which are told not to come back.
func (m *Mesh) Kick(ctx context.Context, target string) (out wire.KickResponse, err error) {
	err = m.do(ctx, http.MethodPost, m.at("kicks"), &wire.KickRequest{Target: target}, &out)
	return out, err
}

// Disconnect closes connections, which may come back at once.
func (m *Mesh) Disconnect(ctx context.Context, target string) (out wire.KickResponse, err error) {
	err = m.do(ctx, http.MethodPost, m.at("disconnects"), &wire.KickRequest{Target: target}, &out)
	return out, err
}

// Grants tells what the signing member lets others do.
func (m *Mesh) Grants(ctx context.Context) (wire.Grants, error) {
	var out wire.GrantsResponse
	err := m.do(ctx, http.MethodGet, m.at("grants"), nil, &out)
	return out.Grants, err
}

// SetGrants changes it: nil takes an entry away.
func (m *Mesh) SetGrants(ctx context.Context, change wire.Grants) (wire.Grants, error) {
	var out wire.GrantsResponse
	err := m.do(ctx, http.MethodPatch, m.at("grants"), &wire.SetGrantsRequest{Grants: change}, &out)
	return out.Grants, err
}

// CreateInvite makes an invite known.
func (m *Mesh) CreateInvite(ctx context.Context, in *wire.CreateInviteRequest) (out wire.CreateInviteResponse, err error) {
	err = m.do(ctx, http.MethodPost, m.at("invites"), in, &out)
	return out, err
}

// Invites lists invites, ended ones included.
func (m *Mesh) Invites(ctx context.Context) ([]wire.MeshInvite, error) {
	var out wire.InvitesResponse
	err := m.do(ctx, http.MethodGet, m.at("invites"), nil, &out)
	return out.Invites, err
}

// RevokeInvite withdraws an invite. Members it made stay.
func (m *Mesh) RevokeInvite(ctx context.Context, id string) error {
	return m.do(ctx, http.MethodDelete, m.at("invites", id), nil, nil)
}

// Depths tells how much waits in each inbox.
func (m *Mesh) Depths(ctx context.Context) ([]wire.InboxDepth, error) {
	var out wire.QueueResponse
	err := m.do(ctx, http.MethodGet, m.at("queue"), nil, &out)
	return out.Inboxes, err
}

// Inbox lists what waits in an inbox, without what it says. An empty lane means
// all.
func (m *Mesh) Inbox(ctx context.Context, key, lane string, limit int) ([]wire.Envelope, error) {
	var out wire.InboxResponse
	path := query(m.at("queue", key), "lane", lane, "limit", strconv.Itoa(limit))
	err := m.do(ctx, http.MethodGet, path, nil, &out)
	return out.Messages, err
}

// DeadLetters lists messages that nobody fetched in time, oldest first.
func (m *Mesh) DeadLetters(ctx context.Context, limit int) ([]wire.DeadLetter, error) {
	var out wire.DeadLettersResponse
	err := m.do(ctx, http.MethodGet, query(m.at("dead-letters"), "limit", strconv.Itoa(limit)), nil, &out)
	return out.DeadLetters, err
}

// Requeue puts a dead letter back into its inbox.
func (m *Mesh) Requeue(ctx context.Context, id string) error {
	return m.do(ctx, http.MethodPost, m.at("dead-letters", id), nil, nil)
}

// DropDead throws a dead letter away.
func (m *Mesh) DropDead(ctx context.Context, id string) error {
	return m.do(ctx, http.MethodDelete, m.at("dead-letters", id), nil, nil)
}

// Audit reads entries of the audit log that are older than before, newest
// first; an empty before means the newest.
func (m *Mesh) Audit(ctx context.Context, before string, limit int) (out wire.AuditResponse, err error) {
	err = m.do(ctx, http.MethodGet, query(m.at("audit"), "before", before, "limit", strconv.Itoa(limit)), nil, &out)
	return out, err
}
