package wire

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"
)

// MCPRegister offers the tools of an MCP server to the mesh for as long as the
// lease lasts. A persistent one stays listed as offline after that.
type MCPRegister struct {
	ServerName  string    `json:"serverName"`
	Description string    `json:"description"`
	Tools       []MCPTool `json:"tools"`
	Persistent  bool      `json:"persistent,omitempty"`
	ReqID       ReqID     `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPRegister.
func (MCPRegister) FrameType() Type { return TypeMCPRegister }

// RequestID returns the _reqId.
func (m MCPRegister) RequestID() ReqID { return m.ReqID }

// MCPTool is one tool of an MCP server.
type MCPTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema,omitempty"`
}

func (m *MCPRegister) validate() error {
	if len(m.Tools) > MaxTools {
		return fmt.Errorf("more than %d tools", MaxTools)
	}
	for i := range m.Tools {
		if err := m.Tools[i].validate(); err != nil {
			return err
		}
	}
	return cmp.Or(checkName("serverName", m.ServerName, MaxName), checkText("description", m.Description, MaxDescription))
}

func (t *MCPTool) validate() error {
	return cmp.Or(
		checkName("tool name", t.Name, MaxName),
		checkText("tool description", t.Description, MaxToolDescription),
		checkJSON("inputSchema", t.InputSchema, MaxContent),
	)
}

// MCPRegisterAck confirms an MCPRegister.
type MCPRegisterAck struct {
	ServerName string `json:"serverName"`
	ToolCount  int    `json:"toolCount"`
	ReqID      ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPRegisterAck.
func (MCPRegisterAck) FrameType() Type { return TypeMCPRegisterAck }

// InReplyTo returns the _reqId of what was asked.
func (m MCPRegisterAck) InReplyTo() ReqID { return m.ReqID }

// MCPUnregister withdraws what this peer offers.
type MCPUnregister struct {
	ServerName string `json:"serverName"`
	ReqID      ReqID  `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPUnregister.
func (MCPUnregister) FrameType() Type { return TypeMCPUnregister }

// RequestID returns the _reqId.
func (m MCPUnregister) RequestID() ReqID { return m.ReqID }

func (m *MCPUnregister) validate() error { return checkName("serverName", m.ServerName, MaxName) }

// MCPList asks which servers peers offer.
type MCPList struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPList.
func (MCPList) FrameType() Type { return TypeMCPList }

// RequestID returns the _reqId.
func (m MCPList) RequestID() ReqID { return m.ReqID }

// MCPListResult has the servers that peers offer.
type MCPListResult struct {
	Servers []MCPServer `json:"servers"`
	ReqID   ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPListResult.
func (MCPListResult) FrameType() Type { return TypeMCPListResult }

// InReplyTo returns the _reqId of what was asked.
func (m MCPListResult) InReplyTo() ReqID { return m.ReqID }

// MCPServer is an MCP server that a peer offers.
type MCPServer struct {
	Name         string         `json:"name"`
	Description  string         `json:"description"`
	HostedBy     string         `json:"hostedBy"` // name of the peer
	Tools        []MCPToolBrief `json:"tools"`
	Online       bool           `json:"online"`
	OfflineSince *Time          `json:"offlineSince,omitempty"`
}

// MCPToolBrief is a tool without its schema.
type MCPToolBrief struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// MCPCall uses a tool that a peer offers.
type MCPCall struct {
	ServerName string          `json:"serverName"`
	ToolName   string          `json:"toolName"`
	Args       json.RawMessage `json:"args,omitempty"`
	ReqID      ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPCall.
func (MCPCall) FrameType() Type { return TypeMCPCall }

// RequestID returns the _reqId.
func (m MCPCall) RequestID() ReqID { return m.ReqID }

func (m *MCPCall) validate() error {
	return cmp.Or(
		checkName("serverName", m.ServerName, MaxName),
		checkName("toolName", m.ToolName, MaxName),
		checkJSON("args", m.Args, MaxCall),
	)
}

// MCPCallResult is what the tool said, or why nothing came of it.
type MCPCallResult struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	ReqID  ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPCallResult.
func (MCPCallResult) FrameType() Type { return TypeMCPCallResult }

// InReplyTo returns the _reqId of what was asked.
func (m MCPCallResult) InReplyTo() ReqID { return m.ReqID }

// MCPCallForward brings a call to the peer that offers the tool.
type MCPCallForward struct {
	CallID     string          `json:"callId"`
	ServerName string          `json:"serverName"`
	ToolName   string          `json:"toolName"`
	Args       json.RawMessage `json:"args"`
	CallerName string          `json:"callerName"`
}

// FrameType returns TypeMCPCallForward.
func (MCPCallForward) FrameType() Type { return TypeMCPCallForward }

// MCPCallResponse answers an MCPCallForward.
type MCPCallResponse struct {
	CallID string          `json:"callId"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	ReqID  ReqID           `json:"_reqId,omitempty"`
}

// FrameType returns TypeMCPCallResponse.
func (MCPCallResponse) FrameType() Type { return TypeMCPCallResponse }

// RequestID returns the _reqId.
func (m MCPCallResponse) RequestID() ReqID { return m.ReqID }

func (m *MCPCallResponse) validate() error {
	return cmp.Or(
		checkID("callId", m.CallID),
		checkJSON("result", m.Result, MaxCall),
		checkText("error", m.Error, MaxContent),
	)
}

// MCPCallTimeout is how long a call waits for its host.
const MCPCallTimeout = 30 * time.Second

// Texts of MCPCallResult.Error. People and agents read them.

// MCPUnknown says that nobody offers the server.
func MCPUnknown(server string) string { return fmt.Sprintf("MCP server %q not found in mesh", server) }

// MCPHostGone says that the host went away.
func MCPHostGone(server string) string { return fmt.Sprintf("MCP server %q host disconnected", server) }

// MCPHostAway says that the host has lost its connection and is expected back.
func MCPHostAway(server string) string {
	return fmt.Sprintf("MCP server %q host is reconnecting: try again in a moment", server)
}

// MCPOffline says how long the host of a persistent server has been away.
func MCPOffline(server, host string, away time.Duration) string {
	return fmt.Sprintf("MCP server %q is offline: its host %s left %s. It comes back with its host.", server, host, ago(away))
}

// MCPTimedOut says that the host did not answer.
func MCPTimedOut() string {
	return fmt.Sprintf("MCP call timed out (%ds)", int(MCPCallTimeout.Seconds()))
}

// ago writes a span in its largest unit.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	}
	return fmt.Sprintf("%dh ago", int(d.Hours()))
}
