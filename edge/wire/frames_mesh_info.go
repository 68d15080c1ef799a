package wire

// MeshInfo asks for the mesh at a glance.
type MeshInfo struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeMeshInfo.
func (MeshInfo) FrameType() Type { return TypeMeshInfo }

// RequestID returns the _reqId.
func (m MeshInfo) RequestID() ReqID { return m.ReqID }

// MeshInfoResult is the mesh at a glance.
type MeshInfoResult struct {
	Mesh        string     `json:"mesh"` // its id
	Peers       int        `json:"peers"`
	Groups      []string   `json:"groups"` // with @
	StateKeys   []string   `json:"stateKeys"`
	MemoryCount int        `json:"memoryCount"`
	FileCount   int        `json:"fileCount"`
	Tasks       TaskCounts `json:"tasks"`
	Streams     []string   `json:"streams"`
	Tables      []string   `json:"tables"`      // empty: there is no SQL store
	Collections []string   `json:"collections"` // empty: there is no vector store
	YourName    string     `json:"yourName"`
	YourGroups  []Group    `json:"yourGroups"`
	ReqID       ReqID      `json:"_reqId,omitempty"`
}

// FrameType returns TypeMeshInfoResult.
func (MeshInfoResult) FrameType() Type { return TypeMeshInfoResult }

// InReplyTo returns the _reqId of what was asked.
func (m MeshInfoResult) InReplyTo() ReqID { return m.ReqID }

// TaskCounts says how many tasks there are.
type TaskCounts struct {
	Open    int `json:"open"`
	Claimed int `json:"claimed"`
	Done    int `json:"done"`
}
