package admin

import (
	"net/http"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/openapi"
	"github.com/claudemesh/claudemesh/functions/signed"
)

// Who may do what, in short.
const (
	anybody = signed.Stranger
	owner   = signed.Owner
	admins  = signed.Owner | signed.Admin
	members = signed.Owner | signed.Admin | signed.Member
)

// whoMay says it in words.
var whoMay = map[signed.Role]string{
	anybody: "any key", owner: "the owner key", admins: "the owner key and admins", members: "any active member",
}

// line is one route: who may make the request, what it does, and how it is
// described.
type line struct {
	pattern string
	may     signed.Role
	do      func(http.ResponseWriter, *signed.Request) error
	served  bool // its room is there
	what    string
	in, out any
	status  int
	query   []string
	gate    func(*signed.Request) error
	headers []string
}

// table is the one place that says who may do what. Some verbs look closer at
// whom they are done to: see moderation.go.
func (h *handler) table() []line {
	operator := []string{wire.HeaderOperatorToken}
	page := []string{"limit"}
	return []line{
		{pattern: wire.RouteCreateMesh, may: anybody, do: h.createMesh, served: true, gate: h.mayCreate, headers: operator, what: "Make a mesh, signed by its owner key to be.", in: wire.CreateMeshRequest{}, out: wire.CreateMeshResponse{}, status: 201},
		{pattern: wire.RouteListMeshes, may: anybody, do: h.listMeshes, served: true, what: "List the meshes of the signing key.", out: wire.MeshesResponse{}, status: 200},
		{pattern: wire.RouteMesh, may: members, do: h.mesh, served: true, what: "Tell a mesh's settings.", out: wire.MeshResponse{}, status: 200},
		{pattern: wire.RouteSetMesh, may: admins, do: h.setMesh, served: true, what: "Change a mesh's settings.", in: wire.SetMeshRequest{}, status: 204},
		{pattern: wire.RouteArchiveMesh, may: owner, do: h.archiveMesh, served: true, what: "End a mesh.", status: 204},
		{pattern: wire.RouteBackup, may: owner, do: h.backup, served: true, what: "Read a mesh's registry, part by part.", query: []string{"after"}, out: wire.Backup{}, status: 200},
		{pattern: wire.RouteRestore, may: anybody, do: h.restore, served: true, gate: h.mayOperate, headers: operator, what: "Put back what a mesh's registry has lost, signed by its owner key, with the operator's token.", in: wire.Backup{}, status: 204},
		{pattern: wire.RouteSetGroupPolicy, may: owner, do: h.setGroupPolicy, served: true, what: "Say how groups are written.", in: wire.SetGroupPolicyRequest{}, out: wire.GroupPolicy{}, status: 200},

		{pattern: wire.RouteMembers, may: members, do: h.members, served: true, what: "List members and their connections.", out: wire.MembersResponse{}, status: 200},
		{pattern: wire.RouteSetMember, may: members, do: h.setMember, served: true, what: "Change a member; members change themselves, roles are the owner's.", in: wire.SetMemberRequest{}, out: wire.MeshMember{}, status: 200},
		{pattern: wire.RouteRevokeMember, may: admins, do: h.revokeMember, served: true, what: "Shut a member out until an invite made later lets it in.", status: 204},
		{pattern: wire.RouteBan, may: admins, do: h.ban, served: true, what: "Shut a member out until the ban is lifted.", status: 204},
		{pattern: wire.RouteUnban, may: admins, do: h.unban, served: true, what: "Lift a ban or revocation.", status: 204},
		{pattern: wire.RouteKick, may: admins, do: h.kick, served: h.Presence != nil, what: "Close sessions of a member, with 4001.", in: wire.KickRequest{}, out: wire.KickResponse{}, status: 200},
		{pattern: wire.RouteDisconnect, may: admins, do: h.disconnect, served: h.Presence != nil, what: "Close connections of a member, with 1000.", in: wire.KickRequest{}, out: wire.KickResponse{}, status: 200},
		{pattern: wire.RouteGrants, may: members, do: h.grants, served: true, what: "Tell what the signer lets others do.", out: wire.GrantsResponse{}, status: 200},
		{pattern: wire.RouteSetGrants, may: members, do: h.setGrants, served: true, what: "Change what the signer lets others do.", in: wire.SetGrantsRequest{}, out: wire.GrantsResponse{}, status: 200},

		{pattern: wire.RouteCreateInvite, may: owner, do: h.createInvite, served: true, what: "Make an invite.", in: wire.CreateInviteRequest{}, out: wire.CreateInviteResponse{}, status: 201},
		{pattern: wire.RouteInvites, may: admins, do: h.invites, served: true, what: "List invites.", out: wire.InvitesResponse{}, status: 200},
		{pattern: wire.RouteRevokeInvite, may: admins, do: h.revokeInvite, served: true, what: "Withdraw an invite.", status: 204},

		{pattern: wire.RouteQueue, may: admins, do: h.queue, served: h.Depths != nil, what: "Tell how much waits in each inbox.", out: wire.QueueResponse{}, status: 200},
		{pattern: wire.RouteInbox, may: admins, do: h.inbox, served: h.Queue != nil, what: "List what waits in an inbox, without content.", query: []string{"limit", "lane", "after"}, out: wire.InboxResponse{}, status: 200},
		{pattern: wire.RouteDeadLetters, may: admins, do: h.deadLetters, served: h.Queue != nil, what: "List dead letters, without content.", query: page, out: wire.DeadLettersResponse{}, status: 200},
		{pattern: wire.RouteRequeue, may: admins, do: h.requeue, served: h.Office != nil, what: "Put a dead letter back into its inbox.", status: 204},
		{pattern: wire.RouteDropDead, may: admins, do: h.dropDead, served: h.Office != nil, what: "Throw a dead letter away.", status: 204},

		{pattern: wire.RouteAudit, may: admins, do: h.audit, served: true, what: "Read the audit log, newest first.", query: []string{"limit", "before"}, out: wire.AuditResponse{}, status: 200},
		{pattern: wire.RouteVerifyAudit, may: admins, do: h.verifyAudit, served: true, what: "Recompute the chain of the audit log.", out: wire.AuditVerdict{}, status: 200},
		{pattern: wire.RouteFleet, may: anybody, do: h.fleet, served: h.Fleet != nil, gate: h.mayOperate, headers: operator, what: "List the edges, for the operator.", out: wire.FleetResponse{}, status: 200},
	}
}

