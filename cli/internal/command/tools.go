package command

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/spf13/cobra"
)

func newTools(a *app) *cobra.Command {
	return family("tools", "Use tools that peers offer, and offer some",
		"Use tools that peers offer, and offer some: those of MCP servers that run with them. What is passed to a tool,\n"+
			"and its answer, go through the broker in clear.",
		newToolsList(a), newToolsCall(a), newToolsServe(a))
}

func newToolsList(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "list [SERVER]", short: "Show the tools that peers offer",
		long:    "Show the tools that peers offer, all or those of one server. What they say of themselves is their word.",
		example: "claudemesh tools list --json", args: atMost("SERVER"),
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			return a.toolsList(ctx, m, strings.Join(args, ""))
		},
	})
}

func (a *app) toolsList(ctx context.Context, m *share.Mesh, name string) error {
	answer, err := share.Ask[*wire.MCPListResult](ctx, m, &wire.MCPList{})
	if err != nil {
		return err
	}
	servers := []wire.MCPServer{}
	for _, s := range answer.Servers {
		if name == "" || s.Name == name {
			servers = append(servers, s)
		}
	}
	switch {
	case name != "" && len(servers) == 0:
		return ui.Failf("no peer offers a server %q", name).Hinted("claudemesh tools list shows all").Coded(ui.ExitAway)
	case a.out.JSON:
		return a.out.Answer(struct {
			Servers []wire.MCPServer `json:"servers"`
		}{servers})
	case len(servers) == 0:
		a.out.Say("no peer offers tools; claudemesh tools serve NAME -- PROGRAM")
		return nil
	}
	var rows [][]string
	for _, s := range servers {
		state := ""
		if !s.Online {
			state = "offline"
		}
		for _, t := range s.Tools {
			rows = append(rows, []string{ui.CleanLine(s.Name), ui.CleanLine(t.Name), ui.CleanLine(s.HostedBy), state, ui.CleanLine(t.Description)})
		}
	}
	return a.table([]string{"SERVER", "TOOL", "OF", "STATE", "ABOUT"}, rows)
}

func newToolsCall(a *app) *cobra.Command {
	o := &sharing{app: a}
	return o.verb(shareVerb{
		use: "call SERVER TOOL [ARGUMENTS]", short: "Use a tool of a peer",
		long: "Use a tool of a peer. ARGUMENTS is a JSON object. The answer is the peer's word; it comes within 30 seconds or\n" +
			"not at all.",
		example: `claudemesh tools call weather forecast '{"city":"Lisbon"}'`,
		args: func(c *cobra.Command, args []string) error {
			if len(args) == 3 {
				return nil
			}
			return exactly("SERVER", "TOOL")(c, args)
		},
		run: func(ctx context.Context, m *share.Mesh, args []string) error {
			return a.toolsCall(ctx, m, args[0], args[1], strings.Join(args[2:], ""))
		},
	})
}

func (a *app) toolsCall(ctx context.Context, m *share.Mesh, server, tool, args string) error {
	var object map[string]any
	if args == "" {
		args = "{}"
	}
	if json.Unmarshal([]byte(args), &object) != nil {
		return ui.Usagef("ARGUMENTS are no JSON object").Hinted(`claudemesh tools call %s %s '{"name":"value"}'`, server, tool)
	}
	result, err := share.CallTool(ctx, m, server, tool, json.RawMessage(args))
	if err != nil {
		return err
	}
	if a.out.JSON {
		return a.out.Answer(struct {
			Result json.RawMessage `json:"result"`
		}{result})
	}
	return a.out.Text(strings.TrimRight(ui.Clean(share.ToolText(result)), "\n") + "\n")
}

// offered says how many tools are offered.
func offered(n int) string { return strconv.Itoa(n) + " " + plural(n, "tool", "tools") }

// explainTool words what came of a call instead of a result.
func explainTool(err error) *ui.Failure {
	var failed *share.ToolError
	if !errors.As(err, &failed) {
		return nil
	}
	return ui.Failf("%s", ui.Cut(ui.CleanLine(failed.Words), 1000)).Hinted("claudemesh tools list shows who offers what")
}
