// Package peer is the client's side of a connection to a mesh: it keeps one
// alive, seals what goes out and opens what comes in.
//
// A [Client] runs until its context ends or coming back would be wrong. Between
// two connections nothing is lost:
//
//   - a send is repeated under the same client message id until it is acked;
//   - a message is acked only after the handler has taken it, so what was on its
//     way comes again, and is recognised;
//   - broadcasts and events are read on from a cursor, which moves after the
//     handler has taken the entry.
//
// A lost connection is resumed by the token of the last greeting; a broker that
// does not take it is said hello to on the same connection.
//
// A question ([Client.Ask]) that only reads is asked again; a change of which the
// outcome is unknown is not made twice.
//
// # Goroutines of a connection
//
//	read     gws's loop: decodes frames, resolves acks and answers, queues pushes
//	deliver  opens pushes in order and hands them to the handler
//	write    the only writer of application frames
//	serve    handshake, pings, watchdog; ends the others and waits for them
//
// A slow handler fills the queue of pushes, which stops the read loop, which
// stops the broker: nothing grows.
package peer
