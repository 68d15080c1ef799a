// Package edgetest runs whole edges in a test: real sockets on 127.0.0.1, a
// real Redis server of the test's own, and a client that speaks the protocol to
// the letter and can misbehave on request.
//
//	e := edgetest.Start(t)
//	m := e.NewMesh()
//	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
//	ack := ana.Message(bob.Key(), "hello")
//	push := edgetest.Next[*wire.Push](bob)
//
// Everything ends with the test. Two edges share a Redis by
// [WithRedis](e.Redis). No method waits longer than [Patience]; where a test
// fails, it fails where it was called.
package edgetest
