package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const keptVectors = "testdata/shared-vectors.json"

// sharedCase is one vector. Refused cases carry an error word.
type sharedCase struct {
	Case    string `json:"case"`
	Rule    string `json:"rule"`
	RootKey string `json:"root_key_hex"`
	Mesh    string `json:"mesh"`
	Purpose string `json:"purpose"`
	Name    string `json:"name"`
	Author  string `json:"author_public_hex"`
	Seed    string `json:"author_seed_hex"`
	Nonce   string `json:"nonce_hex"`
	TimeMS  int64  `json:"time_ms"`
	Text    string `json:"text"`
	Key     string `json:"key_hex,omitempty"`
	Sealed  string `json:"sealed"`
	Error   string `json:"error,omitempty"`
}

func sharedRoot() Key {
	var root Key
	for i := range root {
		root[i] = byte(0x20 + i)
	}
	return root
}

const sharedMesh = "MESH0123456789abcdefABCDEFxyzXYZ"

func newSharedCase(t *testing.T, name, rule, purpose, place, text string) sharedCase {
	root := sharedRoot()
	author := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, ed25519.SeedSize))
	n := nonce(bytes.Repeat([]byte{0x41}, nonceLen))
	p := Place{Mesh: sharedMesh, Purpose: purpose, Name: place, Root: &root}
	at := time.UnixMilli(1767225600123)
	sealed, err := forShared(&n, p, author, at, text)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sharedKey(p, sharedEpoch)
	if err != nil {
		t.Fatal(err)
	}
	return sharedCase{
		Case: name, Rule: rule, RootKey: hex.EncodeToString(root[:]), Mesh: sharedMesh, Purpose: purpose, Name: place,
		Author: hex.EncodeToString(author.Public().(ed25519.PublicKey)), Seed: hex.EncodeToString(author.Seed()),
		Nonce: hex.EncodeToString(n[:]), TimeMS: at.UnixMilli(), Text: text, Key: hex.EncodeToString(key[:]), Sealed: sealed,
	}
}

// but is a case that must be refused, made of one that opens.
func (c sharedCase) but(name, rule, word string, change func(*sharedCase, []byte)) sharedCase {
	raw, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(c.Sealed, SharedMark))
	c.Case, c.Rule, c.Error, c.Text, c.Key = name, rule, word, "", ""
	change(&c, raw)
	if word != "malformed" {
		c.Sealed = SharedMark + base64.RawURLEncoding.EncodeToString(raw)
	}
	return c
}

func makeSharedCases(t *testing.T) []sharedCase {
	state := newSharedCase(t, "state", "The name of a value of the state is its key.", "state", "deploy/frozen", `{"until":"friday"}`)
	return []sharedCase{
		state,
		newSharedCase(t, "memory", "The name of a memory is its id.", "memory", "0123456789abcdefghijAB", `{"content":"tea","tags":["a"]}`),
		newSharedCase(t, "task-result", "The name of a result is the id of its task.", "task-result", "0123456789abcdefghijAB", `"done"`),
		newSharedCase(t, "empty", "A text may be empty.", "skill-instructions", "x", ""),
		state.but("another-name", "A value does not open under another key.", "tampered", func(c *sharedCase, _ []byte) { c.Name = "deploy" }),
		state.but("another-mesh", "Nor in another mesh.", "tampered", func(c *sharedCase, _ []byte) { c.Mesh = "other" }),
		state.but("another-purpose", "Nor as something else.", "tampered", func(c *sharedCase, _ []byte) { c.Purpose = "memory" }),
		state.but("flipped", "No bit may differ.", "tampered", func(_ *sharedCase, raw []byte) { raw[len(raw)-1] ^= 1 }),
		state.but("epoch", "An unknown epoch is refused.", "unknown_epoch", func(_ *sharedCase, raw []byte) { raw[4] = 1 }),
		state.but("version", "An unknown version is refused.", "unknown_epoch", func(_ *sharedCase, raw []byte) { raw[0] = 2 }),
		state.but("padding", "Base64 has no padding.", "malformed", func(c *sharedCase, _ []byte) { c.Sealed += "=" }),
		state.but("short", "It ends before its box.", "malformed", func(c *sharedCase, raw []byte) {
			c.Sealed = SharedMark + base64.RawURLEncoding.EncodeToString(raw[:20])
		}),
		state.but("clear", "Clear text does not open.", "malformed", func(c *sharedCase, _ []byte) { c.Sealed = "hello" }),
	}
}

