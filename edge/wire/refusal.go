package wire

import (
	"errors"
	"fmt"
)

// Refusal is why a handshake ends: an error frame, then a close.
type Refusal struct {
	Code    Code
	Message string // for people
	Close   CloseCode
	Reason  string // of the close
}

// Error makes a refusal usable where an error is expected.
func (r *Refusal) Error() string { return "wire: handshake refused: " + string(r.Code) }

// Frame is the error frame that goes before the close.
func (r *Refusal) Frame() ErrorFrame { return ErrorFrame{Code: r.Code, Message: r.Message} }

func refuse(code Code, message string) *Refusal {
	return &Refusal{Code: code, Message: message, Close: CloseRefused, Reason: string(code)}
}

// RefuseCapacity says that the mesh holds as many connections as it may.
func RefuseCapacity() *Refusal { return refuse(CodeCapacity, "mesh at connection capacity") }

// RefuseRevoked says that the member was banned from the mesh of that name.
func RefuseRevoked(meshName string) *Refusal {
	return &Refusal{
		Code:    CodeRevoked,
		Message: fmt.Sprintf("You are banned from %q. Only the owner of the mesh can let you back in.", meshName),
		Close:   CloseBanned,
		Reason:  ReasonBanned,
	}
}

// RefuseUnauthorized says that a hello's key is no member's.
func RefuseUnauthorized() *Refusal {
	return refuse(CodeUnauthorized, "pubkey not found in mesh")
}

// RefuseParentUnauthorized says the same of a session_hello's parent.
func RefuseParentUnauthorized() *Refusal {
	return refuse(CodeUnauthorized, "parent pubkey not found in mesh")
}

// RefuseMeshLost says that the broker's data of a mesh that has peers are gone.
func RefuseMeshLost() *Refusal {
	return refuse(CodeMeshLost, "the broker has lost the data of this mesh; once they are restored from a backup, you are let in as before")
}

// RefuseParentMemberID says that parentMemberId is not the parent's id.
func RefuseParentMemberID() *Refusal {
	return refuse(CodeParentMemberIDMismatch, "parentMemberId does not match parentMemberPubkey")
}

// RefuseUnavailable says that the edge cannot admit anybody just now.
func RefuseUnavailable() *Refusal {
	return &Refusal{
		Code:    CodeUnavailable,
		Message: "not available just now, try again",
		Close:   CloseRestarting,
		Reason:  string(CodeUnavailable),
	}
}

// RefuseHelloTimeout says that no handshake came in time.
func RefuseHelloTimeout() *Refusal {
	return &Refusal{
		Code:    CodeHelloTimeout,
		Message: "no handshake in time",
		Close:   CloseHelloTimeout,
		Reason:  ReasonHelloTimeout,
	}
}

// RefuseUnreadable says that a handshake could not be read, for the reason in
// err, which [DecodeHello] returned.
func RefuseUnreadable(err error) *Refusal {
	var e *DecodeError
	if !errors.As(err, &e) {
		return refuse(CodeMalformed, "hello rejected: malformed")
	}
	if errors.Is(err, ErrTooLarge) {
		return &Refusal{Code: CodeTooLarge, Message: e.Reason, Close: CloseTooBig, Reason: ReasonTooLarge}
	}
	return refuse(CodeMalformed, "hello rejected: "+e.Reason)
}
