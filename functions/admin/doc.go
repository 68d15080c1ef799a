// Package admin is the function by which owners look after their meshes. Every
// request is signed; see package signed for how that is checked.
//
//	POST   /v1/meshes                          a new mesh    signed by its owner key
//	POST   /v1/meshes/{mesh}/invites           a new invite  owner
//	DELETE /v1/meshes/{mesh}/invites/{invite}  withdraw it   owner
//	PUT    /v1/meshes/{mesh}/group-policy      see wire      owner
//	POST   /v1/meshes/{mesh}/bans/{key}        ban           owner; an admin, but no admins
//	DELETE /v1/meshes/{mesh}/bans/{key}        lift a ban    the same
//	GET    /v1/meshes/{mesh}/members           who is in     any active member
//
// The owner key is a key of its own that signs invites and policies and
// belongs to no member. Its secret half, the root key and the tokens of
// invites stay with the owner: what arrives here are public keys, a hash, and
// signatures.
//
// Who may make a mesh on this installation is the operator's choice: everybody,
// who shows the operator's token, or nobody.
package admin
