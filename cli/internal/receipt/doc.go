// Package receipt is what a recipient's program says about a message: that it
// has it, and that it was shown. A broker can claim a delivery; only the
// recipient can sign one.
//
// # Asking
//
// A sender asks by the form of its client message id ([NewID]), which brokers
// carry and existing clients take for any other id. So nobody is sent a receipt
// who did not ask, and a receipt, whose id is not of that form, asks for none.
// Only a sender with a session key asks: its inbox is read by nobody else.
//
// # Format
//
// A receipt is a direct message, sealed like any other, of priority now. Its
// plaintext is
//
//	magic    4  ff 43 4d 52; no UTF-8 text begins so
//	version  1  01
//	rest        JSON: {"receipts":[{"id","state","at","key","text","signature"}]}, at most 64 of them
//
// and each signature is Ed25519, by the key that the message was sealed for,
// over the UTF-8 text
//
//	claudemesh-receipt|MESH|SENDERKEY|ID|TEXT|STATE|AT|KEY
//
// with TEXT the SHA-256 of the message's text in hex, AT in milliseconds since
// 1970, and KEY the signer. The sender knows all of it but STATE and AT, so a
// broker that hands over another message, or none, is found out.
package receipt
