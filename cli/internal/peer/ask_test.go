package peer

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// asked is what became of a question.
type asked struct {
	answer wire.Message
	err    error
}

func askLater(t *testing.T, c *one, r wire.Request) <-chan asked {
	got := make(chan asked, 1)
	go func() {
		answer, err := c.Ask(t.Context(), r)
		got <- asked{answer, err}
	}()
	return got
}

func TestAQuestionIsAskedAgainWhereTheConnectionIsLostAndAChangeIsNot(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := start(t, f, nil)
	b, _ := f.greet(t, wire.HelloAck{Edge: "E"})

	read := askLater(t, c, &wire.GetState{Key: "k"})
	expect[*wire.GetState](t, b)
	change := askLater(t, c, &wire.SetState{Key: "k", Value: json.RawMessage("1")})
	expect[*wire.SetState](t, b)
	_ = b.socket.NetConn().Close()
	if got := <-change; !errors.Is(got.err, ErrUncertain) || !errors.Is(got.err, ErrDisconnected) {
		t.Errorf("the change: %+v", got)
	}

	b, _ = f.greet(t, wire.HelloAck{Edge: "E"})
	again := expect[*wire.GetState](t, b)
	b.say(&wire.StateResult{Key: "k", Value: json.RawMessage("2"), ReqID: again.ReqID})
	if got := <-read; got.err != nil || string(got.answer.(*wire.StateResult).Value) != "2" {
		t.Errorf("the question: %+v", got)
	}
}

func TestARefusalSaysItsCodeAndWhatCannotBeIsNotEvenAsked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := start(t, f, nil)
	b, _ := f.greet(t, wire.HelloAck{Edge: "E"})

	var refused *RefusedError
	if got := <-askLater(t, c, &wire.GetState{}); !errors.As(got.err, &refused) || refused.Code != wire.CodeInvalidArgument {
		t.Errorf("without a key: %+v", got)
	}
	got := askLater(t, c, &wire.ClaimTask{TaskID: "x"})
	r := expect[*wire.ClaimTask](t, b)
	b.say(&wire.ErrorFrame{Code: wire.CodeTaskNotClaimable, Message: "no", ReqID: r.ReqID})
	if got := <-got; !errors.As(got.err, &refused) || refused.Code != wire.CodeTaskNotClaimable {
		t.Errorf("refused: %+v", got)
	}
	ok := askLater(t, c, &wire.SetState{Key: "k", Value: json.RawMessage("1")})
	s := expect[*wire.SetState](t, b)
	b.say(&wire.OK{ReqID: s.ReqID})
	if got := <-ok; got.err != nil {
		t.Errorf("done: %+v", got)
	}
}

// TestAnExistingBrokerThatAnswersNothingIsNotWaitedFor is about set_state and
// the like, to which only newer brokers answer.
func TestAnExistingBrokerThatAnswersNothingIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := start(t, f, nil)
	b, _ := f.greet(t, wire.HelloAck{})
	done := askLater(t, c, &wire.SetState{Key: "k", Value: json.RawMessage("1")})
	if s := expect[*wire.SetState](t, b); s.ReqID != "" {
		t.Errorf("asks for an answer that never comes: %+v", s)
	}
	list := expect[*wire.ListPeers](t, b)
	b.say(&wire.PeersList{ReqID: list.ReqID})
	if got := <-done; got.err != nil {
		t.Errorf("%+v", got)
	}
}
