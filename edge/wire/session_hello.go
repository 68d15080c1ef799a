package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"time"
)

// attestDomain and sessionDomain keep a signature for one purpose from being
// used for another.
const (
	attestDomain  = "claudemesh-session-attest"
	sessionDomain = "claudemesh-session-hello"
)

// Attestation is a member's word that a session key is its own, for a while.
// It does not name a mesh: it holds wherever the member is enrolled.
type Attestation struct {
	SessionPubkey      string `json:"sessionPubkey"`
	ParentMemberPubkey string `json:"parentMemberPubkey"`
	ExpiresAt          Millis `json:"expiresAt"`
	Signature          string `json:"signature"`
}

// UnmarshalJSON accepts any JSON value: what is no attestation binds no keys,
// and fails for that.
func (a *Attestation) UnmarshalJSON(b []byte) error {
	in := struct {
		SessionPubkey      looseText `json:"sessionPubkey"`
		ParentMemberPubkey looseText `json:"parentMemberPubkey"`
		ExpiresAt          Millis    `json:"expiresAt"`
		Signature          looseText `json:"signature"`
	}{ExpiresAt: notANumber()}
	_ = json.Unmarshal(b, &in) // the field's own types accept everything
	*a = Attestation{
		SessionPubkey:      string(in.SessionPubkey),
		ParentMemberPubkey: string(in.ParentMemberPubkey),
		ExpiresAt:          in.ExpiresAt,
		Signature:          string(in.Signature),
	}
	return nil
}

// Canonical is the text that the member key signs.
func (a *Attestation) Canonical() []byte {
	return canonical(attestDomain, a.ParentMemberPubkey, a.SessionPubkey, a.ExpiresAt.String())
}

// Attest returns member's word for session, good until then.
func Attest(member ed25519.PrivateKey, session string, until time.Time) *Attestation {
	a := &Attestation{
		SessionPubkey:      session,
		ParentMemberPubkey: PublicKey(member),
		ExpiresAt:          MillisAt(until),
	}
	a.Signature = sign(member, a.Canonical())
	return a
}

// Verify says whether the attestation holds now.
func (a *Attestation) Verify(now time.Time) *Refusal {
	ahead := float64(a.ExpiresAt) - float64(now.UnixMilli())
	code := Code("")
	switch {
	case !a.ExpiresAt.IsNumber():
		code = CodeMalformed
	case ahead <= 0:
		code = CodeExpired
	case ahead > float64(AttestationTTL.Milliseconds()):
		code = CodeTTLTooLong
	case !IsKey(a.ParentMemberPubkey) || !isSignature(a.Signature):
		code = CodeMalformed
	case !verify(a.ParentMemberPubkey, a.Signature, a.Canonical()):
		code = CodeBadSignature
	default:
		return nil
	}
	return refuse(code, "attestation rejected: "+string(code))
}

// SessionHello opens a session connection: the parent vouches for the session
// key, and the session key signs this connection.
type SessionHello struct {
	MeshID             string       `json:"meshId"`
	ParentMemberID     string       `json:"parentMemberId,omitempty"`
	ParentMemberPubkey string       `json:"parentMemberPubkey"`
	SessionPubkey      string       `json:"sessionPubkey"`
	ParentAttestation  *Attestation `json:"parentAttestation"`
	About
	Timestamp Millis `json:"timestamp"`
	Signature string `json:"signature"`
}

// FrameType returns TypeSessionHello.
func (SessionHello) FrameType() Type { return TypeSessionHello }

// UnmarshalJSON leaves fields of the wrong kind to the checks, because each of
// them has a code of its own.
func (h *SessionHello) UnmarshalJSON(b []byte) error {
	type plain SessionHello
	in := struct {
		*plain
		ParentMemberPubkey looseText `json:"parentMemberPubkey"`
		SessionPubkey      looseText `json:"sessionPubkey"`
		Signature          looseText `json:"signature"`
	}{plain: (*plain)(h)}
	h.Timestamp = notANumber()
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	h.ParentMemberPubkey, h.SessionPubkey = string(in.ParentMemberPubkey), string(in.SessionPubkey)
	h.Signature = string(in.Signature)
	return nil
}

// Canonical is the text that the session key signs.
func (h *SessionHello) Canonical() []byte {
	return canonical(sessionDomain, h.MeshID, h.ParentMemberPubkey, h.SessionPubkey, h.Timestamp.String())
}

// Sign signs h as it is.
func (h *SessionHello) Sign(session ed25519.PrivateKey) { h.Signature = sign(session, h.Canonical()) }

// CheckKeys is the first step: it looks at shapes only.
func (h *SessionHello) CheckKeys() *Refusal {
	switch a := h.ParentAttestation; {
	case !IsLowerKey(h.SessionPubkey):
		return refuse(CodeBadSessionPubkey, "sessionPubkey must be 64 lowercase hex chars")
	case !IsLowerKey(h.ParentMemberPubkey):
		return refuse(CodeBadParentPubkey, "parentMemberPubkey must be 64 lowercase hex chars")
	case a == nil || a.SessionPubkey != h.SessionPubkey || a.ParentMemberPubkey != h.ParentMemberPubkey:
		return refuse(CodeAttestationMismatch, "parentAttestation does not bind the claimed session+parent pubkeys")
	}
	return nil
}

// Verify is the second step: does the parent vouch, and is this the session
// key's holder, now? CheckKeys must have passed.
func (h *SessionHello) Verify(now time.Time) *Refusal {
	if r := h.ParentAttestation.Verify(now); r != nil {
		return r
	}
	return h.VerifyLiveness(now)
}

// VerifyLiveness is the second half of Verify, for a resume whose attestation
// was checked before.
func (h *SessionHello) VerifyLiveness(now time.Time) *Refusal {
	return verifyStep("session_hello", h.Timestamp, h.SessionPubkey, h.Signature, h.Canonical, now)
}

// CheckFields is the last step before the registry is asked.
func (h *SessionHello) CheckFields() *Refusal {
	if !IsMeshID(h.MeshID) {
		return RefuseParentUnauthorized()
	}
	return checkFields("session_hello", &h.About, h.ParentMemberID)
}

// CheckParent compares the parent's id, if the frame names one, with the id
// that the registry knows.
func (h *SessionHello) CheckParent(memberID string) *Refusal {
	if h.ParentMemberID != "" && h.ParentMemberID != memberID {
		return RefuseParentMemberID()
	}
	return nil
}
