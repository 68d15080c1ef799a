// Package outbox keeps what was accepted for sending, on disk, until the broker
// has it; and then what became of it.
//
// A message is one file, DIR/outbox/MESHID/ID.json (0600), named by its client
// message id: whoever sends it, and however often, it is one message. Until the
// broker has it the file holds the text in clear, like everything that this
// user keeps for himself: whether a group is sealed is decided when it leaves.
// Afterwards only a digest of the text is left, by which receipts are checked.
//
//	waiting ──▶ stored ──▶ (delivered ──▶ surfaced: by receipts)
//	   ├─────▶ failed      given up, with a reason
//	   └─────▶ cancelled
//
// A message that could not be sent for [GiveUp] fails: the broker remembers ids
// for 24 hours, and repeating one after that could send it twice.
//
// Changes are made under a lock of the directory, because several commands may
// run at once.
package outbox
