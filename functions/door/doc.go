// Package door is what every function does before and after its own work: read
// a bounded body, limit how often one address may come, answer in JSON, and
// give up in time.
//
// A function never waits for longer than [Within] allows. When Redis is away
// it says so with 503 and Retry-After, so that an edge that forwards to it, or
// a client, knows that coming back is right.
package door
