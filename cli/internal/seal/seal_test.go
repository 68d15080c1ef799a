package seal

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/edwards25519"
)

func newKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// TestPointsThatWouldOpenABoxToEverybodyAreRefused: with a point of small order
// the shared secret is known in advance.
func TestPointsThatWouldOpenABoxToEverybodyAreRefused(t *testing.T) {
	t.Parallel()
	bad := map[string][]byte{
		"identity":         edwards25519.NewIdentityPoint().Bytes(),
		"order two":        unhex(t, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		"order four":       make([]byte, 32),
		"order eight":      unhex(t, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
		"not canonical":    unhex(t, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		"not on the curve": append([]byte{2}, make([]byte, 31)...),
		"too short":        make([]byte, 31),
		"mixed order":      mixedOrder(t),
	}
	for name, key := range bad {
		if _, err := PublicToX25519(key); !errors.Is(err, ErrBadKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Direct(newKey(1), key, nil); !errors.Is(err, ErrBadKey) {
			t.Errorf("%s: sealed to it: %v", name, err)
		}
	}
}

// mixedOrder is a good key plus a point of order eight.
func mixedOrder(t *testing.T) []byte {
	good, err := new(edwards25519.Point).SetBytes(public(newKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	small, err := new(edwards25519.Point).SetBytes(
		unhex(t, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))
	if err != nil {
		t.Fatal(err)
	}
	return good.Add(good, small).Bytes()
}

func TestDirectMessagesOpenForTheirRecipientOnly(t *testing.T) {
	t.Parallel()
	alice, bob, eve := newKey(1), newKey(2), newKey(3)
	b, err := Direct(alice, public(bob), []byte("hi"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := OpenDirect(bob, public(alice), b)
	if err != nil || string(text) != "hi" {
		t.Errorf("bob reads %q, %v", text, err)
	}
	if _, err := OpenDirect(eve, public(alice), b); !errors.Is(err, ErrNotForUs) {
		t.Errorf("eve: %v", err)
	}
}

func TestEveryBitOfADirectMessageIsBound(t *testing.T) {
	t.Parallel()
	alice, bob := newKey(1), newKey(2)
	b, _ := Direct(alice, public(bob), []byte("hi"))
	n, sealed, _ := b.parts()
	for i := range 8 * (len(sealed) + len(n)) {
		sealed, n := bytes.Clone(sealed), bytes.Clone(n[:])
		if at := i / 8; at < len(sealed) {
			sealed[at] ^= 1 << (i % 8)
		} else {
			n[at-len(sealed)] ^= 1 << (i % 8)
		}
		if _, err := OpenDirect(bob, public(alice), Box{b64(n), b64(sealed)}); !errors.Is(err, ErrNotForUs) {
			t.Errorf("bit %d: %v", i, err)
		}
	}
}

func TestOnlyStrictBase64IsAccepted(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"aGk", "aGk=\n", "aG\nk=", "aGl=", "-_8=", "aGk= ", "aGk=aGk="} {
		if _, err := OpenPlain(Box{Ciphertext: text}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSealedBoxesAndVaultsOpenForTheirOwner(t *testing.T) {
	t.Parallel()
	owner, other := newKey(1), newKey(2)
	at := time.UnixMilli(1767225600123).UTC()
	p := VaultPlace{Mesh: "mesh", Key: "KEY", Type: "env"}
	e, err := Vault(owner, p, at, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	value, proven, err := OpenVault(owner, p, e)
	if err != nil || string(value) != "secret" || !proven.Equal(at) {
		t.Errorf("owner reads %q, proven %s, %v", value, proven, err)
	}
	if _, _, err := OpenVault(other, p, e); !errors.Is(err, ErrNotForUs) {
		t.Errorf("other: %v", err)
	}
}

func TestBackupsNeedTheirPassphrase(t *testing.T) {
	t.Parallel()
	if _, err := Backup("short", nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("short passphrase: %v", err)
	}
	file, err := Backup("correct horse battery", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBackup("incorrect horse battery", file); !errors.Is(err, ErrNotForUs) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := OpenBackup("correct horse battery", file[:60]); !errors.Is(err, ErrMalformed) {
		t.Errorf("one byte short of the shortest: %v", err)
	}
}

func TestSecretKeysDoNotShowWhenPrinted(t *testing.T) {
	t.Parallel()
	key := Key(bytes.Repeat([]byte{0xab}, KeyLen))
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s", key, &key, key, key)} {
		if strings.Contains(text, "171") || strings.Contains(text, "ab") {
			t.Errorf("printed as %s", text)
		}
	}
}

func FuzzOpeners(f *testing.F) {
	b, _ := direct(new(nonce), newKey(1), public(newKey(2)), []byte("hi")) // the same in every fuzzing process
	f.Add(b.Nonce, b.Ciphertext)
	f.Add("", "")
	key := Key(bytes.Repeat([]byte{7}, KeyLen))
	f.Fuzz(func(t *testing.T, n, c string) {
		in := Box{Nonce: n, Ciphertext: c}
		if _, err := OpenDirect(newKey(2), public(newKey(1)), in); err == nil && in != b {
			t.Error("a direct message opened that nobody sealed")
		}
		if _, err := OpenSecret(&key, in); err == nil {
			t.Error("a secretbox opened that nobody sealed")
		}
		OpenPlain(in)
		OpenTopicKey(newKey(2), in)
		OpenAnonymous(newKey(2), c)
		OpenRootKey(&key, c)
		OpenVault(newKey(2), VaultPlace{}, VaultEntry{Box: in, SealedKey: n})
	})
}

func FuzzOpenBackup(f *testing.F) {
	f.Add([]byte("CMB1"))
	f.Fuzz(func(t *testing.T, file []byte) {
		// Longer ones reach Argon2, which is slow by design.
		if len(file) < backupHeader+16 {
			if _, err := OpenBackup("correct horse battery", file); err == nil {
				t.Error("opened")
			}
		}
	})
}

func TestADecoyIsNoRootKeyAndARootKeyIsNoDecoy(t *testing.T) {
	t.Parallel()
	decoy := Decoy()
	if !IsDecoy(decoy) || IsDecoy(Key(unhex(t, testRoot))) || decoy == Decoy() {
		t.Error("decoys are not told from keys")
	}
	decoy[3] ^= 1
	if IsDecoy(decoy) {
		t.Error("an altered decoy still counts as one")
	}
}
