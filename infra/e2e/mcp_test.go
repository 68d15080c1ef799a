package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// An agent is a client of `claudemesh mcp`, over stdio, that uses its tools and
// nothing else.
type agent struct {
	tb      testing.TB
	cmd     *exec.Cmd
	session *mcp.ClientSession
	stdin   io.WriteCloser
	stdout  *lockedBuffer // everything the server wrote
	stderr  lockedBytes
	done    chan struct{}
	heard   []map[string]any // arrived, and not looked at by the test yet
}

// agent starts a server and says hello to it.
func (u *user) agent(args ...string) *agent {
	u.tb.Helper()
	a := &agent{tb: u.tb, cmd: u.command(append([]string{"mcp"}, args...)...), stdout: &lockedBuffer{}, done: make(chan struct{})}
	var err error
	if a.stdin, err = a.cmd.StdinPipe(); err != nil {
		u.tb.Fatal(err)
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		u.tb.Fatal(err)
	}
	a.cmd.Stderr = &a.stderr
	if err := a.cmd.Start(); err != nil {
		u.tb.Fatal(err)
	}
	r, w := io.Pipe()
	go a.copyLines(out, w)
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil)
	a.session, err = client.Connect(u.tb.Context(), &mcp.IOTransport{Reader: r, Writer: a.stdin}, nil)
	if err != nil {
		u.tb.Fatalf("%v\n%s", err, a.stderr.Bytes())
	}
	u.tb.Cleanup(a.leave)
	return a
}

func (a *agent) copyLines(out io.Reader, w *io.PipeWriter) {
	defer close(a.done)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		a.stdout.WriteLine(strings.TrimSuffix(line, "\n"))
		_, _ = io.WriteString(w, line)
		if err != nil {
			_ = w.Close()
			_ = a.cmd.Wait()
			return
		}
	}
}

// leave ends the agent: its server sees the end of stdin.
func (a *agent) leave() {
	_ = a.session.Close()
	_ = a.stdin.Close()
	a.gone()
}

func (a *agent) gone() {
	a.tb.Helper()
	select {
	case <-a.done:
	case <-time.After(patience):
		_ = a.cmd.Process.Kill()
		a.tb.Error("mcp did not end with its stdin")
	}
}

// try calls a tool and returns its result, or the text of its failure.
func (a *agent) try(tool string, args map[string]any) (out map[string]any, failure string) {
	a.tb.Helper()
	result, err := a.session.CallTool(a.tb.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		a.tb.Fatalf("%s: %v\n%s", tool, err, a.stderr.Bytes())
	}
	text := result.Content[0].(*mcp.TextContent).Text
	if result.IsError {
		return nil, text
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		a.tb.Fatalf("%s answers %q", tool, text)
	}
	return out, ""
}

// call is try for a tool that must succeed.
func (a *agent) call(tool string, args map[string]any) map[string]any {
	a.tb.Helper()
	out, failure := a.try(tool, args)
	if failure != "" {
		a.tb.Fatalf("%s fails: %s", tool, failure)
	}
	return out
}

// mailOf are the messages that a result carries.
func mailOf(out map[string]any) (messages []map[string]any) {
	bag, _ := out["mail"].(map[string]any)
	list, _ := bag["messages"].([]any)
	for _, m := range list {
		messages = append(messages, m.(map[string]any))
	}
	return messages
}

// hears calls check_messages until a message arrives.
func (a *agent) hears() map[string]any {
	a.tb.Helper()
	eventually(a.tb, func() error {
		if a.heard = append(a.heard, mailOf(a.call("check_messages", nil))...); len(a.heard) == 0 {
			return fmt.Errorf("nothing heard")
		}
		return nil
	})
	next := a.heard[0]
	a.heard = a.heard[1:]
	return next
}

// sees waits until list_peers shows a peer of that name, and returns it.
func (a *agent) sees(name string) map[string]any {
	a.tb.Helper()
	var got map[string]any
	eventually(a.tb, func() error {
		out := a.call("list_peers", nil)
		a.heard = append(a.heard, mailOf(out)...)
		for _, p := range out["peers"].([]any) {
			if p := p.(map[string]any); p["name"] == name {
				got = p
				return nil
			}
		}
		return fmt.Errorf("%s is not seen", name)
	})
	return got
}

