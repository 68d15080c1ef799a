package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func seedFrames(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/frames/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden frames", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"hello","timestamp":1e309,"pid":"-1","groups":[{}],"parentAttestation":7}`))
	f.Add([]byte(`null`))
}

// FuzzDecode holds every frame to three things: a refusal is a DecodeError with
// an encodable answer, what is understood encodes, and reads back as the same.
func FuzzDecode(f *testing.F) {
	seedFrames(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		fuzzDecode(t, frame, wire.Decode)
		fuzzDecode(t, frame, wire.DecodeFromEdge)
	})
}

func fuzzDecode(t *testing.T, frame []byte, decode func([]byte) (wire.Message, error)) {
	m, err := decode(frame)
	if err != nil {
		var e *wire.DecodeError
		if !errors.As(err, &e) {
			t.Fatalf("error %v is no DecodeError", err)
		}
		if m = e.Answer(); m == nil {
			return
		}
		decode = wire.DecodeFromEdge
	}
	once, err := wire.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(once) {
		t.Fatalf("encoded to %q", once)
	}
	back, err := decode(once)
	if errors.Is(err, wire.ErrMalformed) && !isHello(m) {
		return // bounds count bytes, and what JSON escapes may grow
	}
	if err != nil {
		t.Fatalf("%v: %s", err, once)
	}
	twice, err := wire.Encode(back)
	if err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("encoded to\n%s\nthen %v\n%s", once, err, twice)
	}
}

func isHello(m wire.Message) bool {
	return m.FrameType() == wire.TypeHello || m.FrameType() == wire.TypeSessionHello || m.FrameType() == wire.TypeResume
}

// FuzzHandshake looks for a handshake that is admitted without a signature, and
// for one that crashes a check.
func FuzzHandshake(f *testing.F) {
	seedFrames(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := wire.DecodeHello(frame)
		if err != nil {
			return
		}
		switch h := m.(type) {
		case *wire.Hello:
			h.Signature = flip(h.Signature)
			if firstRefusal(h.CheckKeys, func() *wire.Refusal { return h.Verify(now) }, h.CheckFields) == nil {
				t.Fatal("a hello with a wrong signature is admitted")
			}
		case *wire.SessionHello:
			h.Signature = flip(h.Signature)
			if firstRefusal(h.CheckKeys, func() *wire.Refusal { return h.Verify(now) }, h.CheckFields) == nil {
				t.Fatal("a session_hello with a wrong signature is admitted")
			}
		case *wire.Resume:
			h.Signature = flip(h.Signature)
			if checkResume(h, meshID, key(4)) == nil {
				t.Fatal("a resume with a wrong signature is admitted")
			}
		}
	})
}

// flip changes the first character of a signature for another hex digit.
func flip(signature string) string {
	if signature == "" {
		return signature
	}
	if signature[0] == '0' {
		return "1" + signature[1:]
	}
	return "0" + signature[1:]
}

func FuzzParseInviteToken(f *testing.F) {
	for _, seed := range []string{"", "eyJ2IjoxfQ", "e30", "bnVsbA"} {
		f.Add(seed)
	}
	i := wire.Invite{
		MeshID: meshID, MeshSlug: "acme", BrokerURL: "ws://e/ws", ExpiresAt: 1, MeshRootKey: "k", Role: "member",
	}
	i.Sign(key(1))
	token, err := i.Token()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Fuzz(func(t *testing.T, token string) {
		i, err := wire.ParseInviteToken(token)
		if err != nil {
			if !errors.Is(err, wire.ErrInviteMalformed) {
				t.Fatalf("error = %v, want ErrInviteMalformed", err)
			}
			return
		}
		_ = i.Verify(time.Unix(0, 0))
		_, _ = i.RootKey()
		again, err := i.Token()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := wire.ParseInviteToken(again); len(again) <= wire.MaxInviteToken && (err != nil || back != i) {
			t.Fatalf("read back as %+v, %v; want %+v", back, err, i)
		}
	})
}

func FuzzJoinInput(f *testing.F) {
	for _, seed := range []string{
		"abc12345", "https://claudemesh.com/es/i/ABCD2345/", "ic://join/eyJ2", "i/", "/", "?#", "host/join/x?y#z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := wire.ParseJoinInput(s)
		if (err == nil) != (got != wire.JoinInput{}) || got.Code != "" && got.Token != "" {
			t.Fatalf("got %+v, %v", got, err)
		}
		if got.Token == "" {
			return
		}
		if back, err := wire.ParseJoinInput(wire.InviteLink(got.Token)); err != nil || back != got {
			t.Fatalf("its link is read as %+v, %v", back, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	for _, seed := range []string{
		"3kXw9aQ1/17/j000000H", "3kXw9aQ1/0/", "3kXw9aQ1/9007199254740993/x", "//", "3kXw9aQ1/+1/", "3kXw9aQ1/01/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := wire.ParseCursor(s)
		if err != nil {
			return
		}
		if c.String() != s {
			t.Fatalf("%q is written back as %q", s, c)
		}
	})
}

func FuzzMessageID(f *testing.F) {
	f.Add("d000001Hfu7Px9aQ1Zk8m2Qw4Er6Ty8U")
	f.Add("jzzzzzzz")
	f.Fuzz(func(t *testing.T, s string) {
		kind, seq, ok := wire.ParseMessageID(s)
		if !ok || len(s) < wire.LongID {
			return
		}
		if back := wire.MessageID(kind, seq, s[8:]); back != s {
			t.Fatalf("%q is written back as %q", s, back)
		}
	})
}

// FuzzFingerprintCanonicalJSON holds that canonical JSON is JSON, means the
// same as what it was made from, and is its own canonical form.
func FuzzFingerprintCanonicalJSON(f *testing.F) {
	for _, seed := range []string{
		`{"9":1,"10":1,"b":-0,"01":1e21,"é":1e-7}`, `"\u0000\u001f\u007f<>&"`, `[]`, `1e400`, `{"a":{"b":[null]}}`, `7 8`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		once, err := wire.CanonicalJSON(value)
		if err != nil {
			return
		}
		twice, err := wire.CanonicalJSON(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q, then %q, %v", once, twice, err)
		}
		var before, after any
		if json.Unmarshal(value, &before) != nil {
			return // a number out of range, written as null
		}
		if err := json.Unmarshal(once, &after); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("the meaning changed (-before, +after):\n%s", diff)
		}
	})
}

func FuzzJoinRequest(f *testing.F) {
	f.Add([]byte(`{"invite_token":"e30","invite_payload":{"v":1},"peer_pubkey":"","display_name":"x"}`))
	f.Add([]byte(`{"invite_proof":"x","mesh_id":"m","timestamp":"1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r wire.JoinRequest
		if json.Unmarshal(body, &r) != nil {
			return
		}
		claim, refusal := r.Check(now)
		if refusal == nil && (claim.MeshID == "" || !wire.IsLowerKey(claim.PeerPubkey) || !wire.IsTokenHash(claim.InviteHash)) {
			t.Fatalf("claim = %+v", claim)
		}
	})
}
