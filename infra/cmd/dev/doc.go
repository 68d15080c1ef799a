// Dev runs a whole broker on one machine with one command: a private Redis and
// an edge in front of it. It is what `make run` starts.
//
// # What runs
//
//	dev ──┬── redis-server   child; unix socket below the data directory, no TCP
//	      └── edge           child; EDGE_REDIS_URL points at that socket
//
// Redis is found, or installed, by infra/provision. Where none can be had, an
// in-memory imitation inside this process takes over, and says loudly that
// nothing survives a restart.
//
// # How it ends
//
// The edge is told first and drains while Redis still answers; then Redis is
// told and writes its file. Ctrl-C reaches this process alone, because each
// child is in a process group of its own. A second Ctrl-C ends the edge at
// once; Redis still gets to write. If a child ends by itself, everything stops
// with its last words. On Linux the children end with this process even if it
// is killed.
//
// # Data
//
// Everything is below one directory, .data by default: the append-only file,
// Redis's log, its socket, a lock that keeps two runs apart, and one that Redis
// holds, for which the run after one that was killed waits.
package main
