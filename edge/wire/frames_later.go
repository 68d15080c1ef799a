package wire

// Later is a frame of a family that no edge serves yet. It is known, so that
// its sender is refused in words of that family instead of waiting.
type Later struct {
	Type  Type  `json:"-"`
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns the type that was sent.
func (m Later) FrameType() Type { return m.Type }

// RequestID returns the _reqId.
func (m Later) RequestID() ReqID { return m.ReqID }

// Answer refuses the frame with the code that its senders know.
func (m *Later) Answer() *ErrorFrame {
	return &ErrorFrame{Code: later[m.Type].code, Message: later[m.Type].what + " are not served by this mesh", ReqID: m.ReqID}
}

// later are the types that no edge serves yet, by what they are about.
var later = map[Type]struct {
	family Family
	code   Code
	what   string
}{
	"get_file":          {FamilyFiles, CodeNotSupported, "files"},
	"list_files":        {FamilyFiles, CodeNotSupported, "files"},
	"file_status":       {FamilyFiles, CodeNotSupported, "files"},
	"grant_file_access": {FamilyFiles, CodeNotSupported, "files"},
	"delete_file":       {FamilyFiles, CodeNotSupported, "files"},

	"mcp_deploy":   {FamilyServices, CodeDeployError, "managed services"},
	"mcp_undeploy": {FamilyServices, CodeUndeployError, "managed services"},
	"mcp_update":   {FamilyServices, CodeDeployError, "managed services"},
	"mcp_logs":     {FamilyServices, CodeNotSupported, "managed services"},
	"mcp_scope":    {FamilyServices, CodeScopeError, "managed services"},
	"mcp_schema":   {FamilyServices, CodeSchemaError, "managed services"},
	"mcp_catalog":  {FamilyServices, CodeNotSupported, "managed services"},
	"skill_deploy": {FamilyServices, CodeDeployError, "managed skills"},

	"mesh_query":   {FamilySQL, CodeQueryError, "SQL tables"},
	"mesh_execute": {FamilySQL, CodeExecuteError, "SQL tables"},
	"mesh_schema":  {FamilySQL, CodeSchemaError, "SQL tables"},

	"vector_store":     {FamilyVectors, CodeVectorError, "vector collections"},
	"vector_search":    {FamilyVectors, CodeVectorError, "vector collections"},
	"vector_delete":    {FamilyVectors, CodeVectorError, "vector collections"},
	"list_collections": {FamilyVectors, CodeVectorError, "vector collections"},

	"graph_query":   {FamilyGraph, CodeGraphError, "graphs"},
	"graph_execute": {FamilyGraph, CodeGraphError, "graphs"},
}
