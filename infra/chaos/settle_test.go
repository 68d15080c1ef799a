package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// obedient stands in for a loadpeer process: whoever is started is greeted.
type obedient struct {
	board *board
	runs  int
}

func (o *obedient) Write(line []byte) (int, error) {
	var c command
	if err := json.Unmarshal(line, &c); err != nil {
		return 0, err
	}
	if c.Op == "start" {
		o.runs++
		o.says(c.Peer, o.runs, history.Started, history.Greeted)
	}
	return len(line), nil
}

func (*obedient) Close() error { return nil }

func (o *obedient) says(peer string, run int, kinds ...history.Kind) {
	for _, kind := range kinds {
		line, err := json.Marshal(history.Record{Kind: kind, Peer: peer, Run: run})
		if err != nil {
			panic(err)
		}
		o.board.hear(line)
	}
}

// TestWhoseClientEndsWhileAllAreAwaitedIsStartedAgain has an older client come
// back after the faults and end the one that took over from it.
func TestWhoseClientEndsWhileAllAreAwaitedIsStartedAgain(t *testing.T) {
	t.Parallel()
	peers := &obedient{board: newBoard(history.NewWriter(io.Discard))}
	a := &actor{name: "p0", driver: &driver{in: peers}}
	r := &run{
		ctx: t.Context(), board: peers.board, world: &world{actors: []*actor{a}},
		fleet: &Fleet{balancer: &haproxy{addr: "nowhere:1"}},
	}
	r.start(a)
	if err := r.awaitAll(time.Minute); err != nil || peers.runs != 1 {
		t.Fatalf("%d clients, %v", peers.runs, err)
	}
	peers.says("p0", 1, history.Closed, history.Ended)
	if err := r.awaitAll(time.Minute); err != nil || peers.runs != 2 {
		t.Errorf("%d clients, %v", peers.runs, err)
	}
}

// TestWhatWasToldToStopIsNotCalledLate holds that whoever presses Ctrl-C does
// not read of a fault.
func TestWhatWasToldToStopIsNotCalledLate(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	errBroken := errors.New("broken")
	err := eventually(ctx, time.Minute, func() error { stop(); return errBroken })
	if !errors.Is(err, context.Canceled) || errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	if err := eventually(t.Context(), time.Millisecond, func() error { return errBroken }); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
