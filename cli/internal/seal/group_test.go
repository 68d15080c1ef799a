package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"
)

var update = flag.Bool("update", false, "write the vectors of ours in testdata anew")

const groupVectors = "testdata/group-vectors.json"

// groupCase is one vector. Refused cases carry an error word instead of a text.
type groupCase struct {
	Name      string `json:"name"`
	Rule      string `json:"rule"`
	RootKey   string `json:"root_key_hex"`
	Mesh      string `json:"mesh"`
	Target    string `json:"target"`
	Sender    string `json:"sender_seed_hex"`
	Public    string `json:"sender_public_hex"`
	NonceHex  string `json:"nonce_hex"`
	ID        string `json:"client_message_id,omitempty"`
	TimeMS    int64  `json:"time_ms,omitempty"`
	Text      string `json:"text"`
	GroupKey  string `json:"group_key_hex,omitempty"`
	Statement string `json:"statement_hex,omitempty"`
	Nonce     string `json:"nonce"`
	Envelope  string `json:"ciphertext"`
	Error     string `json:"error,omitempty"`
}

var errorWords = map[string]error{
	"malformed": ErrMalformed, "tampered": ErrTampered, "unknown_epoch": ErrUnknownEpoch,
}

func (c groupCase) group(t testing.TB) Group {
	root := Key(unhex(t, c.RootKey))
	return Group{Mesh: c.Mesh, Target: c.Target, Root: &root}
}

func (c groupCase) sender(t testing.TB) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(unhex(t, c.Sender))
}

func (c groupCase) message() GroupMessage {
	return GroupMessage{ID: c.ID, Time: time.UnixMilli(c.TimeMS).UTC(), Text: c.Text}
}

func (c groupCase) box() Box { return Box{Nonce: c.Nonce, Ciphertext: c.Envelope} }

func (c groupCase) open(t testing.TB) (GroupMessage, error) {
	return OpenGroup(c.group(t), unhex(t, c.Public), c.box())
}

const (
	testMesh   = "MESH0123456789abcdefABCDEFxyzXYZ"
	testRoot   = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	aliceSeed  = "0404040404040404040404040404040404040404040404040404040404040404"
	malloySeed = "0606060606060606060606060606060606060606060606060606060606060606"
	testNonce  = "404142434445464748494a4b4c4d4e4f5051525354555657"
)

// newCase seals a case, so that its results are what this package computes.
func newCase(t testing.TB, name, rule, target, text string) groupCase {
	c := groupCase{
		Name: name, Rule: rule, RootKey: testRoot, Mesh: testMesh, Target: target, Sender: aliceSeed,
		NonceHex: testNonce, ID: "01JGROUP0000000000000000" + name[:2], TimeMS: 1767225600123, Text: text,
	}
	c.Public = hex.EncodeToString(c.sender(t).Public().(ed25519.PublicKey))
	b, err := forGroup((*nonce)(unhex(t, c.NonceHex)), c.group(t), c.sender(t), c.message())
	if err != nil {
		t.Fatal(err)
	}
	c.Nonce, c.Envelope = b.Nonce, b.Ciphertext
	group, _ := GroupName(target)
	key, _ := groupKey(c.group(t), groupEpoch, group)
	c.GroupKey = hex.EncodeToString(key[:])
	m := c.message()
	m.Sender = unhex(t, c.Public)
	c.Statement = hex.EncodeToString(statement(groupHeader(groupEpoch, group), c.Mesh, m))
	return c
}

// spoil turns a good case into a refused one.
func spoil(c groupCase, name, rule, word string, change func(c *groupCase, envelope []byte) []byte) groupCase {
	raw, _ := decode64(c.Envelope)
	c.Name, c.Rule, c.Error = name, rule, word
	c.GroupKey, c.Statement, c.Text, c.ID, c.TimeMS = "", "", "", "", 0
	c.Envelope = b64(change(&c, slices.Clone(raw)))
	return c
}

