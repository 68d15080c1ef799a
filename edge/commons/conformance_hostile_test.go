package commons_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// named are the requests that give something a name.
func named(name string) []wire.Request {
	return []wire.Request{
		&wire.SetState{Key: name, Value: json.RawMessage("1"), ReqID: reqID()},
		&wire.CreateTask{Title: "t", Assignee: name, ReqID: reqID()},
		&wire.CreateStream{Name: name, ReqID: reqID()},
		&wire.Subscribe{Stream: name, ReqID: reqID()},
		&wire.Publish{Stream: name, Data: json.RawMessage("1"), ReqID: reqID()},
		&wire.TopicCreate{Name: name, ReqID: reqID()},
		&wire.APIKeyCreate{Label: name, Capabilities: []wire.KeyCapability{wire.KeyRead}, ReqID: reqID()},
		&wire.ShareSkill{Name: name, Description: "d", Instructions: "i", ReqID: reqID()},
		&wire.MCPRegister{ServerName: name, Tools: []wire.MCPTool{{Name: name}}, ReqID: reqID()},
		&wire.VaultSet{Key: name, Ciphertext: "b0Z5", Nonce: "QEFC", SealedKey: "c2Vh", EntryType: wire.VaultEnv, ReqID: reqID()},
		&wire.CreateWebhook{Name: name, ReqID: reqID()},
		&wire.JoinGroup{Name: name, ReqID: reqID()},
	}
}

func TestNamesWithQuotesAreNamesAndOthersAreRefusedByName(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	answer := func(m wire.Request) *wire.ErrorFrame {
		ana.Write(m)
		if m.FrameType() == wire.TypeJoinGroup {
			ana.Write(&wire.ListMembers{ReqID: m.RequestID()}) // what is granted has no answer
		}
		r := edgetest.NextIf(ana, func(r wire.Reply) bool { return r.InReplyTo() == m.RequestID() })
		refused, _ := r.(*wire.ErrorFrame)
		return refused
	}
	for _, name := range []string{"o'neill", `say "hi"`, `';DROP TABLE members;--`, "{{.}} $(id) `id` %s", "名前 ✓"} {
		for _, m := range named(name) {
			if e := answer(m); e != nil {
				t.Errorf("%s of %q: %s (%s)", m.FrameType(), name, e.Code, e.Message)
			}
		}
	}
	for _, name := range []string{"a\nb", "a\x00b", "\x1b[2J", tooMuch} {
		for _, m := range named(name) {
			if e := answer(m); e == nil || e.Code == wire.CodeUnavailable || e.Message == "" {
				t.Errorf("%s of %.10q: answered %+v", m.FrameType(), name, e)
			}
		}
	}
	ana.Settle()
}

func TestTenThousandGroupsAreRefused(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	session := edgetest.NewKey(t)
	h := m.Member("eve").SessionHello(session)
	for i := range 10_000 {
		h.Groups = append(h.Groups, wire.Group{Name: fmt.Sprint("g", i)})
	}
	h.Sign(session)
	c := edgetest.Dial(t, e)
	c.Write(h)
	c.ExpectClose(wire.CloseTooBig, wire.ReasonTooLarge)

	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	for i := range wire.MaxGroups {
		ana.Write(&wire.JoinGroup{Name: fmt.Sprint("g", i)})
	}
	refusal(t, ana, &wire.JoinGroup{Name: "one more", ReqID: reqID()}, wire.CodeInvalidArgument)
	for _, p := range bob.List() {
		if p.Pubkey == ana.Key() && len(p.Groups) != wire.MaxGroups {
			t.Errorf("%d groups", len(p.Groups))
		}
	}
}

// TestEveryTextOfARequestIsBounded takes the example of each request, and makes
// each of its texts longer than any may be.
func TestEveryTextOfARequestIsBounded(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	long := strings.Repeat("x", 600<<10)
	texts := 0
	for _, f := range wire.Catalogue() {
		if !f.FromPeer || f.Later || f.Family == wire.FamilyHandshake || f.Type == wire.TypeClientAck {
			continue
		}
		example := exampleOf(t, f.Type)
		for field, value := range example {
			_, text := value.(string)
			if !text || field == "type" || field == "_reqId" || field == "id" || field == "content" && f.Family == wire.FamilyRelay {
				continue // the content of a file is bounded by the frame
			}
			texts++
			example[field], example["_reqId"] = long, string(reqID())
			expectTooLong(t, ana, example, field)
			example[field] = value
		}
	}
	if texts < 60 {
		t.Errorf("only %d texts were tried", texts)
	}
}

func exampleOf(t *testing.T, frame wire.Type) map[string]any {
	t.Helper()
	b, err := os.ReadFile("../wire/testdata/frames/" + string(frame) + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var example map[string]any
	if err := json.Unmarshal(b, &example); err != nil {
		t.Fatal(err)
	}
	return example
}

// expectTooLong sends a frame that must be refused; a send is by its id.
func expectTooLong(t *testing.T, p *edgetest.Peer, frame map[string]any, field string) {
	t.Helper()
	b, err := json.Marshal(frame)
	if err != nil {
		t.Fatal(err)
	}
	p.WriteText(string(b))
	got := edgetest.NextIf(p, func(m wire.Message) bool {
		switch m := m.(type) {
		case *wire.Ack:
			return m.ID == frame["id"]
		case wire.Reply:
			return string(m.InReplyTo()) == frame["_reqId"]
		}
		return false
	})
	switch got := got.(type) {
	case *wire.ErrorFrame:
		if got.Code == wire.CodeUnavailable || got.Message == "" {
			t.Errorf("%s with a long %s: %+v", frame["type"], field, *got)
		}
	case *wire.Ack:
		if got.Queued || got.Error == "" {
			t.Errorf("%s with a long %s: %+v", frame["type"], field, *got)
		}
	default:
		t.Errorf("%s with a long %s is answered %+.100v", frame["type"], field, got)
	}
}
