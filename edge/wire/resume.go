package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

// resumeDomain keeps the signature of a resume from being taken for another's.
const resumeDomain = "claudemesh-resume"

// Resume opens a connection that goes on with an attachment: the token of its
// last hello_ack says which, and the signature proves that the attachment's
// holder asks. A token that does not serve any more is answered with an error
// of CodeResumeRefused, and the socket waits for a whole handshake.
type Resume struct {
	Token     string `json:"token"` // as it came; opaque to peers
	Timestamp Millis `json:"timestamp"`
	Signature string `json:"signature"`
	Cursor    string `json:"cursor,omitempty"` // the last journal entry the peer has processed
}

// FrameType returns TypeResume.
func (Resume) FrameType() Type { return TypeResume }

// UnmarshalJSON leaves fields of the wrong kind to the checks, because each of
// them has a code of its own.
func (r *Resume) UnmarshalJSON(b []byte) error {
	type plain Resume
	in := struct {
		*plain
		Token     looseText `json:"token"`
		Signature looseText `json:"signature"`
	}{plain: (*plain)(r)}
	r.Timestamp = notANumber()
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	r.Token, r.Signature = string(in.Token), string(in.Signature)
	return nil
}

// Canonical is the text that is signed: by the session key where the handshake
// proved one, else by the member key. A token is long, so its hash stands for
// it.
func (r *Resume) Canonical(mesh string) []byte {
	hash := sha256.Sum256([]byte(r.Token))
	return canonical(resumeDomain, mesh, hex.EncodeToString(hash[:]), r.Timestamp.String())
}

// Sign signs r as it is.
func (r *Resume) Sign(mesh string, key ed25519.PrivateKey) {
	r.Signature = sign(key, r.Canonical(mesh))
}

// CheckToken is the first step: it looks at shapes only.
func (r *Resume) CheckToken() *Refusal {
	if r.Token == "" || len(r.Token) > MaxResumeToken {
		return RefuseResume("token has no such shape")
	}
	return nil
}

// Verify is the second step: is this the holder of the key that the token
// names, now?
func (r *Resume) Verify(mesh, key string, now time.Time) *Refusal {
	text := func() []byte { return r.Canonical(mesh) }
	return verifyStep("resume", r.Timestamp, key, r.Signature, text, now)
}

// CheckFields is the last step.
func (r *Resume) CheckFields() *Refusal {
	if err := checkLabel("cursor", r.Cursor, MaxCorrelationID); err != nil {
		return refuse(CodeInvalidArgument, "resume rejected: "+err.Error())
	}
	return nil
}

// RefuseResume says that a token does not serve, and why. It is the one refusal
// after which the socket stays open.
func RefuseResume(why string) *Refusal {
	return refuse(CodeResumeRefused, "resume refused: "+why+"; say hello")
}

// RefuseUnreadableResume says that a resume could not be read, for the reason
// in err, which [DecodeHello] returned.
func RefuseUnreadableResume(err error) *Refusal {
	var e *DecodeError
	if !errors.As(err, &e) {
		return RefuseResume("malformed")
	}
	return RefuseResume(e.Reason)
}
