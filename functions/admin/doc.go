// Package admin is the function by which owners look after their meshes. Every
// request but that for the OpenAPI document is signed; see package signed for
// how that is checked.
//
// Who may do what is one table, in table.go. It names each route, the roles that
// may take it, and the types of its bodies, from which the document is made. A
// few verbs look at whom they are done to as well: admins do not moderate each
// other or themselves, and roles are the owner's to give.
//
// The owner key is a key of its own that signs invites and policies and
// belongs to no member. Its secret half, the root key and the tokens of
// invites stay with the owner: what arrives here are public keys, hashes, a
// sealed box, and signatures.
//
// Who may make a mesh on this installation is the operator's choice: everybody,
// who shows the operator's token, or nobody. The same token opens what concerns
// the whole installation.
//
// Peers and messages belong to other rooms, which this package knows as
// interfaces of its own, see rooms.go; a route whose room is not given is not
// served. Connections are closed by edges: a kick rings a bell, see package
// registry.
package admin
