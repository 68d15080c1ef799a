package seal

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// linkVectors are those of edge/wire, as far as they are about sealing.
type linkVectors struct {
	Link, Token  string
	SealKey      string `json:"seal_key_hex"`
	Nonce        string `json:"nonce_hex"`
	SealedInvite string `json:"sealed_invite"`
}

func readLinkVectors(t *testing.T) (v linkVectors, l wire.ShortLink) {
	t.Helper()
	raw, err := os.ReadFile("../../../edge/wire/testdata/short-links.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if l, err = wire.ParseShortLink(v.Link); err != nil {
		t.Fatal(err)
	}
	return v, l
}

func TestASealedInviteIsThatOfTheVectors(t *testing.T) {
	t.Parallel()
	v, l := readLinkVectors(t)
	same(t, "sealed invite", invite((*nonce)(unhex(t, v.Nonce)), &l, v.Token), v.SealedInvite)
	token, i, err := OpenInvite(&l, v.SealedInvite)
	if err != nil || token != v.Token || i.MeshSlug != "acme" {
		t.Errorf("opened %q of %s, %v", token, i.MeshSlug, err)
	}
}

func TestASealedInviteDiffersEachTimeAndOpens(t *testing.T) {
	t.Parallel()
	v, l := readLinkVectors(t)
	first, second := Invite(&l, v.Token), Invite(&l, v.Token)
	if first == second {
		t.Error("one nonce twice")
	}
	for _, sealed := range []string{first, second} {
		if token, _, err := OpenInvite(&l, sealed); err != nil || token != v.Token {
			t.Errorf("opened %q, %v", token, err)
		}
	}
}

// TestAttackABrokerSwapsTheInviteOfAShortLink: without the secret it cannot
// seal anything that opens, and with it, of a link of its own, the fingerprint
// tells.
func TestAttackABrokerSwapsTheInviteOfAShortLink(t *testing.T) {
	t.Parallel()
	v, l := readLinkVectors(t)
	_, mallory, _ := ed25519.GenerateKey(nil)
	i, err := wire.ParseInviteToken(v.Token)
	if err != nil {
		t.Fatal(err)
	}
	i.Sign(mallory)
	forged, err := i.Token()
	if err != nil {
		t.Fatal(err)
	}
	unsigned := i
	unsigned.MeshRootKey = base64.RawURLEncoding.EncodeToString(make([]byte, wire.RootKeySize))
	altered, err := unsigned.Token()
	if err != nil {
		t.Fatal(err)
	}
	other := wire.NewShortLink(l.Base, &i)
	raw, err := base64.RawURLEncoding.DecodeString(v.SealedInvite)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	for name, tt := range map[string]struct {
		sealed string
		want   error
	}{
		"sealed under another secret": {Invite(&other, v.Token), ErrNotForUs},
		"altered":                     {base64.RawURLEncoding.EncodeToString(raw), ErrNotForUs},
		"of another owner":            {Invite(&l, forged), wire.ErrForeignInvite},
		"with another key":            {Invite(&l, altered), wire.ErrInviteSignature},
		"no invite":                   {Invite(&l, "hello"), wire.ErrInviteMalformed},
		"nothing":                     {"", ErrMalformed},
	} {
		if _, _, err := OpenInvite(&l, tt.sealed); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
