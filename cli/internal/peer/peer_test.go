package peer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestASessionProvesItsKeyAndItsMember(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	start(t, f, nil)
	_, m := f.greet(t, wire.HelloAck{})
	h, ok := m.(*wire.SessionHello)
	if !ok {
		t.Fatalf("said %T", m)
	}
	for _, r := range []*wire.Refusal{h.CheckKeys(), h.Verify(time.Now()), h.CheckFields(), h.CheckParent("member")} {
		if r != nil {
			t.Error(r)
		}
	}
	if left := time.Until(time.UnixMilli(int64(h.ParentAttestation.ExpiresAt))); left > 12*time.Hour || left < 11*time.Hour {
		t.Errorf("attested for %v", left)
	}
}

func TestAClientWithoutASessionSpeaksAsTheMember(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	start(t, f, func(c *Client) { c.o.Session, c.o.About.Transient = nil, true })
	_, m := f.greet(t, wire.HelloAck{})
	h, ok := m.(*wire.Hello)
	if !ok {
		t.Fatalf("said %T", m)
	}
	if r := h.Verify(time.Now()); r != nil || h.SessionPubkey != "" || !h.Transient {
		t.Errorf("hello %+v: %v", h, r)
	}
}

func TestTheJournalIsReadOnFromTheLastEntryHandled(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.cursor = "EPOCH000/1/first" })
	fc, hello := f.greet(t, wire.HelloAck{Cursor: "EPOCH000/1/first"})
	if got := hello.(*wire.SessionHello).Cursor; got != "EPOCH000/1/first" {
		t.Errorf("first hello names %q", got)
	}
	fc.say(group(t, "*", "a", "hi"))
	o.delivery(t)
	fc.say(&wire.PeersList{}) // a frame behind it, so that the cursor is taken
	_ = fc.socket.NetConn().Close()
	_, hello = f.greet(t, wire.HelloAck{})
	if got := hello.(*wire.SessionHello).Cursor; got != "EPOCH000/7/j-a" && got != "EPOCH000/1/first" {
		t.Errorf("second hello names %q", got)
	}
}

// TestL1_ALostConnectionIsComeBackFrom covers every way to lose one that does
// not mean to stay away.
func TestL1_ALostConnectionIsComeBackFrom(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*fakeConn){
		"cut":          func(c *fakeConn) { _ = c.socket.NetConn().Close() },
		"restarting":   func(c *fakeConn) { _ = c.socket.WriteClose(1012, []byte("restarting")) },
		"slow":         func(c *fakeConn) { _ = c.socket.WriteClose(4008, []byte("slow_consumer")) },
		"disconnected": func(c *fakeConn) { _ = c.socket.WriteClose(1000, []byte("disconnected")) },
		"shutdown":     func(c *fakeConn) { _ = c.socket.WriteClose(1001, []byte("shutting down")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			start(t, f, nil)
			c, _ := f.greet(t, wire.HelloAck{})
			lose(c)
			f.greet(t, wire.HelloAck{})
		})
	}
}

func TestSomeClosesMeanToStayAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code   uint16
		reason string
		want   error
	}{
		{1000, "session_replaced", ErrReplaced},
		{4001, "kicked", ErrKicked},
		{4001, "archived", ErrArchived},
		{4002, "banned", ErrBanned},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := start(t, f, nil)
			c, _ := f.greet(t, wire.HelloAck{})
			_ = c.socket.WriteClose(tt.code, []byte(tt.reason))
			if err := o.end(t); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
			if _, err := o.Send(t.Context(), Message{To: "*"}); !errors.Is(err, tt.want) {
				t.Errorf("a send afterwards: %v", err)
			}
		})
	}
}

func TestARefusedHandshakeIsReportedWithItsCode(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c := f.accept(t)
	c.next(t)
	c.say(&wire.ErrorFrame{Code: wire.CodeUnauthorized, Message: "pubkey not found in mesh"})
	_ = c.socket.WriteClose(1008, []byte("unauthorized"))
	var refused *RefusedError
	if err := o.end(t); !errors.As(err, &refused) || refused.Code != wire.CodeUnauthorized {
		t.Errorf("got %v", err)
	}
}

func TestAFullMeshIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	start(t, f, nil)
	c := f.accept(t)
	c.next(t)
	c.say(&wire.ErrorFrame{Code: wire.CodeCapacity, Message: "full"})
	_ = c.socket.WriteClose(1008, []byte("capacity"))
	f.greet(t, wire.HelloAck{})
}

func TestARestartingBrokerSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	start(t, f, func(c *Client) { c.t.backoff, c.t.backoffTo = time.Hour, time.Hour })
	c, _ := f.greet(t, wire.HelloAck{})
	said := time.Now()
	c.say(&wire.Restarting{ReconnectAfterMs: 200})
	f.greet(t, wire.HelloAck{})
	if waited := time.Since(said); waited < 200*time.Millisecond {
		t.Errorf("came back after %v", waited)
	}
	c.gone(t)
}

func TestTheMomentToComeBackHoldsAfterTheCloseToo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	start(t, f, func(c *Client) { c.t.backoff, c.t.backoffTo = time.Hour, time.Hour })
	c, _ := f.greet(t, wire.HelloAck{})
	said := time.Now()
	c.say(&wire.Restarting{ReconnectAfterMs: 300})
	c.closeTaken(t)
	f.greet(t, wire.HelloAck{})
	if waited := time.Since(said); waited < 300*time.Millisecond {
		t.Errorf("came back after %v", waited)
	}
}

