package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"unicode/utf8"

	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/nacl/secretbox"
)

// Box is a sealed message as it stands in a frame: both parts in standard
// base64 with padding.
type Box struct {
	Nonce      string
	Ciphertext string
}

const nonceLen = 24

type nonce = [nonceLen]byte

func newNonce() *nonce {
	n := new(nonce)
	rand.Read(n[:]) // never fails: it ends the program instead
	return n
}

func newBox(n *nonce, sealed []byte) Box {
	return Box{
		Nonce:      base64.StdEncoding.EncodeToString(n[:]),
		Ciphertext: base64.StdEncoding.EncodeToString(sealed),
	}
}

// decode64 accepts the one alphabet that existing clients accept. The standard
// decoder alone would also skip line breaks.
func decode64(text string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodedLen(len(b)) != len(text) {
		return nil, ErrMalformed
	}
	return b, nil
}

// parts decodes b.
func (b Box) parts() (*nonce, []byte, error) {
	n, err := decode64(b.Nonce)
	if err != nil || len(n) != nonceLen {
		return nil, nil, ErrMalformed
	}
	sealed, err := decode64(b.Ciphertext)
	if err != nil {
		return nil, nil, err
	}
	return (*nonce)(n), sealed, nil
}

// Direct seals text from one key to another.
func Direct(from ed25519.PrivateKey, to ed25519.PublicKey, text []byte) (Box, error) {
	return direct(newNonce(), from, to, text)
}

func direct(n *nonce, from ed25519.PrivateKey, to ed25519.PublicKey, text []byte) (Box, error) {
	peer, err := PublicToX25519(to)
	if err != nil {
		return Box{}, err
	}
	return newBox(n, box.Seal(nil, text, n, peer, SecretToX25519(from))), nil
}

// OpenDirect opens what [Direct] sealed. It returns [ErrNotForUs] when the box
// does not open.
func OpenDirect(to ed25519.PrivateKey, from ed25519.PublicKey, b Box) ([]byte, error) {
	n, sealed, err := b.parts()
	if err != nil {
		return nil, err
	}
	peer, err := PublicToX25519(from)
	if err != nil {
		return nil, err
	}
	text, ok := box.Open(nil, sealed, n, peer, SecretToX25519(to))
	if !ok {
		return nil, ErrNotForUs
	}
	return text, nil
}

// Plain encodes text that is not sealed at all, as existing clients send
// broadcasts. The nonce is noise, which the frame's shape demands.
func Plain(text string) Box {
	return newBox(newNonce(), []byte(text))
}

// OpenPlain decodes what [Plain] encoded.
func OpenPlain(b Box) (string, error) {
	text, err := decode64(b.Ciphertext)
	if err != nil || !utf8.Valid(text) {
		return "", ErrMalformed
	}
	return string(text), nil
}

// Secret seals data under a shared key.
func Secret(key *Key, data []byte) Box {
	return secret(newNonce(), key, data)
}

func secret(n *nonce, key *Key, data []byte) Box {
	return newBox(n, secretbox.Seal(nil, data, n, (*[KeyLen]byte)(key)))
}

// OpenSecret opens what [Secret] sealed.
func OpenSecret(key *Key, b Box) ([]byte, error) {
	n, sealed, err := b.parts()
	if err != nil {
		return nil, err
	}
	data, ok := secretbox.Open(nil, sealed, n, (*[KeyLen]byte)(key))
	if !ok {
		return nil, ErrNotForUs
	}
	return data, nil
}
