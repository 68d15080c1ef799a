package commons_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// key names a shelf of a mesh.
func key(e *edgetest.Edge, m *edgetest.Mesh, shelf string) string {
	return "commons:" + e.Client.Tag(m.ID) + ":" + m.ID + ":" + shelf
}

// overdue makes a job due at once.
func overdue(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, shelf, field string) {
	t.Helper()
	raw := e.Client.Raw()
	err := raw.Do(t.Context(), "ZADD", "jobs:"+e.Client.Tag(m.ID), 1, m.ID+":"+shelf+":"+field).Err()
	if err == nil {
		err = raw.Publish(t.Context(), "bell:fleet", fmt.Sprintf("job\x1f%d 0", e.Client.Partition(m.ID))).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cut breaks a peer's connection and waits until its edge has noticed.
func cut(t *testing.T, e *edgetest.Edge, p *edgetest.Peer) {
	t.Helper()
	p.Cut()
	lease := "lease:" + e.Client.Tag(p.Member.Mesh.ID) + ":" + p.Member.Mesh.ID + ":" + p.Key()
	edgetest.Eventually(t, func() error {
		left, err := e.Client.Raw().PTTL(t.Context(), lease).Result()
		if err == nil && left > 90*time.Second { // a held lease lasts longer than a grace
			err = errNotYet
		}
		return err
	})
}

// offer registers a server with one tool.
func offer(p *edgetest.Peer, name string, persistent bool) {
	ask[*wire.MCPRegisterAck](p, &wire.MCPRegister{
		ServerName: name, Description: "d", Persistent: persistent, ReqID: reqID(),
		Tools: []wire.MCPTool{{Name: "add", Description: "adds", InputSchema: json.RawMessage(`{"type":"object"}`)}},
	})
}

// begin calls a tool and returns the id of the request.
func begin(p *edgetest.Peer, server string) wire.ReqID {
	id := reqID()
	p.Write(&wire.MCPCall{ServerName: server, ToolName: "add", Args: json.RawMessage(`{"a":[1,"it's"]}`), ReqID: id})
	return id
}

// outcome waits for the answer to a call.
func outcome(p *edgetest.Peer, id wire.ReqID) *wire.MCPCallResult {
	return edgetest.NextIf(p.Conn, func(r *wire.MCPCallResult) bool { return r.ReqID == id })
}

func expectMishap(t *testing.T, p *edgetest.Peer, id wire.ReqID, want string) {
	t.Helper()
	if got := outcome(p, id); got.Error != want || got.Result != nil {
		t.Errorf("outcome %q (%s), want %q", got.Error, got.Result, want)
	}
}

// expectNoAnswer fails if another answer has come.
func expectNoAnswer(t *testing.T, p *edgetest.Peer) {
	t.Helper()
	p.Settle()
	for _, m := range p.Frames() {
		switch m.(type) {
		case *wire.MCPCallResult, *wire.PeerFileResponseForward, *wire.PeerDirResponseForward:
			t.Errorf("one answer too many: %+v", m)
		}
	}
}

func TestAToolIsCalledAcrossEdges(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	const name = `it's "maths" \ ✓`
	offer(ana, name, false)
	id := begin(bob, name)
	asked := edgetest.Next[*wire.MCPCallForward](ana)
	if asked.ServerName != name || asked.ToolName != "add" || string(asked.Args) != `{"a":[1,"it's"]}` || asked.CallerName != "bob" {
		t.Errorf("forward: %+v", asked)
	}
	ask[*wire.OK](ana, &wire.MCPCallResponse{CallID: asked.CallID, Result: json.RawMessage(`{"sum":3}`), ReqID: reqID()})
	if got := outcome(bob, id); string(got.Result) != `{"sum":3}` || got.Error != "" {
		t.Errorf("result: %+v", got)
	}
	id = begin(bob, name)
	ana.Write(&wire.MCPCallResponse{CallID: edgetest.Next[*wire.MCPCallForward](ana).CallID, Error: "no\nsuch \"tool\""})
	expectMishap(t, bob, id, "no\nsuch \"tool\"")
	expectNoAnswer(t, bob)
	for _, shelf := range []string{"call", "calls-" + bob.Key()} {
		if n := one.Client.Raw().Exists(t.Context(), key(one, m, shelf)).Val(); n != 0 {
			t.Errorf("%s is left behind", shelf)
		}
	}
}

func TestCallsWorkOnACluster(t *testing.T) {
	t.Parallel()
	cluster := edgetest.WithCluster(redistest.StartCluster(t, 3, 0))
	one, other := edgetest.Start(t, cluster), edgetest.Start(t, cluster)
	for range 3 { // meshes on several nodes
		m := one.NewMesh()
		ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
		offer(ana, "s", false)
		id := begin(bob, "s")
		ana.Write(&wire.MCPCallResponse{CallID: edgetest.Next[*wire.MCPCallForward](ana).CallID, Result: json.RawMessage("1")})
		expectMishapFree(t, outcome(bob, id))
		ana.Write(&wire.Goodbye{})
		bob.Event(wire.EventPeerLeft)
	}
}

func TestLargeArgumentsAndResultsAreCarried(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	offer(ana, "s", false)
	large, _ := json.Marshal(strings.Repeat("x", wire.MaxCall-2))
	id := reqID()
	bob.Write(&wire.MCPCall{ServerName: "s", ToolName: "t", Args: large, ReqID: id})
	asked := edgetest.Next[*wire.MCPCallForward](ana)
	ana.Write(&wire.MCPCallResponse{CallID: asked.CallID, Result: asked.Args})
	if got := outcome(bob, id); len(got.Result) != wire.MaxCall {
		t.Errorf("%d bytes came back", len(got.Result))
	}
	large, _ = json.Marshal(strings.Repeat("x", wire.MaxCall))
	refusal(t, bob, &wire.MCPCall{ServerName: "s", ToolName: "t", Args: large, ReqID: reqID()}, wire.CodeInvalidArgument)
}

func TestOnlyWhoWasAskedAnswersAndOnce(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, eve := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "eve")
	offer(ana, "s", false)
	id := begin(bob, "s")
	call := edgetest.Next[*wire.MCPCallForward](ana).CallID
	refusal(t, eve, &wire.MCPCallResponse{CallID: call, Result: json.RawMessage(`"forged"`), ReqID: reqID()}, wire.CodeForbidden)
	eve.Write(&wire.PeerFileResponse{RequesterPubkey: bob.Key(), FilePath: "x", ReqID: wire.ReqID(call)})
	for _, result := range []string{`"first"`, `"second"`} {
		ask[*wire.OK](ana, &wire.MCPCallResponse{CallID: call, Result: json.RawMessage(result), ReqID: reqID()})
	}
	if got := outcome(bob, id); string(got.Result) != `"first"` {
		t.Errorf("result: %s", got.Result)
	}
	expectNoAnswer(t, bob)
}

func TestACallEndsAtItsDeadlineThoughItsEdgeDied(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(other, "ana"), m.Session(one, "bob")
	offer(ana, "s", false)
	id := begin(bob, "s")
	call := edgetest.Next[*wire.MCPCallForward](ana).CallID
	one.Kill()
	bob = bob.Again(other)
	overdue(t, other, m, "call", call)
	expectMishap(t, bob, id, "MCP call timed out (30s)")
	ask[*wire.OK](ana, &wire.MCPCallResponse{CallID: call, Result: json.RawMessage("1"), ReqID: reqID()})
	expectNoAnswer(t, bob)
}

func TestADeadlineReachesACallerInItsGrace(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(other, "ana"), m.Session(one, "bob")
	offer(ana, "s", false)
	id := begin(bob, "s")
	call := edgetest.Next[*wire.MCPCallForward](ana).CallID
	cut(t, one, bob)
	overdue(t, other, m, "call", call)
	edgetest.Eventually(t, func() error {
		if one.Client.Raw().Exists(t.Context(), key(one, m, "call")).Val() != 0 {
			return errNotYet
		}
		return nil
	})
	bob = bob.Again(other)
	expectMishap(t, bob, id, "MCP call timed out (30s)")
	expectNoAnswer(t, bob)
}

func TestACallToAHostInItsGraceIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	m.Session(one, "carol") // keeps the edge listening to the mesh
	offer(ana, "s", false)
	cut(t, one, ana)
	if l := ask[*wire.MCPListResult](bob, &wire.MCPList{ReqID: reqID()}).Servers; len(l) != 1 || !l[0].Online {
		t.Errorf("listed: %+v", l)
	}
	expectMishap(t, bob, begin(bob, "s"), wire.MCPHostAway("s"))
	ana = ana.Again(other)
	id := begin(bob, "s")
	ana.Write(&wire.MCPCallResponse{CallID: edgetest.Next[*wire.MCPCallForward](ana).CallID, Result: json.RawMessage("1")})
	expectMishapFree(t, outcome(bob, id))
}

