package edge_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func hookBody(p *edgetest.Peer, status wire.Status) string {
	h := p.Opening().(*wire.SessionHello)
	return fmt.Sprintf(`{"cwd":%q,"pid":%d,"status":%q,"session_id":"x"}`, h.Cwd, h.PID, status)
}

func callHook(t *testing.T, e *edgetest.Edge, body string) (int, string) {
	t.Helper()
	return do(t, http.MethodPost, e.HTTP+"/hook/set-status", body, nil)
}

func TestAHookSetsTheStatusOfItsOwnProcess(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(one, "bob")
	status, body := callHook(t, one, hookBody(ana, wire.StatusWorking))
	if status != 200 || body != fmt.Sprintf("{\"ok\":true,\"presence_id\":%q}\n", ana.Ack.PresenceID) {
		t.Errorf("%d %s", status, body)
	}
	if got := find(t, bob.List(), ana.Key()).Status; got != wire.StatusWorking {
		t.Errorf("status %s", got)
	}
	bob.Send(ana.Key(), "held")
	ana.ExpectNoMessage()
	// Another edge does not hold the socket, and passes it on.
	if status, body := callHook(t, other, hookBody(ana, wire.StatusIdle)); status != 200 || !strings.Contains(body, `"pending":true`) {
		t.Errorf("%d %s", status, body)
	}
	ana.Receive()
	ana.Write(&wire.SetStatus{Status: wire.StatusDND})
	ana.Settle()
	callHook(t, one, hookBody(ana, wire.StatusIdle))
	if got := find(t, bob.List(), ana.Key()).Status; got != wire.StatusDND {
		t.Errorf("a hook lifted dnd: %s", got)
	}
}

func TestAHookFindsASessionBehindAPassingConnectionOfItsProcess(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	h := ana.Opening().(*wire.SessionHello)
	passing := ana.Member.Control(e, func(c *wire.Hello) { c.PID, c.Cwd, c.Transient = h.PID, h.Cwd, true })
	passing.Close(1000)
	awaitSockets(t, e, 1)
	status, body := callHook(t, e, hookBody(ana, wire.StatusWorking))
	if status != 200 || body != fmt.Sprintf("{\"ok\":true,\"presence_id\":%q}\n", ana.Ack.PresenceID) {
		t.Errorf("%d %s", status, body)
	}
}

func TestAHookMustAgreeInProcessAndDirectory(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	h := ana.Opening().(*wire.SessionHello)
	for _, body := range []string{
		fmt.Sprintf(`{"cwd":%q,"pid":%d,"status":"dnd"}`, "/elsewhere", h.PID),
		fmt.Sprintf(`{"cwd":%q,"pid":%d,"status":"dnd"}`, h.Cwd, h.PID+100_000),
		fmt.Sprintf(`{"cwd":%q,"status":"dnd"}`, h.Cwd),
	} {
		if status, got := callHook(t, e, body); status != 200 || !strings.Contains(got, `"pending":true`) {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	if got := ana.List()[0].Status; got != wire.StatusIdle {
		t.Errorf("status %s", got)
	}
}

func TestAHookMayComeBeforeItsPeer(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	watcher := m.Session(e, "watcher")
	key := edgetest.NewKey(t)
	h := m.Member("ana").SessionHello(key)
	callHook(t, e, fmt.Sprintf(`{"cwd":%q,"pid":"%d","status":"working"}`, h.Cwd, h.PID))
	conn := edgetest.Dial(t, e)
	conn.Write(h)
	edgetest.Next[*wire.HelloAck](conn)
	edgetest.Eventually(t, func() error {
		if got := find(t, watcher.List(), h.SessionPubkey).Status; got != wire.StatusWorking {
			return fmt.Errorf("status %s", got)
		}
		return nil
	})
}

func TestBadHookCallsAreAnsweredInTheirOldWords(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	for body, want := range map[string]struct {
		status int
		text   string
	}{
		`{"pid":1}`:                              {200, `"error":"cwd and status required"`},
		`{"cwd":"/x","pid":1,"status":"asleep"}`: {500, `"ok":false`},
		`nonsense`:                               {500, `"ok":false`},
		`{"cwd":"` + strings.Repeat("x", 70_000) + `"}`: {413, `"error":"payload too large"`},
	} {
		if status, got := callHook(t, e, body); status != want.status || !strings.Contains(got, want.text) {
			t.Errorf("%.40s: %d %s", body, status, got)
		}
	}
	if status, _ := do(t, http.MethodPost, e.HTTP+"/hook/set-status?x", "{}", nil); status != 404 {
		t.Errorf("with a query: %d", status)
	}
	for i := range 31 {
		status, got := callHook(t, e, `{"cwd":"/x","pid":1,"status":"idle"}`)
		if i == 30 && (status != 429 || !strings.Contains(got, "rate limited")) {
			t.Errorf("call %d: %d %s", i, status, got)
		}
	}
}

func awaitSockets(t *testing.T, e *edgetest.Edge, n int) {
	t.Helper()
	edgetest.Eventually(t, func() error {
		if got := e.Server.Sockets(); got != n {
			return fmt.Errorf("%d sockets, want %d", got, n)
		}
		return nil
	})
}
