package peer

import (
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// verified fails unless r is a resume by that token, proven for testMesh by key.
func verified(t *testing.T, r *wire.Resume, token, key string) {
	t.Helper()
	for _, refusal := range []*wire.Refusal{r.CheckToken(), r.Verify(testMesh, key, time.Now()), r.CheckFields()} {
		if refusal != nil {
			t.Error(refusal)
		}
	}
	if r.Token != token {
		t.Errorf("token %q, want %q", r.Token, token)
	}
}

// admitted waits until the client has read its greeting: a cut right behind it
// could swallow it.
func admitted(t *testing.T, o *one) {
	t.Helper()
	if _, err := o.Admitted(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestL1_ALostConnectionIsResumedByTheLastToken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Client)
		key    string
	}{
		"session": {key: wire.PublicKey(ourSession)},
		"member":  {key: wire.PublicKey(ourMember), change: func(c *Client) { c.o.Session = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := start(t, f, tt.change)
			c, hello := f.greet(t, wire.HelloAck{ResumeToken: "first", Cursor: "EPOCH000/1/x"})
			if _, ok := hello.(*wire.Resume); ok {
				t.Fatal("resumes what never was")
			}
			c.say(group(t, "*", "a", "hi"))
			o.delivery(t)
			_ = c.socket.NetConn().Close()
			c = f.accept(t)
			r := expect[*wire.Resume](t, c)
			verified(t, r, "first", tt.key)
			if r.Cursor != "EPOCH000/7/j-a" && r.Cursor != "EPOCH000/1/x" {
				t.Errorf("names %q", r.Cursor)
			}
			c.say(&wire.HelloAck{Resumed: true, ResumeToken: "second"})
			if _, err := o.Admitted(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = c.socket.NetConn().Close()
			verified(t, expect[*wire.Resume](t, f.accept(t)), "second", tt.key)
		})
	}
}

// TestARefusedResumeIsFollowedByAHelloOnTheSameConnection covers tokens that do
// not serve any more and brokers that do not know the frame.
func TestARefusedResumeIsFollowedByAHelloOnTheSameConnection(t *testing.T) {
	t.Parallel()
	for _, code := range []wire.Code{wire.CodeResumeRefused, wire.CodeNoHello} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := start(t, f, nil)
			c, _ := f.greet(t, wire.HelloAck{ResumeToken: "first"})
			admitted(t, o)
			_ = c.socket.NetConn().Close()
			c = f.accept(t)
			expect[*wire.Resume](t, c)
			c.say(&wire.ErrorFrame{Code: code, Message: "say hello"})
			h := expect[*wire.SessionHello](t, c)
			if r := h.Verify(time.Now()); r != nil {
				t.Error(r)
			}
			c.say(&wire.HelloAck{})
			if _, err := o.Admitted(t.Context()); err != nil {
				t.Error(err)
			}
			_ = c.socket.NetConn().Close()
			expect[*wire.SessionHello](t, f.accept(t)) // the token is forgotten
		})
	}
}

func TestAResumeThatNobodyAnswersIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.t.hello = 200 * time.Millisecond })
	c, _ := f.greet(t, wire.HelloAck{ResumeToken: "first"})
	admitted(t, o)
	_ = c.socket.NetConn().Close()
	c = f.accept(t)
	expect[*wire.Resume](t, c)
	c.gone(t)
	expect[*wire.SessionHello](t, f.accept(t))
}

// TestAResumeCutShortIsTriedAgain holds because the token may still serve: who
// did not hear the frame did not use it up.
func TestAResumeCutShortIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{ResumeToken: "first"})
	admitted(t, o)
	for range 3 {
		_ = c.socket.NetConn().Close()
		c = f.accept(t)
		verified(t, expect[*wire.Resume](t, c), "first", wire.PublicKey(ourSession))
	}
}

func TestS2_AResumeOfABannedMemberEndsTheClient(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{ResumeToken: "first"})
	admitted(t, o)
	_ = c.socket.NetConn().Close()
	c = f.accept(t)
	expect[*wire.Resume](t, c)
	c.say(&wire.ErrorFrame{Code: wire.CodeRevoked, Message: "banned"})
	_ = c.socket.WriteClose(uint16(wire.CloseBanned), []byte(wire.ReasonBanned))
	if err := o.end(t); !errors.Is(err, ErrBanned) {
		t.Errorf("got %v", err)
	}
}

// TestQ2_WhatWasNotAckedGoesOutAgainBehindAResume holds for both ways in which
// a resume may end: what was sent keeps its id.
func TestQ2_WhatWasNotAckedGoesOutAgainBehindAResume(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*testing.T, *fakeConn){
		"resumed": func(_ *testing.T, c *fakeConn) { c.say(&wire.HelloAck{Resumed: true}) },
		"refused": func(t *testing.T, c *fakeConn) {
			c.say(&wire.ErrorFrame{Code: wire.CodeResumeRefused})
			expect[*wire.SessionHello](t, c)
			c.say(&wire.HelloAck{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := start(t, f, nil)
			c, _ := f.greet(t, wire.HelloAck{ResumeToken: "first"})
			admitted(t, o)
			done := o.send(Message{To: wire.PublicKey(theirKey), Text: "hi"})
			first := expect[*wire.Send](t, c)
			_ = c.socket.NetConn().Close()
			c = f.accept(t)
			expect[*wire.Resume](t, c)
			answer(t, c)
			again := expect[*wire.Send](t, c)
			if again.ClientMessageID != first.ClientMessageID || again.Ciphertext != first.Ciphertext {
				t.Errorf("sent %+v, then %+v", first, again)
			}
			c.say(&wire.Ack{ID: again.ID, MessageID: "d1", Queued: true})
			if err := result(t, done); err != nil {
				t.Error(err)
			}
		})
	}
}
