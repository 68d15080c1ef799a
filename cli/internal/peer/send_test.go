package peer

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestADirectMessageIsSealedByTheSessionKeyForItsRecipient(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	to := wire.PublicKey(theirKey)
	done := o.send(Message{To: strings.ToUpper(to), Text: "hi", Priority: wire.LaneNow})
	s := expect[*wire.Send](t, c)
	if s.TargetSpec != to || s.Priority != wire.LaneNow || s.ID != s.ClientMessageID || len(s.RequestFingerprint) != 64 {
		t.Errorf("sent %+v", s)
	}
	text, err := seal.OpenDirect(theirKey, pub(ourSession), seal.Box{Nonce: s.Nonce, Ciphertext: s.Ciphertext})
	if err != nil || string(text) != "hi" {
		t.Errorf("opens as %q, %v", text, err)
	}
	c.say(&wire.Ack{ID: s.ID, MessageID: "m", Queued: true})
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestAGroupMessageIsSealedUnlessTheOwnerSaysOtherwise(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	mode, pinned := make(chan wire.GroupMode, 1), make(chan struct{})
	mode <- wire.GroupSealed
	o := start(t, f, func(c *Client) {
		c.o.Policy = func(p *wire.GroupPolicy) { <-mode; mode <- p.Mode; close(pinned) }
		c.o.GroupMode = func() wire.GroupMode { m := <-mode; mode <- m; return m }
	})
	c, _ := f.greet(t, wire.HelloAck{})
	done := o.send(Message{To: "@ops", Text: "hi"})
	s := expect[*wire.Send](t, c)
	in, err := seal.OpenGroup(seal.Group{Mesh: testMesh, Target: "@ops", Root: &root}, pub(ourSession),
		seal.Box{Nonce: s.Nonce, Ciphertext: s.Ciphertext})
	if err != nil || in.Text != "hi" || !in.Verified || in.ID != s.ClientMessageID {
		t.Errorf("opens as %+v, %v", in, err)
	}
	c.say(&wire.Ack{ID: s.ID, Queued: true})
	if err := result(t, done); err != nil {
		t.Error(err)
	}
	_ = c.socket.NetConn().Close()
	c, _ = f.greet(t, wire.HelloAck{GroupPolicy: &wire.GroupPolicy{Mode: wire.GroupPlain}})
	<-pinned
	o.send(Message{To: "*", Text: "hi"})
	s = expect[*wire.Send](t, c)
	if s.Ciphertext != "aGk=" {
		t.Errorf("a plain broadcast is %s", s.Ciphertext)
	}
}

func TestNothingButGroupsLeavesUnsealed(t *testing.T) {
	t.Parallel()
	o := start(t, newFake(t), func(c *Client) { c.o.GroupMode = func() wire.GroupMode { return wire.GroupPlain } })
	for _, to := range []string{"Bob", "", "ed4928", wire.PublicKey(theirKey) + " ", wire.PublicKey(theirKey)[:63]} {
		if _, err := o.Send(t.Context(), Message{To: to, Text: "hi"}); !errors.Is(err, ErrClear) {
			t.Errorf("%q: %v", to, err)
		}
	}
	if _, err := o.Send(t.Context(), Message{To: strings.Repeat("0", 64)}); !errors.Is(err, seal.ErrBadKey) {
		t.Errorf("a key of small order: %v", err)
	}
}

func TestWithoutARootKeyNoGroupIsWrittenTo(t *testing.T) {
	t.Parallel()
	o := start(t, newFake(t), func(c *Client) { c.o.Root = nil })
	if _, err := o.Send(t.Context(), Message{To: "*"}); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("got %v", err)
	}
}

