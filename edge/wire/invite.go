package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Roles of a member.
const (
	RoleAdmin  = "admin"
	RoleMember = "member"
)

// ValidRole reports whether role is one that an invite can give.
func ValidRole(role string) bool { return role == RoleAdmin || role == RoleMember }

// Reasons why an invite is no good.
var (
	ErrInviteMalformed = errors.New("wire: invite malformed")
	ErrInviteExpired   = errors.New("wire: invite expired")
	ErrInviteSignature = errors.New("wire: invite signature wrong")
)

// RootKeySize is the length of a mesh's root key in bytes.
const RootKeySize = 32

// Invite is an invite of version 1. It carries the mesh's root key, so whoever
// sees the link has the key.
type Invite struct {
	V           int    `json:"v"`
	MeshID      string `json:"mesh_id"`
	MeshSlug    string `json:"mesh_slug"`
	BrokerURL   string `json:"broker_url"`
	ExpiresAt   int64  `json:"expires_at"`    // whole seconds
	MeshRootKey string `json:"mesh_root_key"` // URL-safe base64 without padding
	Role        string `json:"role"`
	OwnerPubkey string `json:"owner_pubkey"`
	Signature   string `json:"signature"`
}

// Canonical is the text that the owner key signs.
func (i *Invite) Canonical() []byte {
	return canonical(strconv.Itoa(i.V), i.MeshID, i.MeshSlug, i.BrokerURL,
		strconv.FormatInt(i.ExpiresAt, 10), i.MeshRootKey, i.Role, i.OwnerPubkey)
}

// Sign makes i the word of that owner.
func (i *Invite) Sign(owner ed25519.PrivateKey) {
	i.V = 1
	i.OwnerPubkey = PublicKey(owner)
	i.Signature = sign(owner, i.Canonical())
}

// Token returns the text that a link carries. Edges know an invite by the hash
// of exactly this text.
func (i *Invite) Token() (string, error) {
	if err := i.check(); err != nil {
		return "", err
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(i); err != nil {
		return "", fmt.Errorf("wire: invite token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.TrimSuffix(b.String(), "\n"))), nil
}

// InviteLink returns the link that carries token.
func InviteLink(token string) string { return "ic://join/" + token }

// ParseInviteToken reads a token and checks its shape. The invite must still be
// verified.
func ParseInviteToken(token string) (Invite, error) {
	if len(token) > MaxInviteToken {
		return Invite{}, fmt.Errorf("%w: token too long", ErrInviteMalformed)
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return Invite{}, fmt.Errorf("%w: not base64", ErrInviteMalformed)
	}
	return ParseInvitePayload(text)
}

// ParseInvitePayload reads the JSON inside a token and checks its shape.
func ParseInvitePayload(text []byte) (Invite, error) {
	var i Invite
	if err := json.Unmarshal(text, &i); err != nil {
		return Invite{}, fmt.Errorf("%w: %s", ErrInviteMalformed, describe(err))
	}
	if err := i.check(); err != nil {
		return Invite{}, err
	}
	return i, nil
}

func (i *Invite) check() error {
	what := ""
	switch {
	case i.V != 1:
		what = "v is not 1"
	case i.MeshID == "" || i.MeshSlug == "" || i.BrokerURL == "" || i.MeshRootKey == "":
		what = "a field is empty"
	case i.ExpiresAt <= 0:
		what = "expires_at is not positive"
	case !ValidRole(i.Role):
		what = "role is neither admin nor member"
	case !IsKey(i.OwnerPubkey):
		what = "owner_pubkey is not a key"
	case !isSignature(i.Signature):
		what = "signature is not a signature"
	case strings.ContainsAny(i.MeshID+i.MeshSlug+i.BrokerURL+i.MeshRootKey, "|\x00"):
		// The canonical text would then be that of another invite as well.
		what = "a field contains a separator"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInviteMalformed, what)
}

// Verify checks, in this order, that the invite is still good and that it is
// signed by the key it names. Whether that key owns the mesh, only the
// registry can tell.
func (i *Invite) Verify(now time.Time) error {
	if i.ExpiresAt < now.Unix() {
		return ErrInviteExpired
	}
	return i.VerifySignature()
}

// VerifySignature is Verify without the clock.
func (i *Invite) VerifySignature() error {
	if !verify(i.OwnerPubkey, i.Signature, i.Canonical()) {
		return ErrInviteSignature
	}
	return nil
}

// RootKey returns the mesh's root key.
func (i *Invite) RootKey() ([]byte, error) {
	key, err := base64.RawURLEncoding.DecodeString(i.MeshRootKey)
	if err != nil || len(key) != RootKeySize {
		return nil, fmt.Errorf("%w: mesh_root_key is not a key", ErrInviteMalformed)
	}
	return key, nil
}

// InviteProof is what a newcomer shows instead of the token: it proves to have
// the token without handing over the root key inside.
func InviteProof(token string) string { return hashText("claudemesh-invite|" + token) }

// InviteHash is what the registry knows an invite by. It is made from the
// proof, so that who reads the registry cannot make a proof.
func InviteHash(proof string) string { return hashText("claudemesh-invite-id|" + proof) }

// TokenHash is the [InviteHash] of a token's proof.
func TokenHash(token string) string { return InviteHash(InviteProof(token)) }

// IsTokenHash reports whether s has the shape of a proof or hash.
func IsTokenHash(s string) bool { return IsLowerKey(s) }

func hashText(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
