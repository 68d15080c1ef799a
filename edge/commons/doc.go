// Package commons is what a mesh shares, and what its peers own while they are
// here: state, memory, tasks, topics, schedules, watches and the rest of the
// protocol beyond messages. Nothing of it is in the memory of a process.
//
// # Shelves
//
// The records of a family are a shelf: one Redis hash a mesh, field → JSON,
// bounded in fields and bytes. Families read records, decide in Go, and write
// them with [Commons.apply]: one script that checks the caller's lease, the
// conditions of each change and all bounds, appends what others are told to the
// journal, and writes, or does nothing at all. A change that depends on what
// was read is conditional on it and tried again, so that edges need no locks.
//
//	store.go    shelves and apply       entry.go  what others are told
//	jobs.go     what is due at a time   commons.go  the table of handlers
//	families.go registers the families; each has a file of its own
//
// # What others are told
//
// Whatever the mesh is told goes through the journal, in the same script as the
// change. A peer in its grace hears of it when it is back, and a repeat carries
// the same messageId. An entry can be for some only: [Audience] lists them, as
// they are when it is written. Requests that one peer makes of another (calls,
// files) are not kept: they go to the edge that holds the peer, with
// [Commons.tell], and whoever asked is told when nobody is there.
//
// # What is due
//
// A field can have a job: a time in the zset of its partition. Every edge looks
// at what is due, the first of the partition at once, the others a moment
// later, so that a dead one delays a job by less than a second. A job that runs
// twice changes something once, because its change is conditional.
//
// # What a lease owns
//
// Records of what a peer owns carry its PEER and GENERATION. [Commons.Left],
// the clean-up of a departure, removes those up to the generation that left; it
// is repeated, by whichever edge, until it has succeeded.
//
// # What admins do
//
// Kicks, bans, grants and the audit log belong to the registry. What is asked
// for over a socket is done by the code that serves the signed requests.
package commons
