// Package identity keeps who we are on this machine: the meshes we belong to,
// the keys we speak with, and what we have pinned about each mesh.
//
// Files are those of existing clients, so both can use one directory:
//
//	config.json                   0600  meshes, keys; fields of others survive a rewrite
//	config.lock                   0600  held while config.json or joining.json is changed
//	joining.json                  0600  keys of joins that were begun and not answered yet
//	sessions/SLUG/UUID.json       0600  the key of one session
//	sessions/SLUG/UUID.lock       0600  held by the process that speaks for the session
//	sessions/SLUG/UUID.cursor     0600  how far the session has read its mesh's journal
//
// The directory is CLAUDEMESH_CONFIG_DIR, else ~/.claudemesh. Existing clients
// ignore a configured directory that does not exist; we make it. Falling back
// would write the keys of a second identity over those of the first, silently.
// Sessions lie under the same directory (or CLAUDEMESH_SESSIONS_DIR): two
// identities that work in one directory must not share a session's key.
//
// A file that holds a key and can be read by others is refused, not repaired:
// whoever could read it may have done so already.
//
// Files are written beside their place and renamed, so a crash leaves the old
// one or the new one.
package identity