func makeGroupCases(t testing.TB) []groupCase {
	all := newCase(t, "broadcast", "The group name of a broadcast is *.", "*", "hello, everyone")
	team := newCase(t, "team", "A group is named without its @.", "@backend/core", "déployé ✓ 🚀")
	return []groupCase{
		all,
		newCase(t, "all", "@all is the same group as *, so it has the same key.", "@all", "hello, everyone"),
		team,
		newCase(t, "empty", "An empty text is a message.", "@ops", ""),
		spoil(all, "other_epoch", "Epochs other than 0 are unknown.", "unknown_epoch",
			func(_ *groupCase, e []byte) []byte { e[8] = 1; return e }),
		spoil(all, "other_version", "So are other versions of the envelope.", "unknown_epoch",
			func(_ *groupCase, e []byte) []byte { e[4] = 2; return e }),
		spoil(team, "other_group", "The target of the frame must be the sealed group.", "tampered",
			func(c *groupCase, e []byte) []byte { c.Target = "@frontend"; return e }),
		spoil(team, "other_mesh", "The mesh id is part of the key.", "tampered",
			func(c *groupCase, e []byte) []byte { c.Mesh = strings.Repeat("M", 32); return e }),
		spoil(team, "other_sender", "The sender must be the one the broker names.", "tampered",
			func(c *groupCase, e []byte) []byte {
				c.Public = hex.EncodeToString(ed25519.NewKeyFromSeed(unhex(t, malloySeed)).Public().(ed25519.PublicKey))
				return e
			}),
		spoil(all, "forged", "A member that seals under another member's key has no signature for it.", "tampered",
			func(c *groupCase, e []byte) []byte { return forge(t, all) }),
		spoil(all, "flipped", "One flipped bit of the tag.", "tampered",
			func(_ *groupCase, e []byte) []byte { e[12] ^= 1; return e }),
		spoil(all, "short", "An envelope must at least hold its header.", "malformed",
			func(_ *groupCase, e []byte) []byte { return e[:9] }),
	}
}

// forge is what another member of the mesh can make: the right group key, and
// the victim's key beside a signature of the forger's own.
func forge(t testing.TB, victim groupCase) []byte {
	m := victim.message()
	m.Sender = unhex(t, victim.Public)
	header := groupHeader(groupEpoch, Everyone)
	malloy := ed25519.NewKeyFromSeed(unhex(t, malloySeed))
	body := slices.Concat(ed25519.Sign(malloy, statement(header, victim.Mesh, m)), groupBody(m))
	key := [KeyLen]byte(unhex(t, victim.GroupKey))
	return secretbox.Seal(header, body, (*nonce)(unhex(t, victim.NonceHex)), &key)
}

func readGroupCases(t testing.TB) []groupCase {
	t.Helper()
	raw, err := os.ReadFile(groupVectors)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []groupCase }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatal("no group vectors")
	}
	return file.Vectors
}

