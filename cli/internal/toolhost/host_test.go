package toolhost

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type in struct {
	Text string `json:"text"`
}

// host opens a server of this process; held is closed to let slow calls end.
func host(t *testing.T) (h *Host, began chan struct{}, held chan struct{}) {
	t.Helper()
	began, held = make(chan struct{}, maxCalls), make(chan struct{})
	server := mcp.NewServer(&mcp.Implementation{Name: "echoes"}, nil)
	add := func(name string, f func(in) (*mcp.CallToolResult, error)) {
		mcp.AddTool(server, &mcp.Tool{Name: name, Description: name + " says"},
			func(_ context.Context, _ *mcp.CallToolRequest, i in) (*mcp.CallToolResult, any, error) {
				r, err := f(i)
				return r, nil, err
			})
	}
	say := func(text string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
	}
	add("echo", func(i in) (*mcp.CallToolResult, error) { return say(i.Text), nil })
	add("flood", func(in) (*mcp.CallToolResult, error) { return say(strings.Repeat("x", wire.MaxCall)), nil })
	add("slow", func(in) (*mcp.CallToolResult, error) {
		began <- struct{}{}
		<-held
		return say("done"), nil
	})
	ours, theirs := mcp.NewInMemoryTransports()
	served, err := server.Connect(t.Context(), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = open(t.Context(), "", ours); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(); _ = served.Wait() })
	return h, began, held
}

func TestAServersToolsAreOfferedWithTheirSchemas(t *testing.T) {
	t.Parallel()
	h, _, _ := host(t)
	if len(h.Tools()) != 3 || h.Tools()[0].Name != "echo" || !strings.Contains(string(h.Tools()[0].InputSchema), `"text"`) || h.About() != "echoes" {
		t.Errorf("%q offers %+v", h.About(), h.Tools())
	}
}

func TestADescriptionThatIsCutStillFits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "short", strings.Repeat("x", wire.MaxToolDescription), "x" + strings.Repeat("✓", wire.MaxToolDescription),
		strings.Repeat("\xff", wire.MaxToolDescription), "xyz" + strings.Repeat("🙂", wire.MaxToolDescription),
	} {
		offer, err := wire.Encode(&wire.MCPRegister{ServerName: "s", Tools: []wire.MCPTool{{Name: "t", Description: cut(text)}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.Decode(offer); err != nil {
			t.Errorf("%.8q, %d bytes: %v", text, len(text), err)
		}
		if got := cut(text); len(text) <= wire.MaxToolDescription/3 && got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func TestACallReachesTheToolAndComesBack(t *testing.T) {
	t.Parallel()
	h, _, _ := host(t)
	got, err := h.Call(t.Context(), "echo", json.RawMessage(`{"text":"hi"}`))
	if err != nil || !strings.Contains(string(got), `"text":"hi"`) {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := h.Call(t.Context(), "nothing", nil); !errors.Is(err, ErrTool) {
		t.Errorf("an unknown tool: %v", err)
	}
	if _, err := h.Call(t.Context(), "flood", json.RawMessage(`{"text":""}`)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large answer: %v", err)
	}
}

func TestNoMoreThanSoManyCallsRunAtOnce(t *testing.T) {
	t.Parallel()
	h, began, held := host(t)
	ended := make(chan error, maxCalls)
	for range maxCalls {
		go func() {
			_, err := h.Call(t.Context(), "slow", json.RawMessage(`{"text":""}`))
			ended <- err
		}()
	}
	for range maxCalls {
		<-began
	}
	if _, err := h.Call(t.Context(), "echo", json.RawMessage(`{"text":"hi"}`)); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	close(held)
	for range maxCalls {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestAProgramThatIsNoServerIsRefused(t *testing.T) {
	t.Parallel()
	for _, program := range [][]string{{"/does/not/exist"}, {"true"}} {
		if _, err := Start(t.Context(), "", program, t.TempDir(), nil); !errors.Is(err, ErrStart) {
			t.Errorf("%q: %v", program, err)
		}
	}
}
