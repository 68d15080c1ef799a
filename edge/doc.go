// Package edge is one process that peers connect to. It holds sockets, and
// nothing that a restart would miss: who is here is in presence, what waits is
// in queue, who may come in is in registry. Edges of a fleet know of each other
// only through Redis.
//
// # The life of a socket
//
//	http.go    one port: /ws, /health, /metrics, the hook, the functions
//	netconn.go under gws: refuses large frames by their headers, writes whole frames
//	socket.go  from upgrade to close; a stranger until its handshake
//	admit.go   the handshake: registry, subscribe, attach, hello_ack
//	resume.go  the short one: a token, a signature, one script
//	arrival.go bells that ring while a handshake is under way
//	conn.go    a socket that has said hello: one attachment of one peer
//	route.go   frames, one after the other, each answered or timed out
//	outbox.go  the only way to write: bounded, closed 4008 when it overflows
//
// # What reaches a peer
//
//	bus.go     what is listened to, and on which Redis node
//	line.go    the subscription to one node; probes itself, because it can go deaf
//	hub.go     the meshes that have a peer here, and what each bell means
//	feed.go    one mesh's journal in the order of its SEQs, given to live peers
//	pump.go    brings one peer what it missed, until it is live
//	inbox.go   direct messages: lanes by status, a window of what is not acked
//	renew.go   leases and, on the way, whether the journals are ahead of us
//	pulse.go   pings, silence, repeats
//	drain.go   sends peers elsewhere, one after the other
//
// # When Redis goes back in time, or comes back empty
//
//	rollback.go  goes on from the last entry that was heard and is still there
//	ledger.go    who is here as peers were told
//	audit.go     announces the difference to the roster, once all had time to return
//	bookmark.go  keeps both when the last peer of a mesh is gone
//
// A SEQ that is heard or read with another id, a head that is behind, another
// epoch: each makes a feed stop and compare the journal with the last entries
// heard. The first edge to find out turns the epoch, so that cursors among what
// was lost lead to resync; the others take it over. Peers here are given what
// came instead, or are told resync where no entry is left to go on from, and
// are pinged, so that what they confirm is soon a place to be believed.
//
// Inboxes have no history to compare. After a loss each is read from its
// beginning, without what is still on its way, by peers that are entered as its
// readers again; and a bell with a place from which something was pushed is a
// reason to read there again.
//
// Leases and records are written back by whoever holds the socket. What is left
// is the difference: a lease and a renewal interval later, those who were known
// to be here and are not in Redis are announced as left, by a script that says so
// once; another interval later, those in the roster of whom the peers here never
// heard are announced to these only, as others may have heard of them. A peer
// that Redis forgot and that comes back before that is let in without a word.
// It is known by the ledger of any edge with a peer in the mesh, so this holds
// though its own edge died. It does not hold where no such edge is left, nor
// for what the peer had changed since its hello: status, groups, summary.
//
// A bell is a hint. Whatever it announces is in Redis first, so each way to
// miss one ends in reading: a gap in SEQ, a subscription that was lost or is
// deaf, a head that is ahead in the renewal round.
//
// The order of a handshake keeps L4: subscribe, then attach, then drain. The
// attach script answers from which SEQ on the peer has to be told; the pump
// reads from there and turns the peer live under the feed's lock, where no
// entry can pass between the last one read and the first one heard.
//
// # Goroutines
//
// A socket has one goroutine of its own, gws's read loop, which handles its
// frames in order. Its writer and its pump exist while they have work. All
// rounds over sockets (ping, renew, sweep) are loops of the server: a ticker
// for each socket would cost more than the socket. Everything is started by
// Server.spawn or in Run, and Run returns when all of it is gone.
//
// # Locks
//
// "A → B" means that B may be taken while A is held. None is held across Redis
// or a socket.
//
//	feed.mu → socket.mu → outbox.mu   an entry goes to many outboxes
//	box.mu  → socket.mu → outbox.mu   pushes of a lane stay in order
//	feed.mu → box.mu, pump.mu         a feed in doubt has its peers look at everything
//	feed.mu → renewer.mu              and their leases looked after
//	hub.mu → feed.mu                  what a feed knew when its last peer had gone
//	conn.mu, bus.mu, hooks.mu, server.mu are taken alone, or last
//
// # Decisions
//
//   - Frames are encoded as WebSocket frames once and written past gws, which
//     would copy them for each socket. gws upgrades, reads, and answers closes.
//   - A peer that never acks gets a first window of messages, a ping behind
//     them, and the next window when it is answered. The answer counts as one
//     of five pushes after which a message is taken for delivered.
//   - When a socket is lost its member's inbox is handed to the member's other
//     connections at once; the peer's own inbox waits for it.
//   - A peer that is sent away is served until its moment: the restarting
//     frames go out together, the closes one after the other.
//   - A resume token is not trusted: the attach script compares what it says
//     with the record, and the peer's signature is the proof. So its key may
//     lie in Redis where none is configured. It has no time of its own, because
//     it must still serve when a connection of days is lost; the lease ends it.
//   - The pump starts behind hello_ack, so that nothing can overtake it; what
//     fails after it is tried again, not refused.
package edge
