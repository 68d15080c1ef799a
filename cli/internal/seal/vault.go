package seal

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// A vault entry is a secretbox whose key lies beside it, sealed to its owner.
// Existing clients draw that key, so that whoever knows the owner's public key
// can make an entry. Ours derive it from the owner's secret key and from where
// the entry stands: existing clients open it all the same, and nobody else can
// have made it.

// vaultInfo begins what a vault entry's key is derived with.
const vaultInfo = "claudemesh-vault\x00"

// A VaultPlace is where a vault entry stands, and what becomes of it there.
type VaultPlace struct{ Mesh, Key, Type, MountPath string }

// VaultEntry is a value that only its owner can read back.
type VaultEntry struct {
	Box
	SealedKey string // the value's key, sealed to the owner
}

// Vault seals value to its owner's own key, for one place.
func Vault(owner ed25519.PrivateKey, p VaultPlace, now time.Time, value []byte) (VaultEntry, error) {
	// The time has no place of its own in an entry of existing clients. In the
	// nonce, of which 16 random bytes remain, the key is bound to it.
	n := newNonce()
	binary.BigEndian.PutUint64(n[:], uint64(now.UnixMilli()))
	key, err := vaultKey(n, owner, p)
	if err != nil {
		return VaultEntry{}, err
	}
	sealed, err := Anonymous(owner.Public().(ed25519.PublicKey), key[:])
	if err != nil {
		return VaultEntry{}, err
	}
	return VaultEntry{Box: secret(n, key, value), SealedKey: sealed}, nil
}

// OpenVault opens an entry. Proven is when its owner sealed it for this place;
// it is zero for what anybody can have sealed, such as a broker.
func OpenVault(owner ed25519.PrivateKey, p VaultPlace, e VaultEntry) (value []byte, proven time.Time, err error) {
	key, err := OpenAnonymous(owner, e.SealedKey)
	if err != nil {
		return nil, time.Time{}, err
	}
	if len(key) != KeyLen {
		return nil, time.Time{}, ErrMalformed
	}
	if value, err = OpenSecret((*Key)(key), e.Box); err != nil {
		return nil, time.Time{}, err
	}
	n, _, err := e.parts()
	if err != nil {
		return nil, time.Time{}, err
	}
	own, err := vaultKey(n, owner, p)
	if err != nil {
		return nil, time.Time{}, err
	}
	if ms := binary.BigEndian.Uint64(n[:]); ms <= maxGroupTime && subtle.ConstantTimeCompare(own[:], key) == 1 {
		proven = time.UnixMilli(int64(ms)).UTC()
	}
	return value, proven, nil
}

// vaultKey derives an entry's key. Every field carries its length.
func vaultKey(n *nonce, owner ed25519.PrivateKey, p VaultPlace) (*Key, error) {
	info := []byte(vaultInfo)
	for _, field := range [][]byte{[]byte(p.Key), []byte(p.Type), []byte(p.MountPath), n[:]} {
		info = binary.BigEndian.AppendUint32(info, uint32(len(field)))
		info = append(info, field...)
	}
	key, err := hkdf.Key(sha256.New, owner.Seed(), []byte(p.Mesh), string(info), KeyLen)
	if err != nil {
		return nil, fmt.Errorf("seal: key of a vault entry: %w", err)
	}
	return (*Key)(key), nil
}
