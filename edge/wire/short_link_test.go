package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/claudemesh/claudemesh/edge/wire"
)

var updateLinks = flag.Bool("update-links", false, "write testdata/short-links.json anew")

const linkVectors = "testdata/short-links.json"

// linkVector is one short link with all that is derived from it.
type linkVector struct {
	Link             string `json:"link"`
	Code             string `json:"code"`
	SecretHex        string `json:"secret_hex"`
	OwnerFingerprint string `json:"owner_fingerprint_hex"`
	CodeHash         string `json:"code_hash"`
	SealKeyHex       string `json:"seal_key_hex"`
	NonceHex         string `json:"nonce_hex"`
	Token            string `json:"token"`
	SealedInvite     string `json:"sealed_invite"`
	InviteProof      string `json:"invite_proof"`
	ClaimSeedHex     string `json:"claim_seed_hex"`
	ClaimTime        int64  `json:"claim_time"`
	ClaimCanonical   string `json:"claim_canonical"`
	ClaimSignature   string `json:"claim_signature"`
}

func newLinkVector(t *testing.T) linkVector {
	t.Helper()
	i, token := newInvite(t, nil)
	l := wire.ShortLink{
		Base: "https://mesh.example", Code: "0123456789ABCDEFabcdef",
		Owner: wire.OwnerFingerprint(i.MeshID, i.OwnerPubkey),
	}
	var nonce [24]byte
	for n := range l.Secret {
		l.Secret[n] = byte(0x40 + n)
	}
	for n := range nonce {
		nonce[n] = byte(0x80 + n)
	}
	claim := wire.NewClaimRequest(l.Code, token, "Bob", key(2), now)
	return linkVector{
		Link: l.String(), Code: l.Code, SecretHex: hex.EncodeToString(l.Secret[:]),
		OwnerFingerprint: hex.EncodeToString(l.Owner[:]), CodeHash: wire.CodeHash(l.Code),
		SealKeyHex: hex.EncodeToString(l.SealKey()), NonceHex: hex.EncodeToString(nonce[:]), Token: token,
		SealedInvite: wire.EncodeSealedInvite(nonce, secretbox.Seal(nil, []byte(token), &nonce, (*[32]byte)(l.SealKey()))),
		InviteProof:  wire.InviteProof(token), ClaimSeedHex: hex.EncodeToString(key(2).Seed()),
		ClaimTime: now.UnixMilli(), ClaimCanonical: string(claim.Canonical(l.Code)), ClaimSignature: claim.Signature,
	}
}

// The values are pinned, because peers in other languages compute them too.
func TestShortLinksAreThoseOfTheVectors(t *testing.T) {
	t.Parallel()
	got := newLinkVector(t)
	if *updateLinks {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(linkVectors, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(linkVectors)
	if err != nil {
		t.Fatal(err)
	}
	var want linkVector
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	l, err := wire.ParseShortLink(want.Link)
	if err != nil || l.String() != want.Link || hex.EncodeToString(l.SealKey()) != want.SealKeyHex {
		t.Fatalf("parsed %+v, %v", l, err)
	}
	nonce, box, err := wire.DecodeSealedInvite(want.SealedInvite)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := secretbox.Open(nil, box, &nonce, (*[32]byte)(l.SealKey()))
	if !ok || string(token) != want.Token {
		t.Errorf("opened %q, %v", token, ok)
	}
}

func TestAnInviteOfAnotherMeshOrOwnerIsForeign(t *testing.T) {
	t.Parallel()
	i, _ := newInvite(t, nil)
	l := wire.NewShortLink("https://mesh.example/", &i)
	if err := l.Check(&i); err != nil {
		t.Error(err)
	}
	other := i
	other.Sign(key(3))
	if err := l.Check(&other); !errors.Is(err, wire.ErrForeignInvite) {
		t.Errorf("another owner: %v", err)
	}
	other = i
	other.MeshID = "0000000000000000000000000000000Z"
	if err := l.Check(&other); !errors.Is(err, wire.ErrForeignInvite) {
		t.Errorf("another mesh: %v", err)
	}
}

func TestWhatIsNoShortLinkIsRefused(t *testing.T) {
	t.Parallel()
	i, _ := newInvite(t, nil)
	good := wire.NewShortLink("https://mesh.example", &i)
	frag := good.String()[len(good.URL())+1:]
	for _, s := range []string{
		"", good.URL(), good.URL() + "#", good.URL() + "#x", good.URL() + "?a=b#" + frag, good.URL() + "/#" + frag,
		"mesh.example/i/" + good.Code + "#" + frag, "ftp://mesh.example/i/" + good.Code + "#" + frag,
		"https://u@mesh.example/i/" + good.Code + "#" + frag, "https://mesh.example/es/i/" + good.Code + "#" + frag,
		"https://mesh.example/i/ABCD2345#" + frag, good.String() + "A", good.URL() + "#B" + frag[1:],
	} {
		if l, err := wire.ParseShortLink(s); err == nil {
			t.Errorf("%s was taken for %+v", s, l)
		}
	}
	for _, s := range []string{"", "AQ", "!", good.String()} {
		if _, _, err := wire.DecodeSealedInvite(s); err == nil {
			t.Errorf("%s was taken for a sealed invite", s)
		}
	}
}

func TestAShortInviteIsCheckedWhenItIsMade(t *testing.T) {
	t.Parallel()
	i, token := newInvite(t, nil)
	l := wire.NewShortLink("https://mesh.example", &i)
	good := func() *wire.CreateInviteRequest {
		return &wire.CreateInviteRequest{
			TokenHash: wire.TokenHash(token), Role: wire.RoleMember, MaxUses: 1, ExpiresAt: now.Add(time.Hour).Unix(),
			InviteID: wire.NewID(wire.LongID), CodeHash: wire.CodeHash(l.Code), SealedInvite: wire.EncodeSealedInvite([24]byte{}, make([]byte, 17)),
		}
	}
	if err := good().Check(now); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*wire.CreateInviteRequest){
		"no id":             func(r *wire.CreateInviteRequest) { r.InviteID = "" },
		"the code itself":   func(r *wire.CreateInviteRequest) { r.CodeHash = l.Code },
		"nothing sealed":    func(r *wire.CreateInviteRequest) { r.SealedInvite = "" },
		"token in clear":    func(r *wire.CreateInviteRequest) { r.SealedInvite = token },
		"half a signature":  func(r *wire.CreateInviteRequest) { r.SignatureV2 = "ab" },
		"a name with lines": func(r *wire.CreateInviteRequest) { r.InvitedBy = "a\nb" },
	} {
		r := good()
		spoil(r)
		if r.Check(now) == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
