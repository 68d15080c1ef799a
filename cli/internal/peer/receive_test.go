package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
	"pgregory.net/rapid"
)

func TestAMessageIsAckedOnceItWasHandedOver(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	release := make(chan struct{})
	o := start(t, f, func(c *Client) {
		hand := c.o.Handle
		c.o.Handle = func(ctx context.Context, d Delivery) error { <-release; return hand(ctx, d) }
	})
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(direct(t, ourSession, "c1", "hi"))
	select {
	case m := <-c.in:
		t.Errorf("said %T before it was handled", m)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	d := o.delivery(t)
	if d.Text != "hi" || !d.Verified || d.Err != nil || d.Name != "Bob" || d.From != wire.PublicKey(theirKey) {
		t.Errorf("handed over %+v", d)
	}
	ack := expect[*wire.ClientAck](t, c)
	if ack.BrokerMessageID != "d-c1" || ack.ClientMessageID != "c1" {
		t.Errorf("acked %+v", ack)
	}
}

func TestWhatTheHandlerRefusesIsNotAckedAndEndsTheClient(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	boom := errors.New("boom")
	o := start(t, f, func(c *Client) { c.o.Handle = func(context.Context, Delivery) error { return boom } })
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(direct(t, ourSession, "c1", "hi"))
	if err := o.end(t); !errors.Is(err, boom) {
		t.Errorf("ended with %v", err)
	}
	c.gone(t)
	if len(c.in) > 0 {
		t.Errorf("said %T", <-c.in)
	}
}

func TestAClientWithoutAHandlerSwallowsNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.o.Handle, c.cursor = nil, "EPOCH000/1/x" })
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(direct(t, ourMember, "c1", "for the listener"))
	c.say(group(t, "*", "c2", "for the listener"))
	done := make(chan error, 1)
	go func() { done <- o.Sync(context.Background()) }()
	ask := expect[*wire.Sync](t, c) // an ack would come first
	c.say(&wire.Synced{ReqID: ask.ReqID})
	if err := result(t, done); err != nil || len(c.in) > 0 || o.Cursor() != "EPOCH000/1/x" {
		t.Errorf("synced with %v, %d frames, cursor %s", err, len(c.in), o.Cursor())
	}
}

func TestMessagesToTheMemberKeyOpenToo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(direct(t, ourMember, "c1", "to the member"))
	if d := o.delivery(t); d.Text != "to the member" || d.Err != nil {
		t.Errorf("handed over %+v", d)
	}
}

func TestAMessageBeforeTheGreetingIsTaken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c := f.accept(t)
	c.next(t)
	c.say(direct(t, ourSession, "c1", "early"))
	c.say(&wire.HelloAck{})
	if d := o.delivery(t); d.Text != "early" {
		t.Errorf("handed over %+v", d)
	}
}

func TestARepeatIsAckedButNotHandedOverAgain(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(direct(t, ourSession, "c1", "once"))
	expect[*wire.ClientAck](t, c)
	_ = c.socket.NetConn().Close()
	c, _ = f.greet(t, wire.HelloAck{})
	repeat := direct(t, ourSession, "c1", "once")
	repeat.MessageID = "another"
	c.say(repeat)
	if ack := expect[*wire.ClientAck](t, c); ack.BrokerMessageID != "another" {
		t.Errorf("acked %+v", ack)
	}
	c.say(direct(t, ourSession, "c2", "twice"))
	if a, b := o.delivery(t), o.delivery(t); a.Text != "once" || b.Text != "twice" {
		t.Errorf("handed over %q, then %q", a.Text, b.Text)
	}
}

func TestAnotherSendersMessageOfTheSameIDIsNoRepeat(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(direct(t, ourSession, "c1", "one"))
	other := direct(t, ourSession, "c1", "two")
	other.SenderMemberPubkey = wire.PublicKey(ourMember)
	c.say(other)
	if a, b := o.delivery(t), o.delivery(t); a.Text != "one" || b.Text != "two" {
		t.Errorf("handed over %q, then %q", a.Text, b.Text)
	}
}

