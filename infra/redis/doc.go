// Package redis is how every process of the project reaches Redis: one client,
// one server configuration, one rule for where a mesh's keys live.
//
// # Partitions
//
// Every key of a mesh carries the hash tag {p<n>}, where n is a hash of the
// mesh id modulo the number of partitions. All keys of a mesh are therefore in
// one cluster slot and one script can change them together. The number of
// partitions is fixed at the first start and stored in Redis; a process that
// was configured otherwise refuses to run, because it would look for every
// mesh in the wrong place.
//
// # Scripts
//
// A [Script] is a Lua file that a room embeds. Concurrent callers of
// [Client.Run] share round trips: see pipeline.go. Each script starts with a
// prelude that offers now_ms(), now_us(), text(n) and bell(channel, message).
//
// # A cluster
//
// The same code serves one node and a Redis Cluster. Each node has a pipeline
// of its own, so that one that is away holds up nobody else's keys. A command
// is repeated only when it certainly did not run: a redirection, a slot on its
// way, a shard without a master, a connection that was never made. After a
// connection that broke nothing is repeated, because a script that ran although
// its answer was lost would run twice. Bells ring in their slot (SPUBLISH), and
// [Client.RunDurable] waits for replicas.
//
// # Configuration
//
// redis.conf is the one configuration for `make run`, the tests and
// production. [Client.Check] compares a running server with it, because a
// managed service may bring its own.
package redis
