package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/nacl/secretbox"
)

const (
	// SharedMark begins every sealed text of what a mesh shares. Clear text that
	// begins so cannot be told apart, and is not written.
	SharedMark = "cm1:"

	sharedVersion   = 1
	sharedEpoch     = 0 // the only one so far
	sharedStatement = "claudemesh-shared\x00"
	sharedInfo      = "share-v1|" // not "v1|", under which groups have their keys

	maxPurpose = 1<<8 - 1
	maxPlace   = 1<<16 - 1
)

// A Place is where something shared stands: what is taken from there does not
// open elsewhere.
type Place struct {
	Mesh    string
	Purpose string // what it is, such as "state"; each has a key of its own
	Name    string // under which it is found, where the writer knows that; else empty
	Root    *Key   // nil: we have none
}

// Shared is a text that a mesh shares, opened.
type Shared struct {
	Author ed25519.PublicKey // the member that signed it
	Time   time.Time         // by the author's clock
	Text   string
}

// IsShared reports whether a text claims to be sealed.
func IsShared(text string) bool { return strings.HasPrefix(text, SharedMark) }

// ForShared seals a text for all members, signed by one of them. The result is
// one word of ASCII.
func ForShared(p Place, author ed25519.PrivateKey, now time.Time, text string) (string, error) {
	return forShared(newNonce(), p, author, now, text)
}

func forShared(n *nonce, p Place, author ed25519.PrivateKey, now time.Time, text string) (string, error) {
	if p.Purpose == "" || len(p.Purpose) > maxPurpose || len(p.Name) > maxPlace || !utf8.ValidString(text) {
		return "", ErrMalformed
	}
	key, err := sharedKey(p, sharedEpoch)
	if err != nil {
		return "", err
	}
	s := Shared{Author: author.Public().(ed25519.PublicKey), Time: now, Text: text}
	header := sharedHeader(sharedEpoch, p.Purpose)
	body := slices.Concat(ed25519.Sign(author, sharedStatementOf(header, p, s)), s.Author, sharedTime(s.Time), []byte(text))
	sealed := secretbox.Seal(append(slices.Clone(header), n[:]...), body, n, (*[KeyLen]byte)(key))
	return SharedMark + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// OpenShared opens what [ForShared] sealed for the same place.
func OpenShared(p Place, text string) (Shared, error) {
	encoded, marked := strings.CutPrefix(text, SharedMark)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !marked || err != nil || base64.RawURLEncoding.EncodedLen(len(raw)) != len(encoded) {
		return Shared{}, ErrMalformed
	}
	header, epoch, purpose, sealed, err := splitShared(raw)
	if err != nil {
		return Shared{}, err
	}
	if purpose != p.Purpose {
		return Shared{}, fmt.Errorf("%w: sealed as %q", ErrTampered, purpose)
	}
	key, err := sharedKey(p, epoch)
	if err != nil {
		return Shared{}, err
	}
	if len(sealed) < nonceLen {
		return Shared{}, ErrMalformed
	}
	body, ok := secretbox.Open(nil, sealed[nonceLen:], (*nonce)(sealed), (*[KeyLen]byte)(key))
	if !ok {
		return Shared{}, ErrTampered
	}
	return verifyShared(header, p, body)
}

func verifyShared(header []byte, p Place, body []byte) (Shared, error) {
	const fixed = ed25519.SignatureSize + ed25519.PublicKeySize + 8
	if len(body) < fixed || !utf8.Valid(body[fixed:]) {
		return Shared{}, ErrMalformed
	}
	signature, author := body[:ed25519.SignatureSize], body[ed25519.SignatureSize:fixed-8]
	ms := binary.BigEndian.Uint64(body[fixed-8:])
	if ms > maxGroupTime {
		return Shared{}, ErrMalformed
	}
	s := Shared{Author: slices.Clone(author), Time: time.UnixMilli(int64(ms)).UTC(), Text: string(body[fixed:])}
	if !ed25519.Verify(s.Author, sharedStatementOf(header, p, s), signature) {
		return Shared{}, ErrTampered
	}
	return s, nil
}

// sharedKey derives the key of a purpose. It knows epoch 0 only.
func sharedKey(p Place, epoch uint32) (*Key, error) {
	if epoch != sharedEpoch {
		return nil, ErrUnknownEpoch
	}
	if p.Root == nil {
		return nil, ErrNoKey
	}
	info := sharedInfo + strconv.FormatUint(uint64(epoch), 10) + "|" + p.Purpose
	key, err := hkdf.Key(sha256.New, p.Root[:], []byte(p.Mesh), info, KeyLen)
	if err != nil {
		return nil, fmt.Errorf("seal: key of %s: %w", p.Purpose, err)
	}
	return (*Key)(key), nil
}

func sharedHeader(epoch uint32, purpose string) []byte {
	h := binary.BigEndian.AppendUint32([]byte{sharedVersion}, epoch)
	return append(append(h, byte(len(purpose))), purpose...)
}

// splitShared parses the clear header of an envelope. What follows is the nonce
// and the box.
func splitShared(raw []byte) (header []byte, epoch uint32, purpose string, sealed []byte, err error) {
	const fixed = 1 + 4 + 1
	if len(raw) == 0 {
		return nil, 0, "", nil, ErrMalformed
	}
	if raw[0] != sharedVersion {
		return nil, 0, "", nil, ErrUnknownEpoch
	}
	if len(raw) < fixed || raw[fixed-1] == 0 || len(raw) < fixed+int(raw[fixed-1]) {
		return nil, 0, "", nil, ErrMalformed
	}
	header = bytes.Clone(raw[:fixed+int(raw[fixed-1])])
	return header, binary.BigEndian.Uint32(raw[1:]), string(header[fixed:]), raw[len(header):], nil
}

func sharedTime(t time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli()))
}

// sharedStatementOf is what the author signs. Every field carries its length.
func sharedStatementOf(header []byte, p Place, s Shared) []byte {
	b := []byte(sharedStatement)
	for _, field := range [][]byte{header, []byte(p.Mesh), []byte(p.Name), s.Author, sharedTime(s.Time), []byte(s.Text)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	return b
}
