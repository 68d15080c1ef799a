package seal

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// sharedVectors are the vectors of every implementation of the protocol.
type sharedVectors struct {
	Fixtures struct {
		Keypairs map[string]struct{ Seed string }
	}
	Vectors []vector
}

type vector struct {
	Name, Group string
	Inputs      map[string]any
	Expected    map[string]any
	keys        map[string]ed25519.PrivateKey
}

// vectorsOf returns the cases of one group, and fails when there is none.
func vectorsOf(t *testing.T, group string) []vector {
	t.Helper()
	raw, err := os.ReadFile("../../../edge/wire/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all sharedVectors
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]ed25519.PrivateKey)
	for name, pair := range all.Fixtures.Keypairs {
		keys[name] = ed25519.NewKeyFromSeed(unhex(t, pair.Seed))
	}
	var out []vector
	for _, v := range all.Vectors {
		if v.Group == group {
			v.keys = keys
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no vectors of group %s", group)
	}
	return out
}

// eachVector runs f as a subtest for every case of a group.
func eachVector(t *testing.T, group string, f func(*testing.T, vector)) {
	t.Helper()
	for _, v := range vectorsOf(t, group) {
		t.Run(v.Name, func(t *testing.T) { f(t, v) })
	}
}

func (v vector) in(name string) string   { s, _ := v.Inputs[name].(string); return s }
func (v vector) want(name string) string { s, _ := v.Expected[name].(string); return s }

// refused reports whether the case expects a failure.
func (v vector) refused() bool { ok, given := v.Expected["ok"].(bool); return given && !ok }

func (v vector) secret(name string) ed25519.PrivateKey { return v.keys[v.in(name)] }
func (v vector) public(name string) ed25519.PublicKey {
	return v.secret(name).Public().(ed25519.PublicKey)
}
func (v vector) nonce(t *testing.T) *nonce { return (*nonce)(unhex(t, v.in("nonce_hex"))) }
func (v vector) box() Box                  { return Box{Nonce: v.in("nonce"), Ciphertext: v.in("ciphertext")} }

func (v vector) wantBox() Box {
	return Box{Nonce: v.want("nonce"), Ciphertext: v.want("ciphertext")}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// same fails unless got and want are equal.
func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestVectorsOfKeyConversion(t *testing.T) {
	t.Parallel()
	eachVector(t, "ed25519_to_x25519", func(t *testing.T, v vector) {
		key := ed25519.NewKeyFromSeed(unhex(t, v.in("seed")))
		pub, err := PublicToX25519(key.Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "public", hex.EncodeToString(pub[:]), v.want("x25519_public"))
		secret := SecretToX25519(key)
		same(t, "secret", hex.EncodeToString(secret[:]), v.want("x25519_secret"))
	})
}

func TestVectorsOfDirectMessages(t *testing.T) {
	t.Parallel()
	eachVector(t, "crypto_box", func(t *testing.T, v vector) {
		got, err := direct(v.nonce(t), v.secret("sender"), v.public("recipient"), []byte(v.in("plaintext")))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "box", got, v.wantBox())
	})
	eachVector(t, "crypto_box_open", func(t *testing.T, v vector) {
		text, err := OpenDirect(v.secret("recipient"), v.public("sender"), v.box())
		same(t, "refused", err != nil, v.refused())
		same(t, "text", string(text), v.want("plaintext"))
	})
}

func TestVectorsOfPlaintext(t *testing.T) {
	t.Parallel()
	eachVector(t, "plaintext_encoding", func(t *testing.T, v vector) {
		b := Plain(v.in("text"))
		same(t, "ciphertext", b.Ciphertext, v.want("ciphertext"))
		text, err := OpenPlain(b)
		if err != nil || text != v.in("text") {
			t.Errorf("opened %q, %v", text, err)
		}
	})
	eachVector(t, "encrypt_decision", func(t *testing.T, v vector) {
		same(t, "encrypt", any(IsKey(v.in("targetSpec"))), v.Expected["encrypt"])
	})
}

func TestVectorsOfSecretboxes(t *testing.T) {
	t.Parallel()
	eachVector(t, "crypto_secretbox", func(t *testing.T, v vector) {
		key := Key(unhex(t, v.in("key_hex")))
		same(t, "box", secret(v.nonce(t), &key, []byte(v.in("plaintext"))), v.wantBox())
		data, err := OpenSecret(&key, v.wantBox())
		if err != nil || string(data) != v.in("plaintext") {
			t.Errorf("opened %q, %v", data, err)
		}
	})
	eachVector(t, "crypto_secretbox_open", func(t *testing.T, v vector) {
		key := Key(unhex(t, v.in("key_hex")))
		b := Box{Nonce: b64(unhex(t, v.in("nonce_hex"))), Ciphertext: v.in("ciphertext")}
		data, err := OpenSecret(&key, b)
		same(t, "refused", err != nil, v.refused())
		same(t, "data", string(data), v.want("plaintext"))
	})
}

func TestVectorsOfTopicKeys(t *testing.T) {
	t.Parallel()
	eachVector(t, "topic_key_seal", func(t *testing.T, v vector) {
		if v.refused() {
			_, err := OpenTopicKey(v.keys["alice_member"], Box{Nonce: v.in("nonce"), Ciphertext: v.in("encryptedKey")})
			same(t, "refused", err != nil, true)
			return
		}
		from := SecretToX25519(v.keys["alice_member"])
		if v.in("sender") == "" {
			from = (*[KeyLen]byte)(unhex(t, v.in("sender_x25519_secret_hex")))
		}
		key := Key(unhex(t, v.in("topic_key_hex")))
		b, err := topicKey(v.nonce(t), &key, from, v.public("recipient"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "box", b, Box{Nonce: v.want("nonce"), Ciphertext: v.want("encryptedKey")})
		opened, err := OpenTopicKey(v.secret("recipient"), b)
		if err != nil || *opened != key {
			t.Errorf("opened with %v", err)
		}
	})
}

func TestVectorsOfSealedBoxes(t *testing.T) {
	t.Parallel()
	eachVector(t, "sealed_box", func(t *testing.T, v vector) {
		if v.in("recipient") != "" {
			key, err := OpenAnonymous(v.secret("recipient"), v.in("sealedKey"))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "key", hex.EncodeToString(key), v.want("key_hex"))
			return
		}
		secret := Key(unhex(t, v.in("recipient_x25519_secret_hex")))
		root, err := OpenRootKey(&secret, v.in("sealed_root_key"))
		same(t, "refused", err != nil, v.refused())
		if err == nil {
			same(t, "root", hex.EncodeToString(root[:]), v.want("root_key_hex"))
		}
	})
	eachVector(t, "vault", func(t *testing.T, v vector) {
		value, proven, err := OpenVault(v.secret("owner"), VaultPlace{}, VaultEntry{Box: v.box(), SealedKey: v.in("sealed_key")})
		if err != nil || !proven.IsZero() {
			t.Fatalf("proven %s, %v", proven, err)
		}
		same(t, "value", string(value), v.want("plaintext"))
	})
}

func TestVectorsOfBackups(t *testing.T) {
	t.Parallel()
	eachVector(t, "backup", func(t *testing.T, v vector) {
		random := append(unhex(t, v.in("salt_hex")), unhex(t, v.in("nonce_hex"))...)
		file, err := backup(v.in("passphrase"), random, []byte(v.in("plaintext")))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "file", hex.EncodeToString(file), v.want("file_hex"))
		config, err := OpenBackup(v.in("passphrase"), file)
		if err != nil || string(config) != v.in("plaintext") {
			t.Errorf("opened %q, %v", config, err)
		}
	})
}
