package wire

import (
	"bytes"
	"strconv"
	"time"
)

// PushBody is the part of a message push that is known when the message is
// stored. The rest, [PushHead], is known only to whoever delivers it.
type PushBody struct {
	MeshID             string `json:"meshId"`
	SenderPubkey       string `json:"senderPubkey"`
	SenderMemberID     string `json:"senderMemberId,omitempty"`
	SenderName         string `json:"senderName,omitempty"`
	TargetSpec         string `json:"targetSpec"`
	Priority           Lane   `json:"priority,omitempty"` // a broadcast may have none
	Nonce              string `json:"nonce"`
	Ciphertext         string `json:"ciphertext"`
	ClientMessageID    string `json:"client_message_id,omitempty"`
	RequestFingerprint string `json:"request_fingerprint,omitempty"`
	ReplyToID          string `json:"replyToId,omitempty"`

	Subtype string `json:"subtype,omitempty"`

	Topic       string   `json:"topic,omitempty"` // topic messages only, as what follows
	BodyVersion int      `json:"bodyVersion,omitempty"`
	Mentions    []string `json:"mentions,omitempty"`
}

// Encode returns b as the JSON object that is stored.
func (b PushBody) Encode() []byte {
	var out bytes.Buffer
	_ = appendFields(&out, b) // texts alone cannot fail
	object := out.Bytes()
	object[0] = '{' // there is no object to continue
	return object
}

// PushHead is the part of a push that is added on delivery.
type PushHead struct {
	MessageID          string
	CreatedAt          time.Time
	SenderMemberPubkey string // "" where it must be left out
	Cursor             string // journal entries only
}

// Compose returns the push frame of a stored body.
func (h PushHead) Compose(body []byte) []byte {
	b := h.begin(len(body))
	return joinObject(b, body)
}

// ComposeEvent returns the system push of a stored event. Data is a JSON
// object.
func (h PushHead) ComposeEvent(meshID string, event Event, data []byte) []byte {
	b := h.begin(len(data) + 200)
	b = append(b, `,"subtype":"system","event":"`...)
	b = append(b, event...)
	b = append(b, `","eventData":`...)
	b = append(b, data...)
	b = append(b, `,"meshId":"`...)
	b = append(b, meshID...)
	return append(b, `","senderPubkey":"system","priority":"low","nonce":"","ciphertext":""}`...)
}

// begin opens the frame with the head's own fields. Ids, keys and cursors need
// no escaping: none of their alphabets has a quote.
func (h PushHead) begin(more int) []byte {
	b := make([]byte, 0, 256+more)
	b = append(b, `{"type":"push","messageId":"`...)
	b = append(b, h.MessageID...)
	b = append(b, `","createdAt":"`...)
	b = h.CreatedAt.UTC().AppendFormat(b, timeFormat)
	b = append(b, '"')
	if h.SenderMemberPubkey != "" {
		b = append(b, `,"senderMemberPubkey":"`...)
		b = append(b, h.SenderMemberPubkey...)
		b = append(b, '"')
	}
	if h.Cursor != "" {
		b = append(b, `,"cursor":`...)
		b = strconv.AppendQuote(b, h.Cursor)
	}
	return b
}

// joinObject continues the object that head has begun with those of a whole
// one.
func joinObject(head, object []byte) []byte {
	fields := bytes.TrimSpace(object)
	if len(fields) < 2 || fields[0] != '{' {
		return append(head, '}')
	}
	if fields = bytes.TrimSpace(fields[1:]); fields[0] != '}' {
		head = append(head, ',')
	}
	return append(head, fields...)
}
