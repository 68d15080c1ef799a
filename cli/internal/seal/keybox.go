package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"
)

// sealedKeyLen is a sealed key with the public key that opens it in front:
// 32 + 16 + 32 bytes.
const sealedKeyLen = KeyLen + box.Overhead + KeyLen

// Anonymous seals data to a key without saying who sealed it.
func Anonymous(to ed25519.PublicKey, data []byte) (string, error) {
	peer, err := PublicToX25519(to)
	if err != nil {
		return "", err
	}
	sealed, err := box.SealAnonymous(nil, data, peer, rand.Reader)
	if err != nil {
		return "", fmt.Errorf("seal: anonymous box: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

// OpenAnonymous opens what [Anonymous] sealed.
func OpenAnonymous(secret ed25519.PrivateKey, text string) ([]byte, error) {
	sealed, err := decode64(text)
	if err != nil {
		return nil, err
	}
	return openAnonymous(SecretToX25519(secret), sealed)
}

// OpenRootKey opens the root key in the answer to a claimed invite, which is
// URL-safe base64 without padding for a throw-away X25519 key.
func OpenRootKey(secret *Key, text string) (*Key, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrMalformed
	}
	root, err := openAnonymous((*[KeyLen]byte)(secret), sealed)
	if err != nil {
		return nil, err
	}
	if len(root) != KeyLen {
		return nil, ErrMalformed
	}
	return (*Key)(root), nil
}

func openAnonymous(secret *[KeyLen]byte, sealed []byte) ([]byte, error) {
	var pub [KeyLen]byte
	curve25519.ScalarBaseMult(&pub, secret)
	data, ok := box.OpenAnonymous(nil, sealed, &pub, secret)
	if !ok {
		return nil, ErrNotForUs
	}
	return data, nil
}

// TopicKey seals a topic's key to a member. The sender's X25519 public key
// stands in front of the box, so the copy opens without knowing who made it.
func TopicKey(key *Key, from *[KeyLen]byte, to ed25519.PublicKey) (Box, error) {
	return topicKey(newNonce(), key, from, to)
}

func topicKey(n *nonce, key *Key, from *[KeyLen]byte, to ed25519.PublicKey) (Box, error) {
	peer, err := PublicToX25519(to)
	if err != nil {
		return Box{}, err
	}
	var pub [KeyLen]byte
	curve25519.ScalarBaseMult(&pub, from)
	return newBox(n, box.Seal(pub[:], key[:], n, peer, from)), nil
}

// OpenTopicKey opens what [TopicKey] sealed, with the key inside the blob: what
// a broker says about the sender is wrong for copies that were made later.
func OpenTopicKey(secret ed25519.PrivateKey, b Box) (*Key, error) {
	n, blob, err := b.parts()
	if err != nil {
		return nil, err
	}
	if len(blob) != sealedKeyLen {
		return nil, ErrMalformed
	}
	key, ok := box.Open(nil, blob[KeyLen:], n, (*[KeyLen]byte)(blob), SecretToX25519(secret))
	if !ok {
		return nil, ErrNotForUs
	}
	return (*Key)(key), nil
}
