// Package mailbox keeps what a session was sent, on disk, until it was shown.
//
// A session has several doors through which messages reach its user: a line of
// listen, the inbox command, the next result of a tool, a notification. All of
// them take from one mailbox, so each message is shown once, whichever door
// comes first and whatever was restarted in between:
//
//	Add ──▶ unread ──Claim──▶ claimed ──Shown──▶ surfaced
//	           ▲                 │
//	           └────Release──────┘   the door was slammed
//
// Add returns once the message is on disk; only then may it be acknowledged to
// the broker. It waits while too much is unread, so that what nobody reads
// stays with the broker.
//
// The mailbox also remembers which receipts are owed (see package receipt), so
// that a crash delays them and does not lose them.
//
// The file (0600) is a log of JSON lines, rewritten when it is opened and when
// it has grown. Whoever holds the session's lock is its only writer.
package mailbox
