package wire

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Parts of a short link. A code has 131 bits.
const (
	CodeLength          = 22
	LinkSecretSize      = 16
	FingerprintSize     = 16
	MaxSealedInvite     = 8192 // characters
	sealedInviteVersion = 1
	linkVersion         = 1
)

// Reasons why a short link is no good.
var (
	ErrShortLink = errors.New("wire: not a short link")

	// ErrForeignInvite says that what a broker handed out is not what the
	// link's maker put there. Nobody should join by it.
	ErrForeignInvite = errors.New("wire: invite is not the one that the link was made for")
)

// ShortLink is an invite as it is handed around: https://HOST/i/CODE#FRAGMENT.
// Browsers do not send the fragment, so that a broker learns the code but not
// the secret under which the invite's token, root key included, is sealed.
type ShortLink struct {
	Base   string // https://HOST
	Code   string
	Secret [LinkSecretSize]byte
	Owner  [FingerprintSize]byte // see OwnerFingerprint
}

// NewShortLink returns a link with a fresh code and secret for an invite.
func NewShortLink(base string, i *Invite) ShortLink {
	l := ShortLink{Base: strings.TrimRight(base, "/"), Code: NewID(CodeLength), Owner: OwnerFingerprint(i.MeshID, i.OwnerPubkey)}
	_, _ = rand.Read(l.Secret[:]) // never fails
	return l
}

// String returns the link.
func (l ShortLink) String() string { return l.URL() + "#" + l.fragment() }

// URL is the link without its fragment: what a broker may see.
func (l ShortLink) URL() string { return l.Base + "/i/" + l.Code }

func (l ShortLink) fragment() string {
	raw := append([]byte{linkVersion}, l.Secret[:]...)
	return base64.RawURLEncoding.EncodeToString(append(raw, l.Owner[:]...))
}

// ParseShortLink reads a link. Anything in front of /i/CODE but a host, and
// anything behind the fragment, makes it another kind of link.
func ParseShortLink(s string) (ShortLink, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http" {
		return ShortLink{}, ErrShortLink
	}
	code, ok := strings.CutPrefix(u.Path, "/i/")
	if !ok || !IsInviteCode(code) {
		return ShortLink{}, ErrShortLink
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(u.Fragment)
	if err != nil || len(raw) != 1+LinkSecretSize+FingerprintSize || raw[0] != linkVersion {
		return ShortLink{}, ErrShortLink
	}
	l := ShortLink{Base: u.Scheme + "://" + u.Host, Code: code}
	copy(l.Secret[:], raw[1:])
	copy(l.Owner[:], raw[1+LinkSecretSize:])
	return l, nil
}

// SealKey is the key under which the invite's token is sealed.
func (l ShortLink) SealKey() []byte {
	key, err := hkdf.Key(sha256.New, l.Secret[:], []byte(l.Code), "claudemesh-invite-link|1", 32)
	if err != nil {
		panic(err) // only for lengths that SHA-256 cannot give
	}
	return key
}

// Check reports whether i, found where the link points, is what the link was
// made for. The caller has verified i itself.
func (l ShortLink) Check(i *Invite) error {
	f := OwnerFingerprint(i.MeshID, i.OwnerPubkey)
	if subtle.ConstantTimeCompare(f[:], l.Owner[:]) != 1 {
		return ErrForeignInvite
	}
	return nil
}

// OwnerFingerprint names a mesh and its owner, so that neither can be swapped.
func OwnerFingerprint(meshID, ownerPubkey string) [FingerprintSize]byte {
	sum := sha256.Sum256([]byte("claudemesh-owner|" + meshID + "|" + strings.ToLower(ownerPubkey)))
	return [FingerprintSize]byte(sum[:])
}

// IsInviteCode reports whether s has the shape of a code.
func IsInviteCode(s string) bool { return len(s) == CodeLength && isBase62(s) }

// CodeHash is what the registry knows a code by, so that who reads the registry
// cannot make links.
func CodeHash(code string) string { return hashText("claudemesh-invite-code|" + code) }

// EncodeSealedInvite writes what a broker keeps for a short link: the nonce and
// the secretbox of the token under [ShortLink.SealKey].
func EncodeSealedInvite(nonce [24]byte, box []byte) string {
	raw := append([]byte{sealedInviteVersion}, nonce[:]...)
	return base64.RawURLEncoding.EncodeToString(append(raw, box...))
}

// minSealed is the shortest sealed invite: version, nonce, tag and one byte.
const minSealed = 1 + 24 + 16 + 1

// DecodeSealedInvite is the inverse of [EncodeSealedInvite].
func DecodeSealedInvite(s string) (nonce [24]byte, box []byte, err error) {
	if len(s) > MaxSealedInvite {
		return nonce, nil, fmt.Errorf("%w: sealed invite too long", ErrInviteMalformed)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) < minSealed || raw[0] != sealedInviteVersion {
		return nonce, nil, fmt.Errorf("%w: sealed invite", ErrInviteMalformed)
	}
	return [24]byte(raw[1:]), raw[25:], nil
}
