package seal

import "errors"

var (
	// ErrMalformed says that the bytes have no shape that could be opened: bad
	// base64, a wrong length, text that is not UTF-8.
	ErrMalformed = errors.New("seal: malformed")
	// ErrNotForUs says that a box between two keys did not open: it was made for
	// another key, by another key, or altered. The primitive cannot tell which.
	ErrNotForUs = errors.New("seal: not sealed for this key")
	// ErrTampered says that a group message did not open under the group's key,
	// or that what it holds contradicts its signature or its frame. It must not
	// be shown.
	ErrTampered = errors.New("seal: altered, or not from its sender")
	// ErrUnknownEpoch says that a group message names a key epoch, or a version
	// of the envelope, that this client does not know. A newer one may open it.
	ErrUnknownEpoch = errors.New("seal: unknown key epoch")
	// ErrNoKey says that the mesh's root key is needed and not here. Joining
	// again by a link that carries it is the remedy.
	ErrNoKey = errors.New("seal: no root key for this mesh")
	// ErrBadKey says that a public key is not one: not a point of the curve, or
	// one of small order, with which a box would be open to everybody.
	ErrBadKey = errors.New("seal: bad public key")
	// ErrBadGroup says that a target names no group that could be sealed for.
	ErrBadGroup = errors.New("seal: bad group name")
	// ErrPassphrase says that a backup's passphrase is too short to be used.
	ErrPassphrase = errors.New("seal: passphrase shorter than 12 characters")
)
