package wire

import (
	"cmp"
	"encoding/json"
)

// CreateStream makes a stream known by name. One of that name may exist.
type CreateStream struct {
	Name  string `json:"name"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeCreateStream.
func (CreateStream) FrameType() Type { return TypeCreateStream }

// RequestID returns the _reqId.
func (m CreateStream) RequestID() ReqID { return m.ReqID }

func (m *CreateStream) validate() error { return checkName("name", m.Name, MaxName) }

// StreamCreated names the stream.
type StreamCreated struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	ReqID ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeStreamCreated.
func (StreamCreated) FrameType() Type { return TypeStreamCreated }

// InReplyTo returns the _reqId of what was asked.
func (m StreamCreated) InReplyTo() ReqID { return m.ReqID }

// Subscribe hears a stream for as long as the lease lasts. The stream need not
// exist.
type Subscribe struct {
	Stream string `json:"stream"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeSubscribe.
func (Subscribe) FrameType() Type { return TypeSubscribe }

// RequestID returns the _reqId.
func (m Subscribe) RequestID() ReqID { return m.ReqID }

func (m *Subscribe) validate() error { return checkName("stream", m.Stream, MaxName) }

// Subscribed confirms a Subscribe.
type Subscribed struct {
	Stream string `json:"stream"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeSubscribed.
func (Subscribed) FrameType() Type { return TypeSubscribed }

// InReplyTo returns the _reqId of what was asked.
func (m Subscribed) InReplyTo() ReqID { return m.ReqID }

// Unsubscribe hears a stream no longer.
type Unsubscribe struct {
	Stream string `json:"stream"`
	ReqID  ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeUnsubscribe.
func (Unsubscribe) FrameType() Type { return TypeUnsubscribe }

// RequestID returns the _reqId.
func (m Unsubscribe) RequestID() ReqID { return m.ReqID }

func (m *Unsubscribe) validate() error { return checkName("stream", m.Stream, MaxName) }

// Publish gives data to those who hear a stream now. They may be sealed.
type Publish struct {
	Stream string          `json:"stream"`
	Data   json.RawMessage `json:"data"`
	ReqID  ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypePublish.
func (Publish) FrameType() Type { return TypePublish }

// RequestID returns the _reqId.
func (m Publish) RequestID() ReqID { return m.ReqID }

func (m *Publish) validate() error {
	return cmp.Or(checkName("stream", m.Stream, MaxName), checkGiven("data", m.Data), checkJSON("data", m.Data, MaxStreamData))
}

// StreamData brings what was published.
type StreamData struct {
	Stream      string          `json:"stream"`
	Data        json.RawMessage `json:"data"`
	PublishedBy string          `json:"publishedBy"` // name of the member
}

// FrameType returns TypeStreamData.
func (StreamData) FrameType() Type { return TypeStreamData }

// ListStreams asks for the streams that were created.
type ListStreams struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeListStreams.
func (ListStreams) FrameType() Type { return TypeListStreams }

// RequestID returns the _reqId.
func (m ListStreams) RequestID() ReqID { return m.ReqID }

// StreamList has the streams, oldest first.
type StreamList struct {
	Streams []Stream `json:"streams"`
	ReqID   ReqID    `json:"_reqId,omitempty"`
}

// FrameType returns TypeStreamList.
func (StreamList) FrameType() Type { return TypeStreamList }

// InReplyTo returns the _reqId of what was asked.
func (m StreamList) InReplyTo() ReqID { return m.ReqID }

// Stream is a name under which data are published.
type Stream struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	CreatedBy       string `json:"createdBy"`
	CreatedAt       Time   `json:"createdAt"`
	SubscriberCount int    `json:"subscriberCount"`
}
