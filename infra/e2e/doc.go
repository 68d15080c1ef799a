// Package e2e tests what no room can test alone: the house itself, and the
// promises of the whole system with real binaries and a real Redis.
//
// The house tests read the module rather than run it. Each rule carries its
// reason, which is what a failure prints: who breaks one learns what the rule
// protects, and may decide that the rule has to change. Then it changes here
// first.
package e2e
