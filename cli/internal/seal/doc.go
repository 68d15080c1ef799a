// Package seal closes and opens everything that a broker must not read.
//
// It lives under cli/internal on purpose: a broker that imported it would not
// compile.
//
// # Direct messages
//
// A direct message is a NaCl box (X25519, XSalsa20-Poly1305) between the
// sender's and the recipient's Ed25519 keys, both converted to X25519. The
// sender uses the key that the broker will report as senderPubkey. Nonce and
// ciphertext travel as standard base64 with padding; nothing else is accepted.
// A box that does not open is reported, never decoded as text.
//
// # Group messages
//
// A broadcast or group message is a secretbox under a key that every member can
// derive from the mesh's root key:
//
//	key = HKDF-SHA256(secret = root key (32 bytes), salt = mesh id, info = "v1|" EPOCH "|" GROUP), 32 bytes
//
// EPOCH is plain decimal; 0 is the only epoch so far. GROUP is "*" for a
// broadcast (targets "*" and "@all"), else the target without its "@".
//
// A shared key authenticates nobody, so the sender signs inside the box. The
// frame's ciphertext is the base64 of an envelope; integers are big-endian:
//
//	header   magic   4   ff 43 4d 47
//	         version 1   01
//	         epoch   4
//	         length  2   of the group name
//	         group   n   UTF-8, without "@"
//	box      secretbox of the body under key and the frame's 24-byte nonce: tag 16, then as long as the body
//
//	body     signature 64  Ed25519, by the sender key, over the statement
//	         sender    32  Ed25519 public key; must be the push's senderPubkey
//	         time      8   milliseconds since 1970, not after the year 9999
//	         length    2   of the client message id
//	         id        n   client message id
//	         text      …   UTF-8, to the end
//
//	statement  "claudemesh-group-message" 00, then six fields, each as length (4 bytes) and bytes:
//	           header, mesh id, sender key (32), time (8), client message id, text
//
// The magic starts with ff, which no UTF-8 text contains, so an envelope and a
// clear-text message of an older client cannot be mistaken for each other. The
// clear header is bound twice: its epoch and group choose the key, and all of
// it is signed. An unknown epoch is refused rather than guessed.
//
// What a signature proves: the holder of senderPubkey wrote this text for this
// group of this mesh. Which member holds that key is the broker's word.
//
// # Shared texts
//
// What a mesh keeps (state, memories, tasks …) is sealed in the same manner, but
// signed by the member, bound to where it stands, and written as one word that
// fits where existing clients keep a text. shared.go has it; PROTOCOL.md,
// section 25, its bytes.
//
// # The rest
//
// Secretboxes, sealed boxes, topic keys, vault entries and backups follow the
// formats that existing clients use; each has vectors. The key of a vault entry
// is derived, so that its owner can tell it from what others made: vault.go.
package seal
