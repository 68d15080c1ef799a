package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// signed is what vectors about canonical texts expect.
type signed struct {
	Canonical string `json:"canonical"`
	Signature string `json:"signature"`
}

func checkSigned(t *testing.T, canonical []byte, signature string, want signed) {
	t.Helper()
	if string(canonical) != want.Canonical {
		t.Errorf("canonical text\n got %s\nwant %s", canonical, want.Canonical)
	}
	if signature != want.Signature {
		t.Errorf("signature\n got %s\nwant %s", signature, want.Signature)
	}
}

func testHelloVector(t *testing.T, v vector) {
	h := in[wire.Hello](t, v)
	h.Sign(v.keys["alice_member"])
	checkSigned(t, h.Canonical(), h.Signature, want[signed](t, v))
}

// framed is a frame and the moment at which it arrives.
type framed struct {
	Frame          json.RawMessage `json:"frame"`
	Now            int64           `json:"now"`
	EnrolledPubkey string          `json:"enrolled_pubkey"`
}

func testHelloVerifyVector(t *testing.T, v vector) {
	inputs, expected := in[framed](t, v), want[verdict](t, v)
	m, err := wire.DecodeHello(inputs.Frame)
	if err != nil {
		t.Fatal(err)
	}
	h := m.(*wire.Hello)
	r := firstRefusal(
		h.CheckKeys,
		func() *wire.Refusal { return h.Verify(time.UnixMilli(inputs.Now)) },
		h.CheckFields,
	)
	if expected.SignatureStep == "ok" {
		// An enrolled key is looked up as sent, in the reference's words. We
		// enrol and look up lowercase keys, so the registry decides.
		checkRefusal(t, r, verdict{OK: true})
		if h.Pubkey == inputs.EnrolledPubkey {
			t.Error("the key was not kept as sent")
		}
		return
	}
	checkRefusal(t, r, expected)
}

func firstRefusal(steps ...func() *wire.Refusal) *wire.Refusal {
	for _, step := range steps {
		if r := step(); r != nil {
			return r
		}
	}
	return nil
}

func testHelloSessionPubkeyVector(t *testing.T, v vector) {
	h := in[wire.Hello](t, v)
	checkRefusal(t, h.CheckKeys(), want[verdict](t, v))
}

func testAttestationVector(t *testing.T, v vector) {
	a := in[wire.Attestation](t, v)
	made := wire.Attest(v.keys["alice_member"], a.SessionPubkey, time.UnixMilli(int64(a.ExpiresAt)))
	checkSigned(t, made.Canonical(), made.Signature, want[signed](t, v))
}

func testSessionHelloVector(t *testing.T, v vector) {
	h := in[wire.SessionHello](t, v)
	h.Sign(v.keys["alice_session"])
	checkSigned(t, h.Canonical(), h.Signature, want[signed](t, v))
}

func testSessionHelloVerifyVector(t *testing.T, v vector) {
	inputs := in[framed](t, v)
	m, err := wire.DecodeHello(inputs.Frame)
	if err != nil {
		t.Fatal(err)
	}
	h := m.(*wire.SessionHello)
	checkRefusal(t, firstRefusal(
		h.CheckKeys,
		func() *wire.Refusal { return h.Verify(time.UnixMilli(inputs.Now)) },
		h.CheckFields,
	), want[verdict](t, v))
}
