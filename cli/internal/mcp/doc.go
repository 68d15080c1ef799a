// Package mcp shows a session to a model: a Model Context Protocol server whose
// tools list peers, send messages and hand over what arrived.
//
// # How messages reach the model
//
// A model sees nothing between its tool calls unless its client lets it. So
// there are three doors, and one mailbox behind them (package mailbox); each
// message goes through the first door that opens:
//
//	notification   at once, where the client takes channel messages: it declares
//	               the experimental capability claude/channel, or the server was
//	               told so
//	tool result    every result carries what is unread, under "mail"
//	check_messages the same, for whoever has nothing else to call
//
// A client that says nothing about channels gets notifications too, but without
// the message: only that some wait. Whether anybody looks at them cannot be
// known, and a message must be neither lost nor shown twice.
//
// A message counts as surfaced once the bytes that carry it were written to the
// client, not before; if that fails it is unread again.
//
// # What others wrote
//
// is data. It stands in JSON fields of its own, attributed, bounded, without
// control characters, and each time under a sentence that says so.
//
// What the mesh shares (state, memories, contexts, tasks, skills) is shown only
// to a model that asks for it. A changed value is addressed to nobody, and every
// one of them in front of every model would cost all of them attention; who
// wants another to act on a change sends a message. A skill alone is meant to be
// followed, so it stands under a warning of its own.
package mcp
