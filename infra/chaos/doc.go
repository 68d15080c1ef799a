// Package chaos runs a whole fleet on this machine, does everything to it that
// a machine room does, and has the history of the run checked. It is what
// `make fleet` and `make chaos` start.
//
// # What runs
//
//	chaos ──┬── redis-server   one, or a cluster; see Backend
//	        ├── edge × 3       each behind a link of its own to Redis
//	        ├── haproxy        in front of the edges; where there is none, a balancer of ours
//	        └── loadpeer × n   real clients of cli/internal/peer, commanded by lines
//
//	world.go     the meshes, members and keys of a run, made from its seed
//	fleet.go     the processes; each may be killed, stopped, drained, restarted
//	link.go      a proxy between one edge and Redis: late, stuck, cut
//	balancer.go  HAProxy, or the fall-back
//	driver.go    a loadpeer process and its lines
//	load.go      who sends what to whom, who leaves how
//	faults.go    what is done to edges and to Redis, and undone
//	scenario.go  which faults, in which order
//	skew.go      edges whose clocks are wrong
//	run.go       from the first process to the report
//
// # What a seed fixes
//
// Keys, targets, the choice and length of faults and their pauses. Not the
// moment at which the kernel runs what: a seed that broke a promise breaks it
// again often, not always. The history of every run is kept for that reason.
package chaos
