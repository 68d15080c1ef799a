package wire_test

import (
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestHelloIsBoundedInWhatItMakesOthersRemember(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*wire.Hello){
		"no session id":      func(h *wire.Hello) { h.SessionID = "" },
		"long session id":    func(h *wire.Hello) { h.SessionID = strings.Repeat("x", wire.MaxSessionID+1) },
		"long name":          func(h *wire.Hello) { h.DisplayName = strings.Repeat("x", wire.MaxDisplayName+1) },
		"escape in name":     func(h *wire.Hello) { h.DisplayName = "\x1b[31mAna" },
		"NUL in directory":   func(h *wire.Hello) { h.Cwd = "/home\x00" },
		"long directory":     func(h *wire.Hello) { h.Cwd = strings.Repeat("x", wire.MaxCwd+1) },
		"too many groups":    func(h *wire.Hello) { h.Groups = make([]wire.Group, wire.MaxGroups+1) },
		"group without name": func(h *wire.Hello) { h.Groups = []wire.Group{{}} },
		"NUL in group":       func(h *wire.Hello) { h.Groups = []wire.Group{{Name: "a\x00b"}} },
		"group not UTF-8":    func(h *wire.Hello) { h.Groups = []wire.Group{{Name: "a\xff"}} },
		"long group":         func(h *wire.Hello) { h.Groups = []wire.Group{{Name: strings.Repeat("x", wire.MaxGroupName+1)}} },
		"long role": func(h *wire.Hello) {
			h.Groups = []wire.Group{{Name: "a", Role: strings.Repeat("x", wire.MaxGroupRole+1)}}
		},
	} {
		h := hello()
		change(h)
		r := h.CheckFields()
		if r == nil || r.Code != wire.CodeInvalidArgument || r.Close != wire.CloseRefused {
			t.Errorf("%s: refusal = %+v, want invalid_argument", name, r)
		}
	}
	if r := hello().CheckFields(); r != nil {
		t.Errorf("a hello within bounds is refused: %v", r)
	}
}

func TestAMeshIdOfAnotherShapeIsNoMesh(t *testing.T) {
	t.Parallel()
	h, s := hello(), sessionHello()
	h.MeshID, s.MeshID = "{p1}", "{p1}"
	for _, r := range []*wire.Refusal{h.CheckFields(), s.CheckFields()} {
		if r == nil || r.Code != wire.CodeUnauthorized {
			t.Errorf("refusal = %+v, want unauthorized", r)
		}
	}
}

func TestFieldsOfTheWrongKindHaveTheCodeOfTheirCheck(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]wire.Code{
		`{"type":"hello","sessionPubkey":7}`:                    wire.CodeBadSessionPubkey,
		`{"type":"hello","timestamp":1767225600000,"pubkey":7}`: wire.CodeMalformed,

		`{"type":"hello"}`:         wire.CodeTimestampSkew,
		`{"type":"session_hello"}`: wire.CodeBadSessionPubkey,

		`{"type":"session_hello","sessionPubkey":` + hexKey + `}`: wire.CodeBadParentPubkey,

		attested(`7`):    wire.CodeAttestationMismatch,
		attested(`null`): wire.CodeAttestationMismatch,
		attested(`{}`):   wire.CodeAttestationMismatch,
		attested(`{"sessionPubkey":` + hexKey + `}`):                          wire.CodeAttestationMismatch,
		attested(bindingHexKey + `}`):                                         wire.CodeMalformed,
		attested(bindingHexKey + `,"expiresAt":1767225600001}`):               wire.CodeMalformed,
		attested(bindingHexKey + `,"expiresAt":1}`):                           wire.CodeExpired,
		attested(bindingHexKey + `,"expiresAt":1767225600001,"signature":7}`): wire.CodeMalformed,
	} {
		if r := refusalOf(t, frame); r == nil || r.Code != want {
			t.Errorf("%.80s: refusal = %+v, want %s", frame, r, want)
		}
	}
}

const (
	hexKey        = `"ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c"`
	bindingHexKey = `{"sessionPubkey":` + hexKey + `,"parentMemberPubkey":` + hexKey
)

func attested(attestation string) string {
	return `{"type":"session_hello","sessionPubkey":` + hexKey + `,"parentMemberPubkey":` + hexKey +
		`,"parentAttestation":` + attestation + `}`
}

func refusalOf(t *testing.T, frame string) *wire.Refusal {
	t.Helper()
	m, err := wire.DecodeHello([]byte(frame))
	if err != nil {
		t.Fatal(err)
	}
	switch h := m.(type) {
	case *wire.Hello:
		return firstRefusal(h.CheckKeys, func() *wire.Refusal { return h.Verify(now) })
	case *wire.SessionHello:
		return firstRefusal(h.CheckKeys, func() *wire.Refusal { return h.Verify(now) })
	}
	t.Fatalf("not a handshake: %T", m)
	return nil
}

func TestParentIdIsComparedWhereGiven(t *testing.T) {
	t.Parallel()
	h := sessionHello()
	if r := h.CheckParent(h.ParentMemberID); r != nil {
		t.Error(r)
	}
	if r := h.CheckParent("other"); r == nil || r.Code != wire.CodeParentMemberIDMismatch {
		t.Errorf("refusal = %+v", r)
	}
	h.ParentMemberID = ""
	if r := h.CheckParent("other"); r != nil {
		t.Error(r)
	}
}

func TestRevocationClosesLikeABan(t *testing.T) {
	t.Parallel()
	r := wire.RefuseRevoked("acme")
	if r.Close != wire.CloseBanned || r.Reason != wire.ReasonBanned || !strings.Contains(r.Message, `"acme"`) {
		t.Errorf("refusal = %+v", r)
	}
	if f := r.Frame(); f.Code != wire.CodeRevoked || f.Message != r.Message {
		t.Errorf("frame = %+v", f)
	}
}

// TestAKeyThatIdentifiesNobodyIsRefused uses a signature that holds for the key
// of order 1 whatever is signed: R is the identity, S is zero.
func TestAKeyThatIdentifiesNobodyIsRefused(t *testing.T) {
	t.Parallel()
	for _, sign := range []string{"00", "80"} {
		h := hello()
		h.Pubkey = "01" + strings.Repeat("00", 30) + sign
		h.Signature = "01" + strings.Repeat("00", 63)
		if r := h.Verify(now); r == nil || r.Code != wire.CodeBadSignature {
			t.Errorf("refusal = %+v, want bad_signature", r)
		}
	}
}

func TestAnUnreadableHandshakeIsRefusedForItsReason(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]wire.Refusal{
		`{"type":"hello","displayName":7}`: {
			Code: wire.CodeMalformed, Message: "hello rejected: field displayName has the wrong kind of value",
			Close: wire.CloseRefused, Reason: "malformed",
		},
		`{"type":"session_hello","groups":[{"name":7}]}`: {
			Code: wire.CodeMalformed, Message: "hello rejected: field groups.name has the wrong kind of value",
			Close: wire.CloseRefused, Reason: "malformed",
		},
		`"` + strings.Repeat("x", wire.MaxHelloFrame) + `"`: {
			Code: wire.CodeTooLarge, Message: "frame of 16386 bytes exceeds the limit of 16384",
			Close: wire.CloseTooBig, Reason: wire.ReasonTooLarge,
		},
	} {
		_, err := wire.DecodeHello([]byte(frame))
		if err == nil {
			t.Errorf("%.60s was read", frame)
			continue
		}
		if got := wire.RefuseUnreadable(err); *got != want {
			t.Errorf("%.60s: refusal = %+v, want %+v", frame, *got, want)
		}
	}
}
