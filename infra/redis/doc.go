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
// A [Script] is a Lua file that a room embeds. [Client.Run] sends it through
// go-redis's auto-pipeline, so that concurrent callers share round trips. No
// command is ever retried by the client: a script that ran although its answer
// was lost would run twice. Each script starts with a prelude that offers
// now_ms(), now_us() and bell(channel, message).
//
// # Configuration
//
// redis.conf is the one configuration for `make run`, the tests and
// production. [Client.Check] compares a running server with it, because a
// managed service may bring its own.
package redis