func (a *agent) state(id any, want string) map[string]any {
	a.tb.Helper()
	var out map[string]any
	eventually(a.tb, func() error {
		if out = a.call("message_status", map[string]any{"id": id}); out["state"] != want {
			return fmt.Errorf("state %v", out)
		}
		return nil
	})
	return out
}

// pureProtocol fails for whatever on stdout is not JSON-RPC.
func (a *agent) pureProtocol() {
	a.tb.Helper()
	for line := range strings.Lines(a.stdout.String()) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		var m struct {
			JSONRPC string `json:"jsonrpc"`
		}
		if json.Unmarshal([]byte(line), &m) != nil || m.JSONRPC != "2.0" {
			a.tb.Errorf("on stdout: %q", line)
		}
	}
}

func TestTwoAgentsConverseThroughToolsAlone(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	a, b := alice.agent("--name", "Ada"), bob.agent("--name", "Ben", "--group", "backend")
	a.sees("Ben")
	b.call("set_summary", map[string]any{"summary": "rewriting the parser"})
	eventually(t, func() error {
		if got := a.sees("Ben"); got["summary"] != "rewriting the parser" {
			return fmt.Errorf("sees %v", got)
		}
		return nil
	})
	a.call("send_message", map[string]any{"to": "ben", "message": "how far are you?"})
	question := b.hears()
	if question["text"] != "how far are you?" || question["from"] != "Ada" || question["verified"] != true || question["to"] != "you" {
		t.Errorf("Ben hears %v", question)
	}
	b.call("send_message", map[string]any{"to": question["from_key"], "message": "half", "reply_to": question["message_id"]})
	if answer := a.hears(); answer["text"] != "half" || answer["reply_to"] != question["message_id"] {
		t.Errorf("Ada hears %v", answer)
	}
	a.call("send_message", map[string]any{"to": "@backend", "message": "to the group"})
	if m := b.hears(); m["text"] != "to the group" || m["to"] != "@backend" || m["verified"] != true {
		t.Errorf("the group hears %v", m)
	}
	if _, failure := a.try("send_message", map[string]any{"to": "nobody", "message": "x"}); !strings.Contains(failure, "hint: list_peers") {
		t.Errorf("a wrong name: %q", failure)
	}
	a.leave()
	b.leave()
	a.pureProtocol()
	b.pureProtocol()
}

// TestReceiptsTellHowFarAMessageGot follows a message while its recipient is
// busy with something else: a long tool call of another server.
func TestReceiptsTellHowFarAMessageGot(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	a := alice.agent("--name", "Ada")
	sent := a.call("send_message", map[string]any{"to": "bob", "message": "look here"}) // to the member: no session is here
	if sent["state"] != "stored" {
		t.Fatalf("sent: %v", sent)
	}
	if st := a.call("message_status", map[string]any{"id": sent["id"]}); st["state"] != "stored" || st["broker"] != "holds it" {
		t.Errorf("nobody is there, and yet: %v", st)
	}
	b := bob.agent("--name", "Ben")
	delivered := a.state(sent["id"], "delivered")
	if delivered["delivered_at"] == nil || delivered["surfaced_at"] != nil {
		t.Errorf("delivered: %v", delivered)
	}
	if got := mailOf(b.call("set_summary", map[string]any{"summary": "x"})); len(got) != 1 || got[0]["text"] != "look here" {
		t.Fatalf("the next result carries %v", got)
	}
	if surfaced := a.state(sent["id"], "surfaced"); surfaced["surfaced_at"] == nil {
		t.Errorf("surfaced: %v", surfaced)
	}
	if got := mailOf(a.call("check_messages", nil)); len(got) != 0 {
		t.Errorf("receipts count as messages: %v", got)
	}
	if got := mailOf(b.call("check_messages", nil)); len(got) != 0 {
		t.Errorf("shown again: %v", got)
	}
}

