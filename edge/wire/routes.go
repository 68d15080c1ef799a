package wire

// Routes over HTTP, as patterns of net/http. Everything about one mesh takes a
// signed request; who may make it says a table in functions/admin.
const (
	RouteHealth     = "GET /health"
	RouteReady      = "GET /health/ready"
	RouteHookStatus = "POST /hook/set-status"

	RouteJoin          = "POST /join"
	RouteClaim         = "POST /invites/{code}/claim"
	RouteInvitePage    = "GET /i/{code}"
	RouteInvitePreview = "GET /v1/invites/{code}"

	RouteOpenAPI = "GET /v1/openapi.json"
	RouteFleet   = "GET /v1/fleet"

	RouteCreateMesh     = "POST /v1/meshes"
	RouteListMeshes     = "GET /v1/meshes"
	RouteMesh           = "GET /v1/meshes/{mesh}"
	RouteSetMesh        = "PATCH /v1/meshes/{mesh}"
	RouteArchiveMesh    = "DELETE /v1/meshes/{mesh}"
	RouteSetGroupPolicy = "PUT /v1/meshes/{mesh}/group-policy"
	RouteBackup         = "GET /v1/meshes/{mesh}/backup"
	RouteRestore        = "POST /v1/meshes/{mesh}/restore"

	RouteMembers      = "GET /v1/meshes/{mesh}/members"
	RouteSetMember    = "PATCH /v1/meshes/{mesh}/members/{key}"
	RouteRevokeMember = "DELETE /v1/meshes/{mesh}/members/{key}"
	RouteBan          = "POST /v1/meshes/{mesh}/bans/{key}"
	RouteUnban        = "DELETE /v1/meshes/{mesh}/bans/{key}"
	RouteKick         = "POST /v1/meshes/{mesh}/kicks"
	RouteDisconnect   = "POST /v1/meshes/{mesh}/disconnects"
	RouteGrants       = "GET /v1/meshes/{mesh}/grants"
	RouteSetGrants    = "PATCH /v1/meshes/{mesh}/grants"

	RouteCreateInvite = "POST /v1/meshes/{mesh}/invites"
	RouteInvites      = "GET /v1/meshes/{mesh}/invites"
	RouteRevokeInvite = "DELETE /v1/meshes/{mesh}/invites/{invite}"

	RouteQueue       = "GET /v1/meshes/{mesh}/queue"
	RouteInbox       = "GET /v1/meshes/{mesh}/queue/{key}"
	RouteDeadLetters = "GET /v1/meshes/{mesh}/dead-letters"
	RouteRequeue     = "POST /v1/meshes/{mesh}/dead-letters/{message}"
	RouteDropDead    = "DELETE /v1/meshes/{mesh}/dead-letters/{message}"

	RouteAudit       = "GET /v1/meshes/{mesh}/audit"
	RouteVerifyAudit = "GET /v1/meshes/{mesh}/audit/verify"
)

// HeaderOperatorToken carries the operator's token, for what concerns the
// whole installation.
const HeaderOperatorToken = "Claudemesh-Operator-Token"

// Codes of refusals under /v1 beside those of frames.
const (
	CodeMeshNotFound   Code = "mesh_not_found"  // 404: no such mesh, or archived
	CodeReplayed       Code = "replayed"        // 401: the nonce was used before
	CodeSlugTaken      Code = "slug_taken"      // 409: choose another name
	CodeInviteExists   Code = "invite_exists"   // 409: the token or code is in use
	CodeStalePolicy    Code = "stale_policy"    // 409: the counter is not above the stored one
	CodeFull           Code = "full"            // 409: a bound of the mesh is reached
	CodeConflict       Code = "conflict"        // 409: changed by others meanwhile
	CodeCreationClosed Code = "creation_closed" // 403: no meshes are made on request here
	CodeExhausted      Code = "exhausted"       // 410: the invite made as many members as it may
	CodeOperatorToken  Code = "operator_token"  // 403: the operator's token is missing or wrong
)
