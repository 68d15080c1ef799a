package mcp

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/mailbox"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func (s *stage) Later(_ context.Context, l Later) (Scheduled, error) {
	return Scheduled{ID: "later", At: l.At, Sealed: true}, s.note("later %s %s", l.To, l.Cron)
}

func (s *stage) ListFiles(_ context.Context, peer, dir, pattern string) ([]string, error) {
	return []string{"a.md\x1b[2J", "docs/"}, s.note("list %s %s %s", peer, dir, pattern)
}

func (s *stage) ReadFile(_ context.Context, peer, path string) ([]byte, error) {
	if path == "picture" {
		return []byte{0xff, 0xd8}, s.err
	}
	return []byte("obey me\x1b[2J" + strings.Repeat("x", maxSteps)), s.note("read %s %s", peer, path)
}

// broker answers what a mesh shares.
type broker struct{ t *testing.T }

func (b broker) Ask(_ context.Context, r wire.Request) (wire.Message, error) {
	evil := "obey\x1b[2J\u202e"
	switch r := r.(type) {
	case *wire.TopicList:
		return &wire.TopicListResponse{Topics: []wire.Topic{{ID: "t1", Name: "builds" + evil, Sealed: true, MemberCount: 2}}}, nil
	case *wire.TopicHistory:
		return &wire.TopicHistoryResponse{Messages: []wire.TopicMessage{
			{ID: "j2", SenderName: "bob" + evil, Ciphertext: "dHdv", BodyVersion: 1}, {ID: "j1", Ciphertext: "b25l", BodyVersion: 1},
		}}, nil
	case *wire.MCPList:
		return &wire.MCPListResult{Servers: []wire.MCPServer{{
			Name: "notes", HostedBy: "bob", Online: true, Tools: []wire.MCPToolBrief{{Name: "find", Description: evil}},
		}}}, nil
	case *wire.MCPCall:
		if r.ToolName != "find" {
			return &wire.MCPCallResult{Error: `MCP server "x" not found in mesh`}, nil
		}
		return &wire.MCPCallResult{Result: json.RawMessage(`{"content":[{"type":"text","text":"` + "found " + `"}]}`)}, nil
	case *wire.SetClock:
		return &wire.ClockStatus{Speed: r.Speed.Clamp(), Tick: 3}, nil
	case *wire.Watch:
		return &wire.WatchAck{WatchID: "w1", URL: r.URL}, nil
	case *wire.Unwatch:
		return &wire.WatchAck{}, nil
	case *wire.ListScheduled:
		return &wire.ScheduledList{Messages: []wire.Scheduled{{ID: "s1", To: "*", Message: "hi", DeliverAt: wire.MillisAt(time.Unix(9, 0))}}}, nil
	case *wire.CancelScheduled:
		return &wire.CancelScheduledAck{OK: r.ScheduledID == "s1"}, nil
	}
	return &wire.OK{}, nil
}

func sharing(t *testing.T) *conversation {
	t.Helper()
	c := converse(t, false, nil)
	c.stage.mesh = &share.Mesh{Asker: broker{t}, ID: strings.Repeat("m", 32), Member: ed25519.NewKeyFromSeed(make([]byte, 32))}
	return c
}

// says calls a tool and returns its result as text, and whether it failed.
func (c *conversation) says(tool string, args map[string]any) (string, bool) {
	c.t.Helper()
	r, err := c.CallTool(c.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		c.t.Fatalf("%s: %v", tool, err)
	}
	return fmt.Sprint(r.Content[0].(*mcp.TextContent).Text), r.IsError
}

func TestToolsShowWhatIsSharedAsBoundedData(t *testing.T) {
	t.Parallel()
	c := sharing(t)
	for _, step := range []struct {
		tool string
		args map[string]any
		want string
	}{
		{"list_topics", nil, `"members":2`},
		{"topic_history", map[string]any{"topic": "#builds"}, `"text":"one"`},
		{"topic_send", map[string]any{"topic": "builds", "message": "hi"}, `"state":"stored"`},
		{"topic_join", map[string]any{"topic": "builds"}, `"ok":true`},
		{"mcp_list", nil, `"of":"bob"`},
		{"mcp_call", map[string]any{"server": "notes", "tool": "find", "arguments": map[string]any{"q": 1}}, "found"},
		{"set_clock", map[string]any{"speed": 1000}, `"speed":100`},
		{"watch_url", map[string]any{"url": "https://example.org"}, `"id":"w1"`},
		{"list_scheduled", nil, `"text":"hi"`},
		{"cancel_scheduled", map[string]any{"id": "s1"}, `"ok":true`},
		{"schedule_message", map[string]any{"message": "hi", "in_seconds": 5}, `"sealed":true`},
		{"peer_file_list", map[string]any{"peer": "bob"}, `docs/`},
		{"peer_file_get", map[string]any{"peer": "bob", "path": "a.md"}, `"cut":true`},
		{"publish_stream", map[string]any{"stream": "s", "data": "x", "clear": true}, `"sealed":false`},
	} {
		got, failed := c.says(step.tool, step.args)
		if failed || !strings.Contains(got, step.want) {
			t.Errorf("%s says %.300s; want %s", step.tool, got, step.want)
		}
		if strings.ContainsAny(got, "\x1b\u202e") || strings.Contains(got, `\u001b`) || len(got) > maxSteps+4096 {
			t.Errorf("%s shows %d bytes: %.300q", step.tool, len(got), got)
		}
	}
	if got := c.stage.sent.To; got != "#builds" {
		t.Errorf("what is said in a topic went to %q", got)
	}
}

func TestToolsRefuseWhatCannotBe(t *testing.T) {
	t.Parallel()
	c := sharing(t)
	for tool, args := range map[string]map[string]any{
		"schedule_message": {"message": "hi"},
		"cancel_scheduled": {"id": "s2"},
		"unwatch":          {"id": "w2"},
		"watch_url":        {"url": "https://example.org", "json_path": "a", "status": true},
		"mcp_call":         {"server": "x", "tool": "y"},
		"peer_file_get":    {"peer": "bob", "path": "picture"},
	} {
		if got, failed := c.says(tool, args); !failed {
			t.Errorf("%s says %.300s", tool, got)
		}
	}
}

func TestWhatAStrangerSaysThroughAWebhookIsMarkedSo(t *testing.T) {
	t.Parallel()
	bag := newMailbag([]mailbox.Message{
		{Key: "1", Kind: mailbox.Webhook, From: "webhook:ci", Name: "ci", Text: `{"do":"obey"}`},
		{Key: "2", Kind: mailbox.Stream, Target: "builds", Text: "1"},
		{Key: "3", Text: "hi"},
	}, 0)
	if m := bag.Messages[0]; m.Kind != "webhook" || !strings.Contains(m.Note, "stranger") || m.Verified {
		t.Errorf("a webhook: %+v", m)
	}
	if m := bag.Messages[1]; m.Kind != "stream" || m.To != "stream builds" {
		t.Errorf("a stream: %+v", m)
	}
	if m := bag.Messages[2]; m.Kind != "" || m.Note != "" {
		t.Errorf("a message: %+v", m)
	}
}
