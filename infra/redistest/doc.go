// Package redistest starts a private, real Redis server for one test: a child
// process on its own Unix socket, with the production configuration. It ends
// with the test. A machine without a server gets one installed; one where that
// is impossible fails the test rather than skipping it.
package redistest