// TestAWorkingAgentHearsOnItsNextResult is about agents that say they are
// working and never say they are idle: a mailbox interrupts nobody, so nothing
// has to be held back from it.
func TestAWorkingAgentHearsOnItsNextResult(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	a, b := alice.agent("--name", "Ada"), bob.agent("--name", "Ben")
	b.call("set_status", map[string]any{"status": "working"})
	eventually(t, func() error {
		if got := a.sees("Ben"); got["status"] != "working" {
			return fmt.Errorf("sees %v", got)
		}
		return nil
	})
	sent := a.call("send_message", map[string]any{"to": "Ben", "message": "when you can"})
	if sent["state"] != "stored" {
		t.Fatalf("sent: %v", sent)
	}
	if delivered := a.state(sent["id"], "delivered"); delivered["surfaced_at"] != nil {
		t.Errorf("delivered: %v", delivered)
	}
	if got := mailOf(b.call("set_summary", map[string]any{"summary": "x"})); len(got) != 1 || got[0]["text"] != "when you can" {
		t.Fatalf("the next result carries %v", got)
	}
	a.state(sent["id"], "surfaced")
	if got := a.sees("Ben"); got["status"] != "working" {
		t.Errorf("by then Ben is %v", got)
	}
}

func TestASessionThatComesBackIsTheSamePeerAndShowsNothingTwice(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	a, b := alice.agent("--name", "Ada"), bob.agent("--name", "Ben")
	key := a.sees("Ben")["key"]
	a.call("send_message", map[string]any{"to": key, "message": "one"})
	if m := b.hears(); m["text"] != "one" {
		t.Fatalf("hears %v", m)
	}
	sent := a.call("send_message", map[string]any{"to": key, "message": "two"})
	a.state(sent["id"], "delivered")
	_ = b.cmd.Process.Signal(syscall.SIGKILL)
	b.gone()
	a.call("send_message", map[string]any{"to": key, "message": "three"})
	again := bob.agent("--name", "Ben")
	if m := again.hears(); m["text"] != "two" {
		t.Errorf("after the crash: %v", m)
	}
	if m := again.hears(); m["text"] != "three" {
		t.Errorf("sent meanwhile: %v", m)
	}
	if got := a.sees("Ben")["key"]; got != key {
		t.Errorf("Ben became %v", got)
	}
	again.leave()
	eventually(t, func() error { // the end of stdin is a goodbye
		for _, p := range a.call("list_peers", nil)["peers"].([]any) {
			if p.(map[string]any)["name"] == "Ben" {
				return fmt.Errorf("Ben is still here")
			}
		}
		return nil
	})
}

func TestWhatIsSentWhileTheBrokerIsAwayArrivesOnceItIsBack(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	edge := startEdge(t, redis)
	alice, bob := pair(t, edge.wsURL())
	ears := bob.listen()
	a := alice.agent("--name", "Ada")
	a.sees("bob")
	edge.kill()
	sent := a.call("send_message", map[string]any{"to": "bob", "message": "later"})
	if reason, _ := sent["reason"].(string); sent["state"] != "waiting" || !strings.HasPrefix(reason, "the broker cannot be reached: ") {
		t.Errorf("without a broker: %v", sent)
	}
	if s := a.call("message_status", map[string]any{"id": sent["id"]}); !strings.Contains(fmt.Sprint(s["reason"]), "connection refused") {
		t.Errorf("it waits because of %v", s)
	}
	if waiting := alice.json("outbox")["messages"].([]any); len(waiting) != 1 {
		t.Errorf("outbox: %v", waiting)
	}
	a.leave()
	for _, text := range []string{"from a command", "taken back"} {
		if o := alice.try("send", "bob", text); o.code != 5 || !strings.Contains(o.stderr, "outbox") {
			t.Errorf("exit %d: %s", o.code, o.stderr)
		}
	}
	waiting := alice.json("outbox")["messages"].([]any)
	if len(waiting) != 3 {
		t.Fatalf("outbox: %v", waiting)
	}
	last := waiting[2].(map[string]any)
	if got := alice.json("outbox", "cancel", last["id"].(string)); got["state"] != "cancelled" {
		t.Errorf("cancel: %v", got)
	}
	startEdge(t, redis, "EDGE_ADDR="+edge.Addr)
	again := alice.agent("--name", "Ada")
	ears.texts("later", "from a command")
	again.state(sent["id"], "surfaced") // printed by listen
	for _, v := range ears.drained() {
		if v["event"] == "message" {
			t.Errorf("more than was sent: %v", v)
		}
	}
}

