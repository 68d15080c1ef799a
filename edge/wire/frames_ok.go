package wire

// Request is a frame that a peer sends and that may ask for an answer.
type Request interface {
	Message
	// RequestID is the frame's _reqId, "" if it has none.
	RequestID() ReqID
}

// Reply is a frame that answers a request.
type Reply interface {
	Message
	// InReplyTo is the _reqId of what was asked, "" if it had none.
	InReplyTo() ReqID
}

// OK answers requests that have nothing to tell, and only those that carry a
// _reqId: existing clients send them without one and expect silence. It is ours.
type OK struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeOK.
func (OK) FrameType() Type { return TypeOK }

// InReplyTo returns the _reqId of what was asked.
func (m OK) InReplyTo() ReqID { return m.ReqID }

// Refuse returns the error frame that answers a request. In some families
// existing clients look for the _reqId in id.
func Refuse(r Request, code Code, message string) *ErrorFrame {
	e := &ErrorFrame{Code: code, Message: message, ReqID: r.RequestID()}
	if frames[r.FrameType()].echoesInID() {
		e.ID = string(e.ReqID)
	}
	return e
}
