// Package presence answers one question: who is here now.
//
// A peer is here for as long as it has a lease: one Redis key that expires on
// its own. Whoever holds the peer's socket renews it; an edge that crashes
// needs no clean-up, because its leases simply run out. The roster says what
// others may know of the peer, and outlives the lease until somebody settles
// the departure. A peer that comes back before that was never gone.
//
// # Verbs
//
// [Store.Attach] gives the lease to a connection, and the newest wins.
// [Store.Resume] does so for a peer whose last attachment is known, and only then.
// [Store.Renew] keeps it. [Store.Detach] starts the grace of one TTL when the
// socket is lost. [Store.Leave] is a goodbye. [Store.Settle] announces a peer
// whose lease ran out. [Store.Update] and [Store.SetStatus] change the record.
// Each is one Lua script in lua/, so that no crash falls between its steps; all
// times are those of Redis's clock.
//
// Every attachment has a generation that is never issued twice, not even when
// Redis loses what it acknowledged. All verbs compare generations by order: an
// older one changes nothing, and one newer than what Redis knows means that
// Redis went back, so the holder writes itself back without a word.
//
// # Who has left
//
// A [Watcher] in each process announces departures. Expired-key events are the
// trigger, but only a hint: Redis sends them late and at most once. The truth
// is the due index. The first edge of each partition, by rendezvous hashing,
// reads leases whose time has come, which makes Redis delete them and send the
// event, and settles what is still there a moment later. If it does not, the
// next edge steps in, 200 ms later each. Settling is idempotent, so any number
// of edges may be wrong about whose turn it is.
//
// A watcher settles nothing before it has been in unbroken contact with one
// Redis for a whole lease: otherwise an outage would expel everybody who could
// not renew. Until then it does not count among the edges either.
//
// What a departed peer owned is cleaned up by a callback, repeated by whoever
// sweeps until it succeeds. The note of it names the generation, since the peer
// may be back by then.
//
// # What Redis forgot
//
// The holder of a socket writes lost leases and records back. Of others nobody
// but those who were told of them knows: they say so with Attachment.Known when
// such a peer returns, which then is not announced, and with [Watcher.Forget]
// when it did not. Neither needs a generation, which is lost too: the former
// goes by the epoch of the journal, which is another one when data were lost,
// the latter announces once in an epoch, and nobody whose leaving is in the
// journal behind the place up to which the caller has heard it.
//
// # How it is tested
//
// explore_test.go visits every state that two edges, two sockets and a few
// faults can lead to, nearest first, and asks the real scripts what happens in
// each: crashes between any two steps, stalls longer than a lease, lost bells,
// outages, fail-overs to a replica that is behind, FLUSHALL, bans. In each
// state it lets everything arrive that replaced attachments may still have
// under way, and lets all edges die, and compares what was announced with what
// happened. explore_revert_test.go takes away one guard after the other, and
// wants to see the shortest way to what it prevents. What is not explored: an
// edge that alone loses Redis, and the second between a fail-over and the next
// probe, in which a watcher may still settle.
//
// # Keys
//
//	lease:{p}:MESH:PEER   string  GENERATION/EDGE/CONN; CONN is "-" once the socket is lost
//	due:{p}               zset    MESH:PEER by the millisecond its lease ends, or earlier
//	roster:{p}:MESH       hash    PEER → record, see record.go
//	cursor:{p}:MESH       hash    PEER → place in the journal that it has confirmed
//	saved:{p}:MESH        hash    member → state of its last hello connection
//	transient:{p}:MESH    set     peers that do not count towards capacity
//	forgotten:{p}:MESH    set     peer:EPOCH of whom it was announced that Redis has lost them
//	cleanup:{p}           zset    MESH:PEER:GENERATION:MEMBER:KEY by the next try
//	edges                 zset    edges that settle departures, by their last heartbeat
//
// The index is not written by renewals. That is sound because attach and detach
// write it: its time is never later than the lease's end, and the sweeper that
// finds a lease alive writes the end it then has. New deadlines are never
// nearer than one TTL, so it is enough to look every half TTL.
package presence