func (c sharedCase) open(t *testing.T) (Shared, error) {
	root := Key(unhex(t, c.RootKey))
	return OpenShared(Place{Mesh: c.Mesh, Purpose: c.Purpose, Name: c.Name, Root: &root}, c.Sealed)
}

// TestSharedVectorsAreTheAgreedBytes keeps the envelope from changing unnoticed.
func TestSharedVectorsAreTheAgreedBytes(t *testing.T) {
	cases := makeSharedCases(t)
	if *update {
		raw, err := json.MarshalIndent(map[string]any{
			"format": "claudemesh shared text vectors, version 1",
			"about": "Keys come from repeated bytes and are public: never use them. A case without error opens to text, " +
				"author_public_hex and time_ms; a case with error must be refused.",
			"vectors": cases,
		}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(keptVectors, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var file struct{ Vectors []sharedCase }
	raw, err := os.ReadFile(keptVectors)
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
		s, err := c.open(t)
		if c.Error != "" {
			if !errors.Is(err, errorWords[c.Error]) || s.Text != "" {
				t.Errorf("%s: got %q, %v, want %s", c.Case, s.Text, err, c.Error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Case, err)
			continue
		}
		same(t, c.Case+": text", s.Text, c.Text)
		same(t, c.Case+": author", hex.EncodeToString(s.Author), c.Author)
		same(t, c.Case+": time", s.Time.UnixMilli(), c.TimeMS)
	}
}

// TestEveryByteOfASharedTextIsBound flips each bit of a sealed text; none may
// open as anything.
func TestEveryByteOfASharedTextIsBound(t *testing.T) {
	t.Parallel()
	c := newSharedCase(t, "x", "", "state", "key", "value")
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(c.Sealed, SharedMark))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		flipped := bytes.Clone(raw)
		flipped[i/8] ^= 1 << (i % 8)
		c.Sealed = SharedMark + base64.RawURLEncoding.EncodeToString(flipped)
		if s, err := c.open(t); err == nil {
			t.Errorf("bit %d flipped, and it opens as %q", i, s.Text)
		}
	}
}

func TestSharedTextsHaveOtherKeysThanGroups(t *testing.T) {
	t.Parallel()
	root := sharedRoot()
	shared, err := sharedKey(Place{Mesh: sharedMesh, Purpose: "state", Root: &root}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"state", "share-v1|0|state"} {
		key, err := groupKey(Group{Mesh: sharedMesh, Root: &root}, 0, group)
		if err != nil || *key == *shared {
			t.Errorf("@%s has the key of the state (%v)", group, err)
		}
	}
	if _, err := OpenShared(Place{Mesh: sharedMesh, Purpose: "state", Name: "k"}, newSharedCase(t, "x", "", "state", "k", "v").Sealed); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a root key: %v", err)
	}
}

func TestOpeningASharedTextNeverPanics(t *testing.T) {
	t.Parallel()
	root := sharedRoot()
	rapid.Check(t, func(r *rapid.T) {
		raw := rapid.SliceOf(rapid.Byte()).Draw(r, "raw")
		text := SharedMark + base64.RawURLEncoding.EncodeToString(raw)
		if _, err := OpenShared(Place{Mesh: sharedMesh, Purpose: "state", Root: &root}, text); err == nil {
			r.Errorf("%x opens", raw)
		}
	})
}
