package wire

import (
	"cmp"
	"encoding/json"
	"errors"
)

// PeerFileRequest asks another peer for one of its files.
type PeerFileRequest struct {
	TargetPubkey string `json:"targetPubkey"` // of a session or member
	FilePath     string `json:"filePath"`
	ReqID        ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypePeerFileRequest.
func (PeerFileRequest) FrameType() Type { return TypePeerFileRequest }

// RequestID returns the _reqId.
func (m PeerFileRequest) RequestID() ReqID { return m.ReqID }

func (m *PeerFileRequest) validate() error {
	return cmp.Or(checkRelay(m.TargetPubkey), checkName("filePath", m.FilePath, MaxCwd))
}

// PeerFileRequestForward brings the request to whoever has the file.
type PeerFileRequestForward struct {
	RequesterPubkey string `json:"requesterPubkey"`
	FilePath        string `json:"filePath"`
	ReqID           ReqID  `json:"_reqId,omitempty"` // to be echoed: it names the request
}

// FrameType returns TypePeerFileRequestForward.
func (PeerFileRequestForward) FrameType() Type { return TypePeerFileRequestForward }

// PeerFileResponse is what the other peer has to say.
type PeerFileResponse struct {
	RequesterPubkey string `json:"requesterPubkey"`
	FilePath        string `json:"filePath"`
	Content         string `json:"content,omitempty"` // base64
	Error           string `json:"error,omitempty"`
	ReqID           ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypePeerFileResponse.
func (PeerFileResponse) FrameType() Type { return TypePeerFileResponse }

func (m *PeerFileResponse) validate() error {
	return cmp.Or(
		checkRelay(m.RequesterPubkey),
		checkLabel("filePath", m.FilePath, MaxCwd),
		checkText("content", m.Content, MaxFrame),
		checkText("error", m.Error, MaxContent),
	)
}

// PeerFileResponseForward brings it back.
type PeerFileResponseForward struct {
	FilePath string `json:"filePath"`
	Content  string `json:"content,omitempty"`
	Error    string `json:"error,omitempty"`
	ReqID    ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypePeerFileResponseForward.
func (PeerFileResponseForward) FrameType() Type { return TypePeerFileResponseForward }

// InReplyTo returns the _reqId of what was asked.
func (m PeerFileResponseForward) InReplyTo() ReqID { return m.ReqID }

// PeerDirRequest asks another peer what is in one of its directories.
type PeerDirRequest struct {
	TargetPubkey string `json:"targetPubkey"`
	DirPath      string `json:"dirPath"`
	Pattern      string `json:"pattern,omitempty"`
	ReqID        ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypePeerDirRequest.
func (PeerDirRequest) FrameType() Type { return TypePeerDirRequest }

// RequestID returns the _reqId.
func (m PeerDirRequest) RequestID() ReqID { return m.ReqID }

func (m *PeerDirRequest) validate() error {
	return cmp.Or(
		checkRelay(m.TargetPubkey),
		checkLabel("dirPath", m.DirPath, MaxCwd),
		checkLabel("pattern", m.Pattern, MaxCwd),
	)
}

// PeerDirRequestForward brings the request to whoever has the directory.
type PeerDirRequestForward struct {
	RequesterPubkey string `json:"requesterPubkey"`
	DirPath         string `json:"dirPath"`
	Pattern         string `json:"pattern,omitempty"`
	ReqID           ReqID  `json:"_reqId,omitempty"` // to be echoed: it names the request
}

// FrameType returns TypePeerDirRequestForward.
func (PeerDirRequestForward) FrameType() Type { return TypePeerDirRequestForward }

// PeerDirResponse is what the other peer has to say.
type PeerDirResponse struct {
	RequesterPubkey string          `json:"requesterPubkey"`
	DirPath         string          `json:"dirPath"`
	Entries         json.RawMessage `json:"entries,omitempty"`
	Error           string          `json:"error,omitempty"`
	ReqID           ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypePeerDirResponse.
func (PeerDirResponse) FrameType() Type { return TypePeerDirResponse }

func (m *PeerDirResponse) validate() error {
	return cmp.Or(
		checkRelay(m.RequesterPubkey),
		checkLabel("dirPath", m.DirPath, MaxCwd),
		checkText("error", m.Error, MaxContent),
	)
}

// PeerDirResponseForward brings it back.
type PeerDirResponseForward struct {
	DirPath string          `json:"dirPath"`
	Entries json.RawMessage `json:"entries,omitempty"`
	Error   string          `json:"error,omitempty"`
	ReqID   ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypePeerDirResponseForward.
func (PeerDirResponseForward) FrameType() Type { return TypePeerDirResponseForward }

// InReplyTo returns the _reqId of what was asked.
func (m PeerDirResponseForward) InReplyTo() ReqID { return m.ReqID }

func checkRelay(key string) error {
	if !IsKey(key) {
		return errors.New("targetPubkey and requesterPubkey are keys of 64 hex chars")
	}
	return nil
}
