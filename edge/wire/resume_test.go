package wire_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const resumeToken = "AfT0k3n-of_the-edge"

func resume() *wire.Resume {
	r := &wire.Resume{
		Token: resumeToken, Timestamp: wire.MillisAt(now), Cursor: "3kXw9aQ1/17/j000000Hfu7Px9aQ1Zk8m2Qw4Er6Ty8",
	}
	r.Sign(meshID, key(4))
	return r
}

func checkResume(r *wire.Resume, mesh string, by ed25519.PrivateKey) *wire.Refusal {
	return firstRefusal(
		r.CheckToken,
		func() *wire.Refusal { return r.Verify(mesh, wire.PublicKey(by), now) },
		r.CheckFields,
	)
}

func TestAResumeOfTheKeysHolderIsAccepted(t *testing.T) {
	t.Parallel()
	if r := checkResume(resume(), meshID, key(4)); r != nil {
		t.Error(r)
	}
}

// TestS3_AResumeProvesTheKeyForThisTokenMeshAndTime names everything that a
// thief of a token, or of a whole frame, might exchange.
func TestS3_AResumeProvesTheKeyForThisTokenMeshAndTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*wire.Resume)
		mesh   string
		by     byte
		want   wire.Code
	}{
		"another key":       {by: 5, want: wire.CodeBadSignature},
		"another mesh":      {mesh: strings.ToLower(meshID), want: wire.CodeBadSignature},
		"another token":     {change: func(r *wire.Resume) { r.Token += "x" }, want: wire.CodeBadSignature},
		"another time":      {change: func(r *wire.Resume) { r.Timestamp++ }, want: wire.CodeBadSignature},
		"changed signature": {change: func(r *wire.Resume) { r.Signature = flip(r.Signature) }, want: wire.CodeBadSignature},
		"short signature":   {change: func(r *wire.Resume) { r.Signature = r.Signature[1:] }, want: wire.CodeMalformed},
		"no signature":      {change: func(r *wire.Resume) { r.Signature = "" }, want: wire.CodeMalformed},
		"signature of a hello": {change: func(r *wire.Resume) {
			r.Signature = sessionHello().Signature
		}, want: wire.CodeBadSignature},
		"too early":    {change: resignedAt(-wire.ClockSkew - time.Millisecond), want: wire.CodeTimestampSkew},
		"too late":     {change: resignedAt(wire.ClockSkew + time.Millisecond), want: wire.CodeTimestampSkew},
		"no time":      {change: func(r *wire.Resume) { r.Timestamp = wire.Millis(math.NaN()) }, want: wire.CodeTimestampSkew},
		"no token":     {change: func(r *wire.Resume) { r.Token = "" }, want: wire.CodeResumeRefused},
		"long token":   {change: func(r *wire.Resume) { r.Token = strings.Repeat("t", wire.MaxResumeToken+1) }, want: wire.CodeResumeRefused},
		"long cursor":  {change: func(r *wire.Resume) { r.Cursor = strings.Repeat("c", 201) }, want: wire.CodeInvalidArgument},
		"split cursor": {change: func(r *wire.Resume) { r.Cursor = "a\nb" }, want: wire.CodeInvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, mesh, by := resume(), meshID, byte(4)
			if tt.change != nil {
				tt.change(r)
			}
			if tt.mesh != "" {
				mesh = tt.mesh
			}
			if tt.by != 0 {
				by = tt.by
			}
			got := checkResume(r, mesh, key(by))
			if got == nil || got.Code != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func resignedAt(off time.Duration) func(*wire.Resume) {
	return func(r *wire.Resume) {
		r.Timestamp = wire.MillisAt(now.Add(off))
		r.Sign(meshID, key(4))
	}
}

// TestAResumeWithFieldsOfTheWrongKindIsRefusedAndNotMisread holds because each
// kind of failure has a code that clients act on.
func TestAResumeWithFieldsOfTheWrongKindIsRefusedAndNotMisread(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]wire.Code{
		`{"type":"resume"}`:                               wire.CodeResumeRefused,
		`{"type":"resume","token":7}`:                     wire.CodeTimestampSkew,
		`{"type":"resume","token":"t","timestamp":"now"}`: wire.CodeTimestampSkew,
	} {
		m, err := wire.DecodeHello([]byte(frame))
		if err != nil {
			t.Errorf("%s: %v", frame, err)
			continue
		}
		if got := checkResume(m.(*wire.Resume), meshID, key(4)); got == nil || got.Code != want {
			t.Errorf("%s: %v, want %s", frame, got, want)
		}
	}
	_, err := wire.DecodeHello([]byte(`{"type":"resume","cursor":[]}`))
	if r := wire.RefuseUnreadableResume(err); err == nil || r.Code != wire.CodeResumeRefused {
		t.Errorf("refused with %+v for %v", r, err)
	}
}

// TestResumeVectors holds the signed text to testdata/resume.json, which other
// implementations read.
func TestResumeVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/resume.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Mesh, Seed string
		Now        int64
		Vectors    []struct {
			Name, Token, Canonical, Signature, Refused string
			Timestamp                                  wire.Millis
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	seed, err := hex.DecodeString(file.Seed)
	if err != nil || len(file.Vectors) == 0 {
		t.Fatal("no vectors", err)
	}
	signer := ed25519.NewKeyFromSeed(seed)
	for _, v := range file.Vectors {
		r := &wire.Resume{Token: v.Token, Timestamp: v.Timestamp, Signature: v.Signature}
		if v.Canonical != "" && string(r.Canonical(file.Mesh)) != v.Canonical {
			t.Errorf("%s: canonical text %s", v.Name, r.Canonical(file.Mesh))
		}
		code := wire.Code("")
		if got := r.Verify(file.Mesh, wire.PublicKey(signer), time.UnixMilli(file.Now)); got != nil {
			code = got.Code
		}
		if code != wire.Code(v.Refused) {
			t.Errorf("%s: refused with %q, want %q", v.Name, code, v.Refused)
		}
	}
}
