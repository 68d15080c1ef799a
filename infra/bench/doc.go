// Package bench measures what a mesh costs and prints each figure beside what
// it is held against. It is what `make bench` starts.
//
// # How it measures
//
// A figure and what it is held against are measured by turns, in one run and on
// one machine, so that whatever else the machine does falls on both; what
// counts is the ratio. Each is measured several times: the table shows the
// median and, in brackets, the range. A range as wide as the distance to the
// goal means that the machine was too busy to tell.
//
// Edges, Redis and the bare programs are processes of their own, whose
// processor time is read from outside, so the peers that this process plays are
// not counted. They do share the machine's cores with what is measured: that
// matters for latencies and for whatever is counted by the second, and not for
// processor time.
//
//	direct   a direct message that is stored, acked, pushed and acked by its reader
//	latency  the same at half of the load that the machine takes
//	fanout   one broadcast to many sockets
//	idle     peers that say nothing: memory and Redis's time
//	waiting  messages that nobody has fetched
//	storm    everybody comes back at once, by a handshake and by a resume
//	pair     two edges instead of one
//	growth   a hundred times as many meshes, members, waiting messages
//
// # What it is held against
//
// "The same scripts" are the verbs of package queue called by this process,
// with as many callers at once as there are messages on their way. "The least
// scripts" are those in lua: a message kept in a stream, a bell and a removal,
// and none of what the promises add. The bare programs are in barews.go: gws
// and go-redis, and nothing of ours.
//
//	bench.go     the sections, their bound in time
//	table.go     rows
//	process.go   children and what they have used
//	fleet.go     one Redis and some edges
//	mesh.go      meshes and members
//	peer.go      a peer that costs little
//	load.go      pairs of peers that write to each other
package bench
