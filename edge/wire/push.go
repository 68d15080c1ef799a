package wire

import "bytes"

// PushBody is the part of a message push that is known when the message is
// stored. The rest is known only to whoever delivers it, and goes before it.
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
