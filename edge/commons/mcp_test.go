package commons_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// mcpEvent waits for an event about a server.
func mcpEvent(t *testing.T, p *edgetest.Peer, event wire.Event) wire.MCPEvent {
	t.Helper()
	var e wire.MCPEvent
	if err := json.Unmarshal(p.Event(event).EventData, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func servers(p *edgetest.Peer) []wire.MCPServer {
	return ask[*wire.MCPListResult](p, &wire.MCPList{ReqID: reqID()}).Servers
}

func TestServersAreListedAndAnnounced(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, sibling, bob := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob")
	ack := ask[*wire.MCPRegisterAck](ana, &wire.MCPRegister{
		ServerName: "s", Description: "does \"it\"", ReqID: reqID(),
		Tools: []wire.MCPTool{{Name: "a", Description: "A"}, {Name: "b", InputSchema: json.RawMessage(`{}`)}},
	})
	if ack.ServerName != "s" || ack.ToolCount != 2 {
		t.Errorf("ack: %+v", ack)
	}
	for _, p := range []*edgetest.Peer{sibling, bob} {
		e := mcpEvent(t, p, wire.EventMCPRegistered)
		if fmt.Sprint(e) != `{s does "it" [a b] ana}` {
			t.Errorf("event: %v", e)
		}
	}
	offer(bob, "second", false)
	l := servers(bob)
	if len(l) != 2 || l[0].Name != "s" || l[0].HostedBy != "ana" || !l[0].Online || l[0].OfflineSince != nil ||
		fmt.Sprint(l[0].Tools) != "[{a A} {b }]" || l[1].Name != "second" {
		t.Errorf("listed: %+v", l)
	}
	ask[*wire.OK](ana, &wire.MCPUnregister{ServerName: "s", ReqID: reqID()})
	if e := mcpEvent(t, bob, wire.EventMCPUnregistered); e.ServerName != "s" || e.HostedBy != "ana" || e.Tools != nil {
		t.Errorf("event: %+v", e)
	}
	expectMishap(t, bob, begin(bob, "s"), `MCP server "s" not found in mesh`)
	ask[*wire.OK](ana, &wire.MCPUnregister{ServerName: "never", ReqID: reqID()})
}

func TestAServersNameIsItsMembers(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, sibling, bob := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob")
	offer(ana, "s", true)
	register := func() *wire.MCPRegister {
		return &wire.MCPRegister{ServerName: "s", Tools: []wire.MCPTool{}, ReqID: reqID()}
	}
	refusal(t, bob, register(), wire.CodeForbidden)
	refusal(t, bob, &wire.MCPUnregister{ServerName: "s", ReqID: reqID()}, wire.CodeForbidden)
	offer(sibling, "s", true) // the same member may
	id := begin(bob, "s")
	sibling.Write(&wire.MCPCallResponse{CallID: edgetest.Next[*wire.MCPCallForward](sibling).CallID, Result: json.RawMessage("1")})
	expectMishapFree(t, outcome(bob, id))
	ana.Write(&wire.Goodbye{}) // takes away what it hosts, no more
	bob.Event(wire.EventPeerLeft)
	sibling.Write(&wire.Goodbye{})
	edgetest.Eventually(t, func() error {
		if l := servers(bob); len(l) != 1 || l[0].Online {
			return fmt.Errorf("listed: %+v", l)
		}
		return nil
	})
	refusal(t, bob, register(), wire.CodeForbidden) // also while its host is away
	admin := m.Session(one, "founder")
	ask[*wire.OK](admin, &wire.MCPUnregister{ServerName: "s", ReqID: reqID()})
	ask[*wire.MCPRegisterAck](bob, register())
}

func TestServersFollowTheLease(t *testing.T) {
	t.Parallel()
	one, other := edges(t, edgetest.WithLease(briefLease))
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	offer(ana, "brief", false)
	offer(ana, "lasting", true)
	one.Kill()
	bob.Event(wire.EventPeerLeft)
	edgetest.Eventually(t, func() error {
		if l := servers(bob); len(l) != 1 || l[0].Name != "lasting" || l[0].Online || l[0].OfflineSince == nil {
			return fmt.Errorf("listed: %+v", l)
		}
		return nil
	})
	expectMishap(t, bob, begin(bob, "brief"), `MCP server "brief" not found in mesh`)
	if got := outcome(bob, begin(bob, "lasting")).Error; !strings.Contains(got, `"lasting"`) || !strings.Contains(got, "ana") ||
		!strings.Contains(got, "s ago") {
		t.Errorf("offline: %q", got)
	}
}

func TestAServerComesBackWithItsMember(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Member("ana").Control(one), m.Session(other, "bob")
	offer(ana, "lasting", true)
	mcpEvent(t, bob, wire.EventMCPRegistered)
	ana.Write(&wire.Goodbye{})
	edgetest.Eventually(t, func() error {
		if l := servers(bob); len(l) != 1 || l[0].Online {
			return fmt.Errorf("listed: %+v", l)
		}
		return nil
	})
	m.Session(one, "ana") // not a session
	m.Member("ana").Control(one, func(h *wire.Hello) { h.Transient = true })
	m.Member("bob").Control(one) // nor anybody else's
	if l := servers(bob); l[0].Online {
		t.Errorf("online: %+v", l)
	}
	again := m.Member("ana").Control(other)
	for _, p := range []*edgetest.Peer{again, bob} {
		if e := mcpEvent(t, p, wire.EventMCPRestored); e.ServerName != "lasting" || e.HostedBy == "" {
			t.Errorf("event: %+v", e)
		}
	}
	if l := servers(bob); len(l) != 1 || !l[0].Online || l[0].OfflineSince != nil {
		t.Errorf("listed: %+v", l)
	}
	id := begin(bob, "lasting")
	again.Write(&wire.MCPCallResponse{CallID: edgetest.Next[*wire.MCPCallForward](again).CallID, Result: json.RawMessage("1")})
	expectMishapFree(t, outcome(bob, id))
	again.Cut()
	again.Again(one) // a reattachment changes nothing
	bob.Settle()
	for _, f := range bob.Frames() {
		if p, ok := f.(*wire.Push); ok && p.Event == wire.EventMCPRestored {
			t.Error("restored twice")
		}
	}
}

func TestAServerWhoseHostStaysAwayIsForgotten(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	offer(ana, "lasting", true)
	overdue(t, e, m, "mcp", "lasting") // not while it is hosted
	bob.Settle()
	ana.Write(&wire.Goodbye{})
	edgetest.Eventually(t, func() error {
		if l := servers(bob); len(l) != 1 || l[0].Online {
			return fmt.Errorf("listed: %+v", l)
		}
		return nil
	})
	overdue(t, e, m, "mcp", "lasting")
	edgetest.Eventually(t, func() error {
		if l := servers(bob); len(l) != 0 {
			return fmt.Errorf("listed: %+v", l)
		}
		return nil
	})
}

func TestServersAreBounded(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	for i := range 50 {
		offer(ana, fmt.Sprint("s", i), false)
	}
	one := func(name string) *wire.MCPRegister {
		return &wire.MCPRegister{ServerName: name, Tools: []wire.MCPTool{{Name: "t"}}, ReqID: reqID()}
	}
	refusal(t, ana, one("more"), wire.CodeFull)
	ask[*wire.MCPRegisterAck](ana, one("s7")) // the same again is no more
	bob := m.Session(e, "bob")
	sizes := "sizes:" + e.Client.Tag(m.ID) + ":" + m.ID
	if err := e.Client.Raw().HSet(t.Context(), sizes, "mcp", 2<<20).Err(); err != nil {
		t.Fatal(err)
	}
	refusal(t, bob, one("more"), wire.CodeFull)
	for _, name := range []string{"", "a\nb", "nul\x00", strings.Repeat("x", 64<<10)} {
		refusal(t, bob, one(name), wire.CodeInvalidArgument)
		refusal(t, bob, &wire.MCPCall{ServerName: name, ToolName: "t", ReqID: reqID()}, wire.CodeInvalidArgument)
	}
	many := one("many")
	for i := range 257 {
		many.Tools = append(many.Tools, wire.MCPTool{Name: fmt.Sprint(i)})
	}
	refusal(t, bob, many, wire.CodeInvalidArgument)
}
