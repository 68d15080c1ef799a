// Package queue keeps what waits: direct messages in inboxes, and broadcasts,
// group messages and presence events in each mesh's journal.
//
// # Inboxes
//
// A direct message waits in one of three streams, one per [Lane], of the inbox
// of one key: a member key, a proven session key, or the PEER of a connection
// that merely claims a key. It stays until its reader acks it, until five
// confirmed pushes to a reader that never acks, or until the retention of seven
// days moves it to the mesh's dead letters. A full inbox refuses; nothing is
// ever dropped to make room.
//
// # Readers
//
// An inbox has one reader at a time, the best of its candidates: those that
// have acked before, then sessions, then the unproven, then the transient;
// among equals the one that came first. A session's own inbox has one candidate
// by nature. Claims on a key are kept apart from readers of that key, so that
// naming a key never reads what waits for it, and they yield to proof.
//
// # Journal
//
// What concerns a whole mesh is appended to one bounded stream with contiguous
// SEQs. The append itself is the Lua fragment [JournalLua], which other rooms
// put into their own scripts, so that a presence and its event are one step.
// A [Cursor] names the entry it points at, which is how a reader notices that
// Redis went back in time.
//
// # Promises kept here
//
// Every verb that acts for a peer checks that peer's lease first. Sends are
// refused when Redis is out of memory; acks never are. The same client id of
// the same member is one message for 24 hours. Redis's clock decides all times.
//
// # Bells
//
// A bell is a hint: what it announces is in a stream first. [ParseInboxBell],
// [ParseJournalBell] and [ParseReaderBell] read them.
//
// # Keys
//
// {p} is the hash tag of the mesh's partition, so all keys of a mesh are in
// one slot. Where a script must follow a name that only Redis knows (the bucket
// of this hour, the inbox of a claim) it is given the key's prefix instead.
//
//	inbox:{p}:MESH:KEY:LANE  stream  waiting messages, ids SEQ-0
//	head:{p}:MESH            hash    last SEQs, epoch, counters; never deleted
//	journal:{p}:MESH         stream  ids SEQ-0; expires 5 minutes after the last append
//	reader:{p}:MESH          hash    KEY or claim:KEY → candidates, best first
//	once:{p}:MESH:0..4       hash    idempotency, in rotating 8-hour buckets
//	track:{p}:MESH:0..4      hash    what became of a message, same rotation
//	tries:{p}:MESH:KEY       hash    SEQ → confirmed pushes to a reader that never acks
//	rate:{p}:MESH            hash    member → token bucket
//	dead:{p}:MESH            stream  dead letters
//	buried:{p}:MESH          hash    message id → entry of the dead letter
//	waits:{p}                zset    MESH:KEY:LANE by the time of the oldest message
package queue
