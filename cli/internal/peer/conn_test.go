package peer

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestAProgramMayDialAndListenIn holds what programs that measure rely on: the
// connections are theirs, and they are shown each frame, repeats included.
func TestAProgramMayDialAndListenIn(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var dialed atomic.Int64
	heard := make(chan wire.Type, 16)
	start(t, f, func(c *Client) {
		c.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialed.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		c.o.Tap = func(m wire.Message) { heard <- m.FrameType() }
	})
	c, _ := f.greet(t, wire.HelloAck{})
	c.say(&wire.Restarting{ReconnectAfterMs: 60_000})
	for _, want := range []wire.Type{wire.TypeHelloAck, wire.TypeRestarting} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("shown %s, want %s", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("was not shown %s", want)
		}
	}
	if n := dialed.Load(); n != 1 {
		t.Errorf("dialed %d times, want 1", n)
	}
}
