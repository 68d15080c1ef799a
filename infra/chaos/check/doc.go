// Package check holds a history against the promises of a mesh. It is pure:
// what it finds depends on the records alone.
//
//	truth.go      who was in contact when, by what the peers themselves saw
//	trouble.go    what the faults excuse
//	departures.go L1, L2: who was announced as left, when, how often
//	views.go      join before leave, as each peer saw it; nothing appended twice
//	messages.go   Q1, Q2, Q3: lost, doubled, phantom, disordered; L3, L4
//	linear.go     every lane as a first-in-first-out queue, by Porcupine
//	roster.go     the lists of peers after the faults
//
// # What is known, and what is not
//
// A peer knows when it was greeted and when its connection ended. In between it
// is in contact, except while its edge is stopped or cut off from Redis. Outside
// of that it is silent, and whether a silent peer may or must be announced
// follows from how long. A connection that was tried and not greeted may have
// taken the lease without the peer's knowing; it excuses, and never accuses.
//
// Times are compared with some slack, because a process of a crowded machine
// may notice late what the kernel did in time.
package check