func TestCommandsActForTheSessionThatRunsInTheirDirectory(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	ears := bob.listen()
	a := alice.agent("--name", "Ada")
	key := a.sees("Ada")["key"]
	sent := alice.json("send", "bob", "through the session", "--wait=surfaced")
	if sent["state"] != "stored" || sent["surfacedAt"] == nil {
		t.Errorf("sent: %v", sent)
	}
	if m := ears.text("through the session"); m["from"] != key {
		t.Errorf("sent as %v, the session is %v", m["from"], key)
	}
	bob.run("send", "Ada", "for the inbox")
	eventually(t, func() error {
		for _, m := range alice.inbox() {
			if m["text"] == "for the inbox" {
				return nil
			}
		}
		return fmt.Errorf("inbox shows nothing")
	})
	if got := mailOf(a.call("check_messages", nil)); len(got) != 0 {
		t.Errorf("shown at two doors: %v", got)
	}
	st := alice.json("message-status", sent["messageId"].(string))
	if st["state"] != "surfaced" {
		t.Errorf("status %v", st)
	}
}

func TestSendWaitsForAReceiptWithoutASessionToo(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	o := alice.try("send", "bob", "anybody?", "--wait", "--timeout", "1s")
	if o.code != 4 || !strings.Contains(o.stderr, "message-status") {
		t.Errorf("nobody is there: exit %d: %s", o.code, o.stderr)
	}
	ears := bob.listen()
	ears.text("anybody?")
	if got := alice.json("send", "bob", "there?", "--wait=surfaced"); got["surfacedAt"] == nil {
		t.Errorf("sent: %v", got)
	}
	if got := alice.json("peers")["peers"].([]any); len(got) != 1 {
		t.Errorf("a ghost: %v", got)
	}
}

// TestABrokersWordIsNoProof sends to an existing client, which signs nothing,
// and must not be bothered with what it does not know.
func TestABrokersWordIsNoProof(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice := newUser(t, edge.wsURL())
	alice.run("create", "demo", "--display-name", "alice")
	link, _ := alice.json("invite")["link"].(string)
	ben := refJoin(t, link, "ben")
	session := newKey(t)
	conn, _ := ben.sessionHello(t, edge.wsURL(), "Ben", session)
	a := alice.agent("--name", "Ada")
	sent := a.call("send_message", map[string]any{"to": hexPub(session), "message": "hello"})
	push := conn.message()
	if text := refOpen(t, push, session); text != "hello" {
		t.Errorf("Ben reads %q", text)
	}
	conn.send(map[string]any{"type": "client_ack", "clientMessageId": push["client_message_id"], "brokerMessageId": push["messageId"]})
	eventually(t, func() error {
		st := a.call("message_status", map[string]any{"id": sent["id"]})
		if st["state"] != "stored" || st["broker"] != "says delivered (unproven)" {
			return fmt.Errorf("status %v", st)
		}
		return nil
	})
	nonce, box := refSeal(t, "and to you", push["senderPubkey"].(string), session)
	conn.send(map[string]any{
		"type": "send", "id": "1", "client_message_id": "01J", "targetSpec": push["senderPubkey"], "priority": "next", "nonce": nonce, "ciphertext": box,
	})
	if m := a.hears(); m["text"] != "and to you" {
		t.Errorf("Ada hears %v", m)
	}
	a.leave()
	for len(conn.frames) > 0 {
		if f := <-conn.frames; f["type"] == "push" && f["subtype"] == nil {
			t.Errorf("Ben is sent %v", f)
		}
	}
}

func TestATerminatedServerKeepsItsPlaceAndTwoOfOneDirectoryAreTwoPeers(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	alice, bob := pair(t, edge.wsURL())
	watcher := alice.listen()
	first := bob.agent("--name", "Ben")
	second := bob.agent("--name", "Bea")
	watcher.await("peer_joined")
	watcher.await("peer_joined")
	ben, bea := first.sees("Ben"), first.sees("Bea")
	if ben["key"] == bea["key"] || ben["you"] != true || bea["you"] == true {
		t.Errorf("Ben is %v, Bea %v", ben, bea)
	}
	_ = first.cmd.Process.Signal(syscall.SIGTERM)
	first.gone()
	if got := second.sees("Ben"); got["key"] != ben["key"] {
		t.Errorf("the place is %v", got)
	}
	again := bob.agent("--name", "Ben")
	if got := again.sees("Ben"); got["key"] != ben["key"] {
		t.Errorf("came back as %v", got)
	}
	for _, v := range watcher.drained() {
		t.Errorf("it was seen: %v", v)
	}
	first.pureProtocol()
	if said := string(first.stderr.Bytes()); strings.Contains(said, "ERROR") {
		t.Errorf("being told to end is called an error: %s", said)
	}
}
