package share

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// ToolError is what came of a call instead of a result. Its words are the
// broker's or the host's.
type ToolError struct{ Words string }

// Error tells the words.
func (e *ToolError) Error() string { return "share: " + e.Words }

// CallTool uses a tool that a peer offers.
func CallTool(ctx context.Context, a Asker, server, tool string, args json.RawMessage) (json.RawMessage, error) {
	answer, err := Ask[*wire.MCPCallResult](ctx, a, &wire.MCPCall{ServerName: server, ToolName: tool, Args: args})
	switch {
	case err != nil:
		return nil, err
	case answer.Error != "":
		return nil, &ToolError{answer.Error}
	case len(answer.Result) == 0:
		return json.RawMessage("null"), nil
	}
	return answer.Result, nil
}

// ToolText is the text of a tool's result, or else the result as JSON.
func ToolText(result json.RawMessage) string {
	var r struct {
		Content []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		} `json:"content"`
	}
	var texts []string
	if json.Unmarshal(result, &r) == nil {
		for _, c := range r.Content {
			if c.Type != "text" {
				return string(result)
			}
			texts = append(texts, c.Text)
		}
	}
	if len(texts) == 0 {
		return string(result)
	}
	return strings.Join(texts, "\n")
}
