package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"

	"filippo.io/edwards25519"
)

// KeyLen is the length of every symmetric and X25519 key here, in bytes.
const KeyLen = 32

// Key is a secret key of a secretbox, or an X25519 secret. It does not show in
// logs.
type Key [KeyLen]byte

// String hides the key.
func (Key) String() string { return "[secret]" }

// GoString hides the key.
func (Key) GoString() string { return "[secret]" }

// inverseOfCofactor undoes the multiplication by the cofactor, but only for
// points of the prime-order subgroup.
func inverseOfCofactor() *edwards25519.Scalar {
	eight := [32]byte{8}
	s, err := edwards25519.NewScalar().SetCanonicalBytes(eight[:])
	if err != nil {
		panic("seal: 8 is a scalar: " + err.Error())
	}
	return s.Invert(s)
}

// PublicToX25519 converts an Ed25519 public key. It returns [ErrBadKey] for
// whatever is not a canonical point of the prime-order subgroup: with a point
// of small order anybody could compute the shared secret.
func PublicToX25519(pub ed25519.PublicKey) (*[KeyLen]byte, error) {
	p, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil || !bytes.Equal(p.Bytes(), pub) {
		return nil, ErrBadKey
	}
	cleared := new(edwards25519.Point).MultByCofactor(p)
	if cleared.Equal(edwards25519.NewIdentityPoint()) == 1 {
		return nil, ErrBadKey
	}
	if cleared.ScalarMult(inverseOfCofactor(), cleared).Equal(p) != 1 {
		return nil, ErrBadKey
	}
	return (*[KeyLen]byte)(p.BytesMontgomery()), nil
}

// SecretToX25519 converts an Ed25519 secret key.
func SecretToX25519(secret ed25519.PrivateKey) *[KeyLen]byte {
	h := sha512.Sum512(secret.Seed())
	out := (*[KeyLen]byte)(h[:KeyLen])
	out[0] &= 248
	out[31] = out[31]&127 | 64
	return out
}

// ParsePublic reads a public key from 64 hex characters of either case.
func ParsePublic(text string) (ed25519.PublicKey, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: not 64 hex characters", ErrBadKey)
	}
	return b, nil
}

// IsKey reports whether target is a key as it must stand in a frame: exactly
// 64 lowercase hex characters. Only such a target can be sealed for.
func IsKey(target string) bool {
	return len(target) == 2*ed25519.PublicKeySize && strings.Trim(target, "0123456789abcdef") == ""
}

const decoyLabel = "claudemesh-no-root-key|"

// Decoy makes a root key that is none. An invite whose reader would post the
// link to a broker carries one, because the link's shape demands a key. Half of
// it is a hash of the other half: that tells our clients, and nobody by chance,
// that the mesh's real key is not here.
func Decoy() Key {
	var k Key
	rand.Read(k[:KeyLen/2])
	sum := sha256.Sum256(append([]byte(decoyLabel), k[:KeyLen/2]...))
	copy(k[KeyLen/2:], sum[:])
	return k
}

// IsDecoy reports whether [Decoy] made k.
func IsDecoy(k Key) bool {
	sum := sha256.Sum256(append([]byte(decoyLabel), k[:KeyLen/2]...))
	return bytes.Equal(k[KeyLen/2:], sum[:KeyLen/2])
}
