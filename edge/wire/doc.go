// Package wire is the protocol between a peer and an edge, and its one home:
// every byte that leaves a process is defined here. It imports nothing of this
// module, so that a peer in any program can speak it. PROTOCOL.md tells the
// same in prose, for peers in other languages.
//
// # Conversation
//
// One JSON object per WebSocket text message; "type" names it.
//
//	peer                                      edge
//	  hello | session_hello            →
//	                                   ←      hello_ack, or error and a close
//	                                   ←      push (what waited, then what is new)
//	  send {id, targetSpec, …}         →
//	                                   ←      ack {id, messageId} or ack {id, error}
//	  client_ack {brokerMessageId}     →
//	  list_peers {_reqId}              →
//	                                   ←      peers_list {_reqId, peers}
//	                                   ←      restarting, then close 1012
//
// The edge reads who wrote to whom. It cannot read a ciphertext: nothing in
// this package opens or makes a box.
//
// # Reading and writing
//
// [Decode] reads what a peer sends, [DecodeFromEdge] what an edge sends, and
// [Encode] writes either. A frame that cannot be acted on is a [*DecodeError],
// which knows the answer it deserves.
//
// What types of frames there are, who sends them and what answers them, is one
// list: [Catalogue]. A frame that asks is a [Request], one that answers a
// [Reply], and one that no edge serves yet a [Later].
//
// # Handshakes
//
// The checks of a handshake are steps, because two of them need a registry and
// have their place in the middle. For a [Hello]:
//
//	h.CheckKeys() → capacity → h.Verify(now) → h.CheckFields() → registry
//
// and for a [SessionHello]:
//
//	h.CheckKeys() → capacity → h.Verify(now) → h.CheckFields() → registry → h.CheckParent(id)
//
// Each step returns a [*Refusal], nil when the step is passed.
package wire