func TestAMessageThatDoesNotFitIsNotSent(t *testing.T) {
	t.Parallel()
	o := start(t, newFake(t), nil)
	m := Message{To: wire.PublicKey(theirKey), Text: strings.Repeat("x", wire.MaxSend)}
	if _, err := o.Send(t.Context(), m); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestQ2_AMessageWhoseAckWasLostGoesOutAgainUnchanged: the same id and the same
// bytes, so that the broker recognises it.
func TestQ2_AMessageWhoseAckWasLostGoesOutAgainUnchanged(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	done := o.send(Message{To: wire.PublicKey(theirKey), Text: "hi"})
	first := expect[*wire.Send](t, c)
	_ = c.socket.NetConn().Close()
	c, _ = f.greet(t, wire.HelloAck{})
	second := expect[*wire.Send](t, c)
	a, _ := wire.Encode(first)
	b, _ := wire.Encode(second)
	if !bytes.Equal(a, b) {
		t.Errorf("sent %s, then %s", a, b)
	}
	c.say(&wire.Ack{ID: second.ID, MessageID: "m", Queued: true})
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

// TestQ3_SendsKeepTheirOrderAcrossALostConnection sends while there is no
// connection, and loses one half-way.
func TestQ3_SendsKeepTheirOrderAcrossALostConnection(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c := f.accept(t)
	var results []<-chan error
	for i := range 20 {
		results = append(results, o.send(Message{ID: fmt.Sprint(i), To: wire.PublicKey(theirKey)}))
		for o.waits() <= i {
			<-time.After(time.Millisecond)
		}
	}
	c.next(t)
	c.say(&wire.HelloAck{})
	for i := range 7 {
		s := expect[*wire.Send](t, c)
		c.say(&wire.Ack{ID: s.ID, Queued: true})
		if err := result(t, results[i]); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.socket.NetConn().Close()
	c, _ = f.greet(t, wire.HelloAck{})
	for i := 7; i < 20; i++ {
		s := expect[*wire.Send](t, c)
		if s.ID != fmt.Sprint(i) {
			t.Fatalf("message %s comes where %d should", s.ID, i)
		}
		c.say(&wire.Ack{ID: s.ID, Queued: true})
	}
}

func (o *one) waits() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending)
}

func TestASendThatIsNeverAckedIsGivenUp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, func(c *Client) { c.t.ack = 50 * time.Millisecond })
	f.greet(t, wire.HelloAck{})
	if err := result(t, o.send(Message{To: wire.PublicKey(theirKey)})); !errors.Is(err, ErrNoAck) {
		t.Errorf("got %v", err)
	}
}

func TestOnlySoManySendsWaitForAConnection(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	for i := range maxPending {
		o.pending = append(o.pending, &outgoing{id: fmt.Sprint(i), done: make(chan struct{})})
	}
	if _, err := o.Send(t.Context(), Message{To: wire.PublicKey(theirKey)}); !errors.Is(err, ErrTooManyPending) {
		t.Errorf("got %v", err)
	}
}

func TestRefusalsAreToldApart(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	for text, want := range map[string]error{
		wire.AckNoRecipient:          ErrNoRecipient,
		wire.AckInboxFull:            ErrInboxFull,
		wire.AckMeshFull:             ErrInboxFull,
		wire.AckBlocked:              ErrBlocked,
		wire.AckRateLimited(60, 10):  ErrRateLimited,
		wire.AckTooLarge(70_000):     ErrTooLarge,
		wire.AckInvalid("something"): nil,
	} {
		done := o.send(Message{To: wire.PublicKey(theirKey)})
		s := expect[*wire.Send](t, c)
		c.say(&wire.Ack{ID: s.ID, Error: text})
		var refused *SendError
		if err := result(t, done); !errors.As(err, &refused) || refused.Text != text || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatTheBrokerCouldNotStoreIsTriedAgainUnderTheSameID(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := start(t, f, nil)
	c, _ := f.greet(t, wire.HelloAck{})
	done := o.send(Message{To: wire.PublicKey(theirKey)})
	first := expect[*wire.Send](t, c)
	c.say(&wire.Ack{ID: first.ID, Error: wire.AckUnavailable})
	second := expect[*wire.Send](t, c)
	if second.ID != first.ID {
		t.Errorf("tried as %s, then as %s", first.ID, second.ID)
	}
	c.say(&wire.Ack{ID: second.ID, Queued: true})
	if err := result(t, done); err != nil {
		t.Error(err)
	}
}

func TestACancelledSendReturns(t *testing.T) {
	t.Parallel()
	o := start(t, newFake(t), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Send(ctx, Message{To: wire.PublicKey(theirKey)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := o.waits(); n != 0 {
		t.Errorf("%d sends still wait", n)
	}
}

func TestTheFingerprintIsOfWhatWasTyped(t *testing.T) {
	t.Parallel()
	c := New(Options{Member: ourMember, MeshID: testMesh})
	m := Message{ID: "x", To: wire.PublicKey(theirKey), Typed: "Bob", Text: "hi"}
	frame, err := c.sealSend(&m)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := (&wire.SendRequest{Destination: "Bob", Message: []byte("hi")}).Fingerprint()
	if !bytes.Contains(frame, []byte(want)) {
		t.Errorf("%s is not in %s", want, frame)
	}
	if bytes.Contains(frame, []byte(hex.EncodeToString([]byte("hi")))) {
		t.Error("the text is in the frame")
	}
}
