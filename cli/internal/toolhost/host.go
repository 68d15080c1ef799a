package toolhost

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	// maxCalls is how many calls run at the same time.
	maxCalls = 8
	// startWithin is how long a server may take to introduce itself.
	startWithin = 20 * time.Second
	// endWithin is how long it may take to end.
	endWithin = 3 * time.Second
	// callWithin is a little less than a broker waits for an answer.
	callWithin = wire.MCPCallTimeout - 2*time.Second
)

var (
	// ErrStart says that the program does not start, or is no MCP server.
	ErrStart = errors.New("toolhost: no MCP server")
	// ErrBusy says that too many calls run already.
	ErrBusy = errors.New("toolhost: too many calls at once, try again in a moment")
	// ErrTooLarge says that an answer does not fit into a frame.
	ErrTooLarge = errors.New("toolhost: the tool's answer is too large")
	// ErrTool is what a tool reports instead of a result.
	ErrTool = errors.New("toolhost: the tool failed")
)

// Host is a server that runs.
type Host struct {
	session *mcp.ClientSession
	tools   []wire.MCPTool
	about   string
	slots   chan struct{}
}

// Start starts a program and asks it for its tools.
func Start(ctx context.Context, version string, program []string, dir string, stderr io.Writer) (*Host, error) {
	command := exec.Command(program[0], program[1:]...)
	command.Dir, command.Stderr = dir, stderr
	return open(ctx, version, &mcp.CommandTransport{Command: command, TerminateDuration: endWithin})
}

func open(ctx context.Context, version string, t mcp.Transport) (*Host, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "claudemesh", Version: cmp.Or(version, "dev")}, nil)
	session, err := client.Connect(ctx, t, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	h := &Host{session: session, slots: make(chan struct{}, maxCalls)}
	if err := h.list(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrStart, err), session.Close())
	}
	return h, nil
}

// list asks for the tools, as many as can be offered.
func (h *Host) list(ctx context.Context) error {
	if hello := h.session.InitializeResult(); hello != nil && hello.ServerInfo != nil {
		h.about = cmp.Or(hello.ServerInfo.Title, hello.ServerInfo.Name)
	}
	for tool, err := range h.session.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		schema, err := json.Marshal(tool.InputSchema)
		if err != nil {
			return err
		}
		if len(h.tools) == wire.MaxTools {
			return nil
		}
		h.tools = append(h.tools, wire.MCPTool{Name: tool.Name, Description: cut(tool.Description), InputSchema: schema})
	}
	return nil
}

// cut shortens a description at a whole character: half of one would grow when
// it is encoded, and the whole offer be refused.
func cut(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	end := min(len(text), wire.MaxToolDescription)
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// Tools are what the server offers.
func (h *Host) Tools() []wire.MCPTool { return h.tools }

// About is what the server calls itself.
func (h *Host) About() string { return h.about }

// Call uses a tool. The result is that of the tool, as MCP has it.
func (h *Host) Call(ctx context.Context, tool string, args json.RawMessage) (json.RawMessage, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return nil, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	params := &mcp.CallToolParams{Name: tool}
	if len(args) > 0 && string(args) != "null" {
		params.Arguments = args
	}
	result, err := h.session.CallTool(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTool, err)
	}
	raw, err := json.Marshal(result)
	switch {
	case err != nil:
		return nil, fmt.Errorf("toolhost: %w", err)
	case len(raw) > wire.MaxCall:
		return nil, fmt.Errorf("%w: %d of at most %d bytes", ErrTooLarge, len(raw), wire.MaxCall)
	}
	return raw, nil
}

// Wait returns once the server has ended.
func (h *Host) Wait() error { return h.session.Wait() }

// Close ends the server.
func (h *Host) Close() error { return h.session.Close() }