func expectMishapFree(t *testing.T, got *wire.MCPCallResult) {
	t.Helper()
	if got.Error != "" || got.Result == nil {
		t.Errorf("outcome: %+v", got)
	}
}

func TestTheEdgeOfAHostDiesDuringACall(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	offer(ana, "s", false)
	id := begin(bob, "s")
	call := edgetest.Next[*wire.MCPCallForward](ana).CallID
	one.Kill()
	expectMishap(t, bob, begin(bob, "s"), wire.MCPHostAway("s")) // nobody listens there
	ana = ana.Again(other)
	ana.Write(&wire.MCPCallResponse{CallID: call, Result: json.RawMessage(`"late but here"`)})
	expectMishapFree(t, outcome(bob, id))
}

func TestAHostThatLeavesEndsItsCalls(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	offer(ana, "s", false)
	id := begin(bob, "s")
	edgetest.Next[*wire.MCPCallForward](ana)
	ana.Write(&wire.Goodbye{})
	expectMishap(t, bob, id, `MCP server "s" host disconnected`)
	expectNoAnswer(t, bob)
}

func TestAnAnswerFindsTheCallerWhereItIs(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(one, "bob")
	offer(ana, "s", false)
	id := begin(bob, "s")
	call := edgetest.Next[*wire.MCPCallForward](ana).CallID
	cut(t, one, bob)
	bob = bob.Again(other)
	ask[*wire.OK](ana, &wire.MCPCallResponse{CallID: call, Result: json.RawMessage("1"), ReqID: reqID()})
	expectMishapFree(t, outcome(bob, id))

	// In its grace it hears that there was an answer.
	id = begin(bob, "s")
	call = edgetest.Next[*wire.MCPCallForward](ana).CallID
	cut(t, other, bob)
	ask[*wire.OK](ana, &wire.MCPCallResponse{CallID: call, Result: json.RawMessage("1"), ReqID: reqID()})
	bob = bob.Again(one)
	expectMishap(t, bob, id, "the answer came while you were reconnecting: ask again")
	expectNoAnswer(t, bob)
}

func TestTheCallsOfOnePeerAreBounded(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	offer(ana, "s", false)
	var first wire.ReqID
	for i := range 32 {
		if id := begin(bob, "s"); i == 0 {
			first = id
		}
	}
	refusal(t, bob, &wire.MCPCall{ServerName: "s", ToolName: "add", ReqID: reqID()}, wire.CodeFull)
	ana.Write(&wire.MCPCallResponse{CallID: edgetest.Next[*wire.MCPCallForward](ana).CallID, Result: json.RawMessage("1")})
	outcome(bob, first)
	begin(bob, "s")
	bob.Settle()
	bob.Write(&wire.Goodbye{}) // and what a leaver waits for is forgotten
	edgetest.Eventually(t, func() error {
		if e.Client.Raw().Exists(t.Context(), key(e, m, "call"), key(e, m, "calls-"+bob.Key())).Val() != 0 {
			return errNotYet
		}
		return nil
	})
}
