package wire

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"time"
)

// About is what both handshakes tell about the connecting program.
type About struct {
	DisplayName string  `json:"displayName,omitempty"`
	SessionID   string  `json:"sessionId"`
	PID         PID     `json:"pid"`
	Cwd         string  `json:"cwd"`
	Hostname    string  `json:"hostname,omitempty"`
	PeerType    string  `json:"peerType,omitempty"`
	Channel     string  `json:"channel,omitempty"`
	Model       string  `json:"model,omitempty"`
	Groups      []Group `json:"groups,omitzero"` // nil if the frame had none

	Transient bool `json:"transient,omitempty"` // not announced, not listed, leaves with its socket

	// WhileWorking asks for messages of all priorities while working, too: the
	// client keeps them until the model can be shown them.
	WhileWorking bool   `json:"whileWorking,omitempty"`
	Cursor       string `json:"cursor,omitempty"` // the last journal entry the peer has processed
}

// check bounds what will be remembered and shown to others.
func (a *About) check() error {
	if a.SessionID == "" {
		return errors.New("sessionId is missing")
	}
	return cmp.Or(
		checkLabel("sessionId", a.SessionID, MaxSessionID),
		CheckDisplayName(a.DisplayName),
		checkText("cwd", a.Cwd, MaxCwd),
		checkLabel("hostname", a.Hostname, MaxHostname),
		checkLabel("peerType", a.PeerType, MaxLabel),
		checkLabel("channel", a.Channel, MaxLabel),
		checkLabel("model", a.Model, MaxLabel),
		checkLabel("cursor", a.Cursor, MaxCorrelationID),
		CheckGroups(a.Groups),
	)
}

// Hello opens a member connection: it proves the member key.
type Hello struct {
	MeshID        string `json:"meshId"`
	MemberID      string `json:"memberId"` // signed, but not compared with the member's id
	Pubkey        string `json:"pubkey"`
	SessionPubkey string `json:"sessionPubkey,omitempty"` // a claim: named, not proven
	About
	Timestamp Millis `json:"timestamp"`
	Signature string `json:"signature"`
}

// FrameType returns TypeHello.
func (Hello) FrameType() Type { return TypeHello }

// UnmarshalJSON leaves fields of the wrong kind to the checks, because each of
// them has a code of its own.
func (h *Hello) UnmarshalJSON(b []byte) error {
	type plain Hello
	in := struct {
		*plain
		Pubkey        looseText `json:"pubkey"`
		SessionPubkey looseText `json:"sessionPubkey"`
		Signature     looseText `json:"signature"`
	}{plain: (*plain)(h)}
	h.Timestamp = notANumber()
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	h.Pubkey, h.SessionPubkey, h.Signature = string(in.Pubkey), string(in.SessionPubkey), string(in.Signature)
	return nil
}

// Canonical is the text that the member key signs.
func (h *Hello) Canonical() []byte {
	return canonical(h.MeshID, h.MemberID, h.Pubkey, h.Timestamp.String())
}

// Sign signs h as it is.
func (h *Hello) Sign(member ed25519.PrivateKey) { h.Signature = sign(member, h.Canonical()) }

// CheckKeys is the first step: it looks at shapes only.
func (h *Hello) CheckKeys() *Refusal {
	if h.SessionPubkey != "" && !IsLowerKey(h.SessionPubkey) {
		return refuse(CodeBadSessionPubkey, "sessionPubkey must be 64 lowercase hex chars")
	}
	return nil
}

// Verify is the second step: is this the member key's holder, now?
func (h *Hello) Verify(now time.Time) *Refusal {
	return verifyStep("hello", h.Timestamp, h.Pubkey, h.Signature, h.Canonical, now)
}

// CheckFields is the last step before the registry is asked. It comes after
// the proof, so that the codes of the proof keep their precedence.
func (h *Hello) CheckFields() *Refusal {
	if !IsMeshID(h.MeshID) {
		return RefuseUnauthorized()
	}
	return checkFields("hello", &h.About, h.MemberID)
}

// verifyStep checks a signed moment in the order that both handshakes share.
func verifyStep(what string, at Millis, key, signature string, text func() []byte, now time.Time) *Refusal {
	code := Code("")
	switch {
	case !at.Within(ClockSkew, now):
		code = CodeTimestampSkew
	case !IsKey(key) || !isSignature(signature):
		code = CodeMalformed
	case !verify(key, signature, text()):
		code = CodeBadSignature
	default:
		return nil
	}
	return refuse(code, what+" rejected: "+string(code))
}

func checkFields(what string, a *About, memberID string) *Refusal {
	err := cmp.Or(a.check(), checkLabel("memberId", memberID, MaxCorrelationID))
	if err != nil {
		return refuse(CodeInvalidArgument, what+" rejected: "+err.Error())
	}
	return nil
}