// TestGroupVectorsAreTheAgreedBytes keeps the envelope from changing unnoticed.
func TestGroupVectorsAreTheAgreedBytes(t *testing.T) {
	cases := makeGroupCases(t)
	if *update {
		file := map[string]any{
			"format": "claudemesh group envelope vectors, version 1",
			"about": "Keys come from one-byte repeated seeds and are public: never use them. A case without error opens to " +
				"text, client_message_id and time_ms; a case with error must be refused.",
			"vectors": cases,
		}
		raw, err := json.MarshalIndent(file, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(groupVectors, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := readGroupCases(t)
	same(t, "number of cases", len(read), len(cases))
	for i := range min(len(read), len(cases)) {
		same(t, cases[i].Name, read[i], cases[i])
	}
}

func TestGroupVectorsOpenOrAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range readGroupCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			m, err := c.open(t)
			if c.Error != "" {
				if !errors.Is(err, errorWords[c.Error]) {
					t.Errorf("got %v, want %s", err, c.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, "text", m.Text, c.Text)
			same(t, "id", m.ID, c.ID)
			same(t, "time", m.Time.UnixMilli(), c.TimeMS)
			same(t, "verified", m.Verified, true)
		})
	}
}

// TestEveryByteOfAGroupMessageIsBound flips each bit of an envelope and of its
// nonce; none may open as anything, clear text included.
func TestEveryByteOfAGroupMessageIsBound(t *testing.T) {
	t.Parallel()
	c := newCase(t, "bound", "", "@backend", "pay 100 to Bob")
	raw, _ := decode64(c.Envelope)
	n, _ := decode64(c.Nonce)
	for i := range 8 * (len(raw) + len(n)) {
		envelope, nonce := slices.Clone(raw), slices.Clone(n)
		if at := i / 8; at < len(raw) {
			envelope[at] ^= 1 << (i % 8)
		} else {
			nonce[at-len(raw)] ^= 1 << (i % 8)
		}
		m, err := OpenGroup(c.group(t), unhex(t, c.Public), Box{Nonce: b64(nonce), Ciphertext: b64(envelope)})
		if err == nil {
			t.Errorf("bit %d flipped: opened as %q", i, m.Text)
		}
	}
	for n := range raw {
		if m, err := OpenGroup(c.group(t), unhex(t, c.Public), Box{Nonce: c.Nonce, Ciphertext: b64(raw[:n])}); err == nil && n >= 1 {
			t.Errorf("cut to %d bytes: opened as %q", n, m.Text)
		}
	}
}

func TestClearTextIsShownAsUnverified(t *testing.T) {
	t.Parallel()
	m, err := OpenGroup(Group{Mesh: testMesh, Target: "*"}, nil, Plain("hi there"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "text", m.Text, "hi there")
	same(t, "verified", m.Verified, false)
	if _, err := OpenGroup(Group{}, nil, Box{Ciphertext: b64([]byte{0x80, 0x81})}); !errors.Is(err, ErrMalformed) {
		t.Errorf("bytes that are no text: %v", err)
	}
}

func TestWithoutARootKeyNothingIsSealedOrOpened(t *testing.T) {
	t.Parallel()
	c := newCase(t, "nokey", "", "*", "hi")
	g := Group{Mesh: testMesh, Target: "*"}
	if _, err := ForGroup(g, c.sender(t), c.message()); !errors.Is(err, ErrNoKey) {
		t.Errorf("seal: %v", err)
	}
	if _, err := OpenGroup(g, unhex(t, c.Public), c.box()); !errors.Is(err, ErrNoKey) {
		t.Errorf("open: %v", err)
	}
}

func TestGroupNamesThatCouldBeConfusedAreRefused(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"", "@", "@*", "backend", "#topic", "@\xff", "@" + strings.Repeat("a", 1<<16)} {
		if name, err := GroupName(target); !errors.Is(err, ErrBadGroup) {
			t.Errorf("%.10q is sealed as %.10q", target, name)
		}
	}
}

func TestNoTwoMessagesShareAStatement(t *testing.T) {
	t.Parallel()
	m := GroupMessage{Sender: make([]byte, 32), ID: "ab", Text: "c", Time: time.UnixMilli(1)}
	moved := m
	moved.ID, moved.Text = "a", "bc"
	if bytes.Equal(statement(nil, "m", m), statement(nil, "m", moved)) {
		t.Error("a byte moved from id to text")
	}
}

func TestImpossibleTimesAreRefused(t *testing.T) {
	t.Parallel()
	c := newCase(t, "time", "", "*", "hi")
	m := c.message()
	m.Time = time.UnixMilli(maxGroupTime + 1)
	b, err := ForGroup(c.group(t), c.sender(t), m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenGroup(c.group(t), unhex(t, c.Public), b); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func FuzzOpenGroup(f *testing.F) {
	for _, c := range readGroupCases(f) {
		raw, _ := decode64(c.Envelope)
		f.Add(raw)
	}
	c := newCase(f, "fuzz", "", "*", "hi")
	want, _ := decode64(c.Envelope)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := OpenGroup(c.group(t), unhex(t, c.Public), Box{Nonce: c.Nonce, Ciphertext: b64(raw)})
		if err == nil && m.Verified && !bytes.Equal(raw, want) && m.ID == c.ID && m.Text != c.Text {
			t.Errorf("forged %q", m.Text)
		}
	})
}

// FuzzGroupBody reaches the parser that lies behind the box.
func FuzzGroupBody(f *testing.F) {
	f.Add(binary.BigEndian.AppendUint64(make([]byte, 96), 1), "mesh")
	f.Fuzz(func(t *testing.T, body []byte, mesh string) {
		if m, err := verifyBody(groupHeader(0, "*"), mesh, make([]byte, 32), body); err == nil {
			t.Logf("opened %q", m.Text)
		}
	})
}
