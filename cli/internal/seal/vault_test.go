package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"golang.org/x/crypto/nacl/box"
)

const keptVaultVectors = "testdata/vault-vectors.json"

// vaultCase is one vector: an entry, and the place where it is found. All open;
// what is not proven carries no time.
type vaultCase struct {
	Case       string `json:"case"`
	Rule       string `json:"rule"`
	Seed       string `json:"owner_seed_hex"`
	Mesh       string `json:"mesh"`
	Key        string `json:"key"`
	Type       string `json:"entry_type"`
	MountPath  string `json:"mount_path"`
	Nonce      string `json:"nonce"`
	Ciphertext string `json:"ciphertext"`
	SealedKey  string `json:"sealed_key"`
	ValueKey   string `json:"value_key_hex"`
	Value      string `json:"value"`
	Proven     bool   `json:"proven"`
	TimeMS     int64  `json:"time_ms,omitempty"`
}

const vaultTime = 1767225600123

// newVaultCase seals a value for a place, under the key that is derived for it
// or, if there is one, another.
func newVaultCase(t *testing.T, name, rule string, p VaultPlace, ms int64, drawn *Key) vaultCase {
	t.Helper()
	owner, value := newKey(5), "sk_live"
	n := nonce(bytes.Repeat([]byte{0x41}, nonceLen))
	binary.BigEndian.PutUint64(n[:], uint64(ms))
	key, err := vaultKey(&n, owner, p)
	if err != nil {
		t.Fatal(err)
	}
	if drawn != nil {
		key = drawn
	}
	peer, err := PublicToX25519(public(owner))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.SealAnonymous(nil, key[:], peer, bytes.NewReader(bytes.Repeat([]byte{0x42}, KeyLen)))
	if err != nil {
		t.Fatal(err)
	}
	b := secret(&n, key, []byte(value))
	return vaultCase{
		Case: name, Rule: rule, Seed: hex.EncodeToString(owner.Seed()), Mesh: p.Mesh, Key: p.Key, Type: p.Type, MountPath: p.MountPath,
		Nonce: b.Nonce, Ciphertext: b.Ciphertext, SealedKey: base64.StdEncoding.EncodeToString(sealed),
		ValueKey: hex.EncodeToString(key[:]), Value: value,
	}
}

func (c vaultCase) proven() vaultCase {
	c.Proven, c.TimeMS = true, vaultTime
	return c
}

// at is an entry that is shown at another place than it was sealed for.
func (c vaultCase) at(name, rule string, move func(*vaultCase)) vaultCase {
	c.Case, c.Rule, c.Proven, c.TimeMS = name, rule, false, 0
	move(&c)
	return c
}

func makeVaultCases(t *testing.T) []vaultCase {
	env := VaultPlace{Mesh: sharedMesh, Key: "STRIPE_KEY", Type: "env"}
	pem := VaultPlace{Mesh: sharedMesh, Key: "pem", Type: "file", MountPath: "/run/key.pem"}
	file := newVaultCase(t, "file", "The key of the value is derived from where the entry stands.", pem, vaultTime, nil).proven()
	return []vaultCase{
		newVaultCase(t, "env", "Without a path the path is empty.", env, vaultTime, nil).proven(),
		file,
		file.at("another-key", "It opens under another key, and proves nothing.", func(c *vaultCase) { c.Key = "der" }),
		file.at("another-type", "Nor as another type.", func(c *vaultCase) { c.Type = "env" }),
		file.at("another-path", "Nor for another path.", func(c *vaultCase) { c.MountPath = "/root/.ssh/authorized_keys" }),
		file.at("another-mesh", "Nor in another mesh.", func(c *vaultCase) { c.Mesh = "MESH0123456789abcdefABCDEFxyzXYY" }),
		file.at("another-split", "Fields carry their lengths.", func(c *vaultCase) { c.Key, c.Type = "pemf", "ile" }),
		newVaultCase(t, "drawn", "Existing clients draw the key.", env, vaultTime, (*Key)(bytes.Repeat([]byte{7}, KeyLen))),
		newVaultCase(t, "no-time", "A nonce that begins with no time proves nothing.", env, maxGroupTime+1, nil),
	}
}

// TestVaultVectorsAreTheAgreedBytes keeps entries from changing unnoticed:
// another client of ours finds the same ones proven, and existing ones, to which
// a key is a key, read them.
func TestVaultVectorsAreTheAgreedBytes(t *testing.T) {
	cases := makeVaultCases(t)
	if *update {
		raw, err := json.MarshalIndent(map[string]any{
			"format":  "claudemesh vault vectors, version 1",
			"about":   "Keys come from repeated bytes and are public: never use them. All open to value; which is proven, and when it was sealed, is in proven and time_ms.",
			"vectors": cases,
		}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(keptVaultVectors, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var file struct{ Vectors []vaultCase }
	raw, err := os.ReadFile(keptVaultVectors)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	same(t, "number of cases", len(file.Vectors), len(cases))
	for i := range min(len(file.Vectors), len(cases)) {
		same(t, cases[i].Case, file.Vectors[i], cases[i])
	}
	for _, c := range file.Vectors {
		c.check(t)
	}
}

func (c vaultCase) check(t *testing.T) {
	t.Helper()
	owner := ed25519.NewKeyFromSeed(unhex(t, c.Seed))
	e := VaultEntry{Box: Box{Nonce: c.Nonce, Ciphertext: c.Ciphertext}, SealedKey: c.SealedKey}
	value, proven, err := OpenVault(owner, VaultPlace{Mesh: c.Mesh, Key: c.Key, Type: c.Type, MountPath: c.MountPath}, e)
	if err != nil {
		t.Errorf("%s: %v", c.Case, err)
		return
	}
	same(t, c.Case+": value", string(value), c.Value)
	same(t, c.Case+": proven", !proven.IsZero(), c.Proven)
	if c.Proven {
		same(t, c.Case+": time", proven.UnixMilli(), c.TimeMS)
	}
	key, err := OpenAnonymous(owner, c.SealedKey)
	if err != nil {
		t.Fatal(err)
	}
	same(t, c.Case+": key", hex.EncodeToString(key), c.ValueKey)
	if value, err := OpenSecret((*Key)(key), e.Box); err != nil || string(value) != c.Value {
		t.Errorf("%s: existing clients read %q, %v", c.Case, value, err)
	}
}
