// Package registry answers one question: who may come into which mesh.
//
// It keeps meshes, their members, the invites that make new members, the bans
// that keep old ones out, and the grants by which members choose whom they
// hear. The functions write it; an edge reads it at a handshake.
//
// # Keys
//
//	mesh:{p}:MESH          hash    slug, name, owner, created, archived, policy, …
//	members:{p}:MESH       hash    member key → JSON of the member
//	memberid:{p}:MESH      hash    member id → member key
//	bans:{p}:MESH          hash    member key → "MS", or "MS invite" for a member that an invite lets back in
//	sessions:{p}:MESH      hash    session key → "MEMBERKEY MS", proven by session_hello
//	sessionsused:{p}:MESH  zset    session key by the millisecond of its last use
//	grants:{p}:MESH        hash    member key → JSON {sender key: [capabilities]}
//	invites:{p}:MESH       hash    token hash → definition; u:, r:, s:, i: beside it (see keys.go)
//	invitesdue:{p}:MESH    zset    token hash by the second in which the invite ends
//	audit:{p}:MESH         stream  who did what; auditseal:{p}:MESH chains it, see audit.go
//	meshesof:{p}:KEY       zset    meshes of a member or owner key, by when it came
//	nonce:{p}:KEY:NONCE    string  a request that was made; expires
//	bucket:{p}:NAME:WHO    string  a token bucket; expires when it would be full
//	slug:SLUG              string  mesh id
//	code:HASH              string  "MESH TOKENHASH", by the hash of an invite's code; expires
//
// {p} is the mesh's partition, so that one script may change all of a mesh
// together. Everything that must be atomic is a script: two people who redeem
// the last use of an invite at the same moment are two calls of enrol.lua.
//
// # Bells
//
// What concerns connections rings on the mesh's channel, fields joined by 0x1F:
//
//	banned KEY           shut out (banned or revoked): close 4002, end its leases
//	kicked TARGET        close 4001 `kicked`, end the leases; session_hello connections only
//	disconnected TARGET  close 1000 `disconnected`, end the leases; all connections
//	archived             the mesh has ended: as a kick of all its connections
//	profile KEY          the member changed: push profile_updated to its connections
//	settings             the mesh changed: what hello_ack tells is to be read anew
//	grants KEY           what the member grants changed
//	policy               the group policy changed
//
// TARGET is a member key, a session key, or * for everybody.
//
// # Nothing secret
//
// What is stored here cannot be used to come in or to read. An invite is found
// by a hash of a hash of its token; the root key and the owner's secret key
// never reach a function. Keys of members are public and stored in lower case,
// however they were written when they arrived.
//
// # Bounds
//
// Each thing that could grow has a bound in [Options]: members, live invites,
// bound session keys, grants. Invites that ended are remembered for a while,
// so that their bearer is told why, and then forgotten.
package registry