// closeTaken closes once the client has taken the frame before: it answers a
// ping only then. A client that writes to a socket closed before that may lose
// what it has not read.
func (f *fakeConn) closeTaken(t *testing.T) {
	t.Helper()
	_ = f.socket.WritePing(nil)
	select {
	case <-f.ponged:
	case <-time.After(patience):
		t.Fatal("client answers no ping")
	}
	_ = f.socket.WriteClose(1012, []byte("restarting"))
}

func TestASilentBrokerIsGivenUp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	start(t, f, func(c *Client) { c.t.ping, c.t.silence = 5*time.Millisecond, 100*time.Millisecond })
	c, _ := f.greet(t, wire.HelloAck{})
	close(c.deaf)
	f.greet(t, wire.HelloAck{})
	c.gone(t)
}

func TestABrokerThatAnswersPingsIsNotGivenUp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.t.ping, c.t.silence = 20*time.Millisecond, 2*time.Second })
	c, _ := f.greet(t, wire.HelloAck{})
	select {
	case <-c.closed:
		t.Error("closed")
	case err := <-o.ended:
		t.Errorf("ended: %v", err)
	case <-time.After(3 * time.Second):
	}
}

func TestLeavingSaysGoodbye(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	if _, err := o.Admitted(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.cancel(nil)
	expect[*wire.Goodbye](t, c)
	_ = c.socket.WriteClose(1000, []byte("goodbye"))
	if err := o.end(t); err != nil {
		t.Error(err)
	}
}

func TestKeepingThePlaceSaysNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	if _, err := o.Admitted(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.cancel(ErrKeepPlace)
	c.gone(t)
	if len(c.in) > 0 {
		t.Errorf("client said %T", <-c.in)
	}
}

func TestAnUnreachableBrokerIsReportedAfterAFewTries(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.o.URL, c.o.MaxFailures = "ws://127.0.0.1:1/ws", 3 })
	if err := o.end(t); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestAnAddressThatIsNoWebSocketIsRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://x", "ws://", "x"} {
		c := New(Options{URL: url, Member: ourMember, MaxFailures: 1})
		c.t = quick
		if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not a ws") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestThePauseGrowsToItsLimitAndIsSpread(t *testing.T) {
	t.Parallel()
	c := New(Options{Member: ourMember})
	for failures, limit := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 6: 30 * time.Second, 1000: 30 * time.Second,
	} {
		highest := time.Duration(0)
		for range 500 {
			highest = max(highest, c.pause(failures, outcome{}))
		}
		if highest > limit || highest < limit/2 {
			t.Errorf("after %d failures up to %v, want up to %v", failures, highest, limit)
		}
	}
}

func TestRequestsAreAnsweredByTheirID(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	type answer struct {
		peers []wire.PeerInfo
		err   error
	}
	first := make(chan answer, 1)
	go func() {
		peers, err := o.ListPeers(context.Background())
		first <- answer{peers, err}
	}()
	ask := expect[*wire.ListPeers](t, c)
	c.say(&wire.PeersList{ReqID: "another", Peers: []wire.PeerInfo{{}, {}}})
	c.say(&wire.PeersList{ReqID: ask.ReqID, Peers: []wire.PeerInfo{{DisplayName: "Bob"}}})
	if a := <-first; a.err != nil || len(a.peers) != 1 || a.peers[0].DisplayName != "Bob" {
		t.Errorf("got %+v", a)
	}
}

func TestARefusedRequestReturnsItsCode(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	done := make(chan error, 1)
	go func() {
		_, err := o.ListMembers(context.Background())
		done <- err
	}()
	ask := expect[*wire.ListMembers](t, c)
	c.say(&wire.ErrorFrame{Code: wire.CodeForbidden, Message: "no", ReqID: ask.ReqID})
	var refused *RefusedError
	if err := result(t, done); !errors.As(err, &refused) || refused.Code != wire.CodeForbidden {
		t.Errorf("got %v", err)
	}
}

func TestRequestsDoNotHangOnALostConnectionOrAnOldBroker(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.t.request = 100 * time.Millisecond })
	c, _ := f.greet(t, wire.HelloAck{})
	if err := o.Sync(t.Context()); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("an old broker: %v", err)
	}
	expect[*wire.Sync](t, c)
	done := make(chan error, 1)
	go func() { done <- o.Sync(context.Background()) }()
	expect[*wire.Sync](t, c)
	_ = c.socket.NetConn().Close()
	if err := result(t, done); !errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrNoAnswer) {
		t.Errorf("a lost connection: %v", err)
	}
}

func TestDoConnectsCallsAndLeaves(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := New(Options{URL: f.url, MeshID: testMesh, Member: ourMember, MaxFailures: 1, About: wire.About{SessionID: "x"}})
	c.t = quick
	boom := errors.New("boom")
	done := make(chan error, 1)
	go func() { done <- Do(context.Background(), c, func(context.Context) error { return boom }) }()
	fc, _ := f.greet(t, wire.HelloAck{})
	expect[*wire.Goodbye](t, fc)
	if err := result(t, done); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}
