package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/edge/wire"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const (
	testMesh = "MESH0123456789abcdefABCDEFxyzXYZ"
	testID   = "cmreceipt1-AAAABBBBCCCCDDDDEEEEFFFF22"
)

func newKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// vector is one case: what is signed, what comes out, and the plaintext of a
// message that carries it.
type vector struct {
	Name      string `json:"name"`
	Mesh      string `json:"mesh"`
	Sender    string `json:"sender_public_hex"`
	Seed      string `json:"signer_seed_hex"`
	ID        string `json:"client_message_id"`
	Text      string `json:"text"`
	State     State  `json:"state"`
	At        int64  `json:"at_ms"`
	Canonical string `json:"canonical"`
	Signature string `json:"signature_hex"`
	Plaintext string `json:"plaintext_hex"`
}

func vectors(t *testing.T) []vector {
	t.Helper()
	var out []vector
	for _, c := range []struct {
		name, text string
		state      State
	}{{"delivered", "hello", Delivered}, {"surfaced", "hello", Surfaced}, {"empty text", "", Delivered}, {"not ASCII", "grüße\n", Surfaced}} {
		at := time.UnixMilli(1767225600123)
		sender := wire.PublicKey(newKey(4))
		r := Sign(testMesh, sender, testID, Digest(c.text), c.state, at, newKey(5))
		plain, err := Encode([]Receipt{r})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, vector{
			Name: c.name, Mesh: testMesh, Sender: sender, Seed: hex.EncodeToString(newKey(5).Seed()), ID: testID, Text: c.text,
			State: c.state, At: at.UnixMilli(), Canonical: string(r.canonical(testMesh, sender)), Signature: r.Signature,
			Plaintext: hex.EncodeToString(plain),
		})
	}
	return out
}

func TestVectorsAreWhatOthersWereTold(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(map[string]any{
		"about":   "Keys come from one-byte repeated seeds and are public: never use them.",
		"vectors": vectors(t),
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("testdata/vectors.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the format has changed: receipts of earlier versions would be refused")
	}
}

func TestAReceiptSpeaksForOneMessageOfOneSenderOnly(t *testing.T) {
	t.Parallel()
	sender, other := wire.PublicKey(newKey(4)), wire.PublicKey(newKey(6))
	key := wire.PublicKey(newKey(5))
	r := Sign(testMesh, sender, testID, Digest("hello"), Delivered, time.Now(), newKey(5))
	if !r.Verify(testMesh, sender, key, Digest("hello")) {
		t.Fatal("does not verify")
	}
	for name, ok := range map[string]bool{
		"another mesh":   r.Verify("MESH", sender, key, Digest("hello")),
		"another sender": r.Verify(testMesh, other, key, Digest("hello")),
		"another signer": r.Verify(testMesh, sender, other, Digest("hello")),
		"another text":   r.Verify(testMesh, sender, key, Digest("hullo")),
	} {
		if ok {
			t.Errorf("verifies for %s", name)
		}
	}
	for name, change := range map[string]func(*Receipt){
		"state":     func(r *Receipt) { r.State = Surfaced },
		"no state":  func(r *Receipt) { r.State = "" },
		"time":      func(r *Receipt) { r.At++ },
		"id":        func(r *Receipt) { r.ID = NewID() },
		"signature": func(r *Receipt) { r.Signature = strings.Repeat("0", 128) },
	} {
		forged := r
		change(&forged)
		if forged.Verify(testMesh, sender, key, Digest("hello")) {
			t.Errorf("verifies with another %s", name)
		}
	}
}

func TestOnlyIDsOfOneFormAsk(t *testing.T) {
	t.Parallel()
	if !Asked(NewID()) {
		t.Error("our own id does not ask")
	}
	for _, id := range []string{"", "01J", "cmreceipt1-", NewID() + "|", "cmreceipt1-aaaabbbbccccddddeeeeffff22", "cmreceipt2-AAAABBBBCCCCDDDDEEEEFFFF22"} {
		if Asked(id) {
			t.Errorf("%q asks", id)
		}
	}
}

func TestReceiptsAndTextAreNeverMistakenForEachOther(t *testing.T) {
	t.Parallel()
	plain, err := Encode([]Receipt{{ID: testID}})
	if err != nil || utf8.Valid(plain) || !Is(plain) {
		t.Errorf("%x, %v", plain, err)
	}
	if Is([]byte("\u00ffCMR")) {
		t.Error("a text is taken for receipts")
	}
	for name, bad := range map[string][]byte{
		"version": []byte("\xffCMR\x02{}"), "json": []byte("\xffCMR\x01{"), "none": []byte("\xffCMR\x01{}"),
		"size": append([]byte("\xffCMR\x01"), bytes.Repeat([]byte(" "), maxSize+1)...),
	} {
		if _, err := Decode(bad); err == nil {
			t.Errorf("reads a bad %s", name)
		}
	}
	if _, err := Encode(make([]Receipt, Max+1)); err == nil {
		t.Error("writes too many")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xffCMR\x01{\"receipts\":[{}]}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		receipts, err := Decode(b)
		if err == nil && (len(receipts) == 0 || len(receipts) > Max) {
			t.Errorf("%d receipts", len(receipts))
		}
		for i := range receipts {
			receipts[i].Verify(testMesh, "", receipts[i].Key, receipts[i].Text)
		}
	})
}