func TestWhatCannotBeOpenedIsReportedAndNeverShown(t *testing.T) {
	t.Parallel()
	plain := func(p *wire.Push) *wire.Push { p.Ciphertext = "aGVsbG8="; return p }
	for name, tt := range map[string]struct {
		push *wire.Push
		want error
	}{
		"for another key":      {direct(t, theirMember, "a", "x"), seal.ErrNotForUs},
		"direct in clear":      {plain(direct(t, ourSession, "b", "x")), seal.ErrNotForUs},
		"sender no key":        {func() *wire.Push { p := direct(t, ourSession, "c", "x"); p.SenderPubkey = "system"; return p }(), seal.ErrBadKey},
		"another mesh":         {func() *wire.Push { p := direct(t, ourSession, "d", "x"); p.MeshID = "M"; return p }(), seal.ErrTampered},
		"another group":        {func() *wire.Push { p := group(t, "@a", "e", "x"); p.TargetSpec = "@b"; return p }(), seal.ErrTampered},
		"another sender":       {func() *wire.Push { p := group(t, "*", "f", "x"); p.SenderPubkey = wire.PublicKey(ourMember); return p }(), seal.ErrTampered},
		"another client id":    {func() *wire.Push { p := group(t, "*", "g", "x"); p.ClientMessageID = "h"; return p }(), seal.ErrTampered},
		"base64 is url-safe":   {func() *wire.Push { p := direct(t, ourSession, "i", "x"); p.Nonce = "-" + p.Nonce[1:]; return p }(), seal.ErrMalformed},
		"a binary group":       {func() *wire.Push { p := group(t, "*", "j", "x"); p.Ciphertext = "gIGC"; return p }(), seal.ErrMalformed},
		"an unsealed envelope": {func() *wire.Push { p := group(t, "*", "k", "x"); p.TargetSpec = wire.PublicKey(ourSession); return p }(), seal.ErrNotForUs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := start(t, f, nil)
			c, _ := f.greet(t, wire.HelloAck{})
			c.say(tt.push)
			if d := o.delivery(t); !errors.Is(d.Err, tt.want) || d.Text != "" || d.Verified {
				t.Errorf("handed over %+v", d)
			}
		})
	}
}

func TestGroupMessagesAreVerifiedAndClearOnesAreNot(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(group(t, "@ops", "a", "sealed"))
	if d := o.delivery(t); d.Text != "sealed" || !d.Verified || d.Target != "@ops" || d.CreatedAt.UnixMilli() != 1767225600000 {
		t.Errorf("handed over %+v", d)
	}
	old := group(t, "*", "b", "")
	old.TargetSpec, old.Nonce, old.Ciphertext, old.ClientMessageID, old.Cursor = "", "", "Y2xlYXI=", "", ""
	c.say(old)
	if d := o.delivery(t); d.Text != "clear" || d.Verified || d.Err != nil {
		t.Errorf("handed over %+v", d)
	}
}

func TestEventsAreHandedOverUnlessTheyAreAboutOurselves(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	event := func(id, key string) *wire.Push {
		return &wire.Push{
			Subtype: "system", Event: wire.EventPeerJoined, MessageID: id, MeshID: testMesh, SenderPubkey: "system",
			EventData: json.RawMessage(`{"name":"x","pubkey":"` + key + `","groups":[]}`), Cursor: "EPOCH000/8/" + id,
		}
	}
	c.say(event("1", wire.PublicKey(ourSession)))
	c.say(event("2", wire.PublicKey(theirKey)))
	d := o.delivery(t)
	if d.MessageID != "2" || d.Event != wire.EventPeerJoined || d.Err != nil {
		t.Errorf("handed over %+v", d)
	}
	o.cursorBecomes(t, "EPOCH000/8/2")
}

// cursorBecomes waits until the deliver loop has moved on.
func (o *one) cursorBecomes(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(patience)
	for o.Cursor() != want {
		select {
		case <-deadline:
			t.Fatalf("cursor is %q, want %q", o.Cursor(), want)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestL4_AGapIsToldNotGuessed: if the journal does not reach back far enough,
// the handler hears of it.
func TestL4_AGapIsToldNotGuessed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.cursor = "EPOCH000/1/x" })
	f.greet(t, wire.HelloAck{Cursor: "EPOCH999/5/y", Resync: true})
	if d := o.delivery(t); d.Event != wire.EventResync {
		t.Errorf("handed over %+v", d)
	}
	o.cursorBecomes(t, "EPOCH999/5/y")
}

// TestL4_TheCursorNeverPassesWhatWasNotHandled cuts connections at random
// moments while pushes stream in, and serves the journal from the cursor that
// the client names. Nothing may be missing, nothing out of order.
func TestL4_TheCursorNeverPassesWhatWasNotHandled(t *testing.T) {
	t.Parallel()
	const entries = 400
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.t.farewell = time.Millisecond })
	go func() {
		for round := 0; ; round++ {
			var c *fakeConn
			select {
			case c = <-f.conns:
			case <-o.t2():
				return
			}
			m, ok := <-c.in
			if !ok {
				return
			}
			from := 0
			if named := m.(*wire.SessionHello).Cursor; named != "" {
				_, _ = fmt.Sscanf(named, "EPOCH000/%d/", &from)
			}
			c.say(&wire.HelloAck{Cursor: fmt.Sprintf("EPOCH000/%d/x", from)})
			for i := from + 1; i <= entries; i++ {
				p := group(t, "*", fmt.Sprint("id", i), fmt.Sprint(i))
				p.Cursor = fmt.Sprintf("EPOCH000/%d/%s", i, "x")
				c.say(p)
				if i == from+60+round {
					_ = c.socket.NetConn().Close()
					break
				}
			}
		}
	}()
	for i := 1; i <= entries; i++ {
		if d := o.delivery(t); d.Text != fmt.Sprint(i) {
			t.Fatalf("entry %q comes where %d should", d.Text, i)
		}
	}
}