// routes are the lines that are served, for the package that checks signatures
// and for the document.
func (h *handler) routes() (routes []signed.Route, ops []openapi.Operation) {
	for _, l := range h.table() {
		if !l.served {
			continue
		}
		routes = append(routes, signed.Route{Pattern: l.pattern, May: l.may, Gate: l.gate, Do: l.do})
		ops = append(ops, openapi.Operation{
			Pattern: l.pattern, Summary: l.what + " For " + whoMay[l.may] + ".", Signed: true,
			Query: l.query, Headers: l.headers, In: l.in, Out: l.out, Status: l.status,
		})
	}
	return routes, append(ops, openOperations...)
}

// openOperations are the routes that take no signature; all but the document
// itself belong to the function beside this one.
var openOperations = []openapi.Operation{
	{Pattern: wire.RouteOpenAPI, Summary: "This document.", Out: map[string]any{}, Status: 200},
	{Pattern: wire.RouteJoin, Summary: "Enrol a key by an invite's token or a proof of it.", In: wire.JoinRequest{}, Out: wire.JoinResponse{}, Refusal: wire.JoinResponse{}, Status: 200},
	{Pattern: wire.RouteClaim, Summary: "Enrol a key by a short link.", In: wire.ClaimRequest{}, Out: wire.ClaimResponse{}, Refusal: wire.ClaimError{}, Status: 200},
	{Pattern: wire.RouteInvitePreview, Summary: "Tell what may be known of an invite before joining.", Out: wire.InvitePreview{}, Status: 200},
	{Pattern: wire.RouteInvitePage, Summary: "The same for a person.", HTML: true, Status: 200},
}