// t2 is closed when the client has ended.
func (o *one) t2() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			o.mu.Lock()
			changed, ended := o.changed, o.Client.ended
			o.mu.Unlock()
			if ended != nil {
				return
			}
			<-changed
		}
	}()
	return done
}

func TestSyncWaitsForTheHandler(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	release := make(chan struct{})
	o := start(t, f, func(c *Client) {
		hand := c.o.Handle
		c.o.Handle = func(ctx context.Context, d Delivery) error { <-release; return hand(ctx, d) }
	})
	c, _ := f.greet(t, wire.HelloAck{})
	done := make(chan error, 1)
	go func() { done <- o.Sync(context.Background()) }()
	ask := expect[*wire.Sync](t, c)
	c.say(direct(t, ourSession, "c1", "hi"))
	c.say(&wire.Synced{ReqID: ask.ReqID, Cursor: "EPOCH000/9/z"})
	select {
	case err := <-done:
		t.Errorf("synced before the message was handled: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := result(t, done); err != nil || len(o.got) != 1 || o.Cursor() != "EPOCH000/9/z" {
		t.Errorf("synced with %v, %d handled, cursor %s", err, len(o.got), o.Cursor())
	}
}

// TestQ4_ASlowHandlerStopsTheBrokerAndLosesNothing sends more than the queue
// holds while nothing is handled; the silence of a client that is behind is no
// reason to give the connection up.
func TestQ4_ASlowHandlerStopsTheBrokerAndLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	release := make(chan struct{})
	o := start(t, f, func(c *Client) {
		c.t.ping, c.t.silence = 20*time.Millisecond, 2*time.Second
		hand := c.o.Handle
		c.o.Handle = func(ctx context.Context, d Delivery) error { <-release; return hand(ctx, d) }
	})
	c, _ := f.greet(t, wire.HelloAck{})
	const n = maxQueued + 100
	go func() {
		for i := range n {
			c.say(direct(t, ourSession, fmt.Sprint(i), fmt.Sprint(i)))
		}
	}()
	<-time.After(2500 * time.Millisecond)
	close(release)
	for i := range n {
		if d := o.delivery(t); d.Text != fmt.Sprint(i) {
			t.Fatalf("message %q comes where %d should", d.Text, i)
		}
	}
}

// TestSeenBehavesLikeASlice drives seen and a slice with the same operations.
func TestSeenBehavesLikeASlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const limit = 3
		s, model := newSeen(limit), []string{}
		touch := func(id string) bool {
			for i, have := range model {
				if have == id {
					model = append(append(model[:i:i], model[i+1:]...), id)
					return true
				}
			}
			return false
		}
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			id := rapid.SampledFrom(strings.Split("abcdef", "")).Draw(t, "id")
			if rapid.Bool().Draw(t, "add") {
				s.add(id)
				if !touch(id) {
					model = append(model, id)
					model = model[max(0, len(model)-limit):]
				}
			} else if got, want := s.has(id), touch(id); got != want {
				t.Fatalf("has(%s) = %v, model %v", id, got, model)
			}
		}
		if s.order.Len() != len(model) || len(s.at) != len(model) {
			t.Fatalf("holds %d and %d, model %d", s.order.Len(), len(s.at), len(model))
		}
	})
}

// FuzzOpen feeds whole pushes: none may crash the client, and none that nobody
// sealed may count as verified.
func FuzzOpen(f *testing.F) {
	for _, p := range []*wire.Push{direct(f, ourSession, "a", "x"), group(f, "*", "b", "y")} {
		frame, _ := wire.Encode(p)
		f.Add(frame)
	}
	c := New(Options{MeshID: testMesh, Member: ourMember, Session: ourSession, Root: &root})
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := wire.DecodeFromEdge(frame)
		if err != nil {
			return
		}
		p, ok := m.(*wire.Push)
		if !ok {
			return
		}
		if d := c.open(p); d.Err != nil && (d.Text != "" || d.Verified) {
			t.Errorf("both opened and not: %+v", d)
		}
	})
}
