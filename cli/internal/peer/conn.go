package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/lxzan/gws"
)

// conn is one WebSocket, from dialling to its end.
type conn struct {
	gws.BuiltinEventHandler

	// Fixed at dial.
	c      *Client
	socket *gws.Conn
	start  time.Time

	frames chan wire.Message   // pushes and what must keep its place among them; never closed
	out    chan []byte         // frames to write; never closed
	kicks  chan struct{}       // a send waits to be written
	hellos chan *wire.HelloAck // the broker's greeting
	anew   chan struct{}       // the broker wants a whole handshake
	moved  chan time.Duration  // the broker restarts and wants us back after this
	failed chan error          // the handler gave up
	closed chan struct{}       // closed by OnClose

	// Owned by the read loop; read by others after closed is closed.
	greeted bool
	refusal *wire.ErrorFrame
	cause   error

	heard   atomic.Int64 // nanoseconds since start
	blocked atomic.Bool  // the read loop waits for the handler
}

var errSilent = errors.New("peer: broker fell silent")

// errHandler marks what Options.Handle returned.
var errHandler = errors.New("peer: handler failed")

// connect runs one connection to its end.
func (c *Client) connect(ctx context.Context) outcome {
	n, err := c.dial(ctx)
	if err != nil {
		return outcome{err: err}
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by a goodbye
	var loops sync.WaitGroup
	loops.Go(n.socket.ReadLoop)
	loops.Go(func() { n.deliver(inner) })
	loops.Go(n.write)
	out := n.serve(ctx)
	c.detach(n)
	cancel() // before drop, which discards pushes: none behind them may be handled
	n.drop()
	loops.Wait()
	return out
}

// dial opens the socket. Cancelling ctx interrupts it.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	if u, err := url.Parse(c.o.URL); err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, fmt.Errorf("peer: broker address %q is not a ws:// or wss:// address", c.o.URL)
	}
	n := &conn{
		c: c, start: time.Now(),
		frames: make(chan wire.Message, maxQueued), out: make(chan []byte, maxUnwritten), kicks: make(chan struct{}, 1),
		hellos: make(chan *wire.HelloAck, 1), anew: make(chan struct{}, 1), moved: make(chan time.Duration, 1), failed: make(chan error, 1),
		closed: make(chan struct{}),
	}
	ctx, cancel := context.WithTimeout(ctx, c.t.dial)
	defer cancel()
	dialer := &contextDialer{ctx: ctx, dial: c.o.Dial}
	if dialer.dial == nil {
		dialer.dial = new(net.Dialer).DialContext
	}
	defer dialer.release()
	socket, _, err := gws.NewClient(n, &gws.ClientOption{
		Addr: c.o.URL, HandshakeTimeout: c.t.dial, ReadMaxPayloadSize: 4 * wire.MaxFrame,
		NewDialer: func() (gws.Dialer, error) { return dialer, nil },
	})
	if err != nil {
		return nil, fmt.Errorf("peer: connect: %w", err)
	}
	n.socket = socket
	return n, nil
}

// contextDialer dials within a context and, until released, cuts the
// connection when the context ends: gws has no context of its own.
type contextDialer struct {
	ctx  context.Context
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	stop func() bool
}

// Dial implements gws.Dialer.
func (d *contextDialer) Dial(network, addr string) (net.Conn, error) {
	conn, err := d.dial(d.ctx, network, addr)
	if err == nil {
		d.stop = context.AfterFunc(d.ctx, func() { conn.Close() })
	}
	return conn, err
}

func (d *contextDialer) release() {
	if d.stop != nil {
		d.stop()
	}
}

// serve says hello and watches over the connection until it ends.
func (n *conn) serve(ctx context.Context) (out outcome) {
	ack, err := n.greet(ctx)
	if err != nil {
		return outcome{err: err}
	}
	admitted := time.Now()
	defer func() { out.lasted = time.Since(admitted) }()
	if ack.GroupPolicy != nil && n.c.o.Policy != nil {
		n.c.o.Policy(ack.GroupPolicy)
	}
	n.c.attach(n, ack)
	if n.c.o.Greeted != nil {
		n.c.o.Greeted(ack)
	}
	pings, checks := time.NewTicker(n.c.t.ping), time.NewTicker(n.c.t.ack/10)
	defer pings.Stop()
	defer checks.Stop()
	var restart <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			n.leave(ctx)
			return outcome{err: ctx.Err()}
		case <-n.closed:
			out.err = n.reason()
			select {
			case after := <-n.moved: // said just before the close
				out.back = time.Now().Add(after)
			default:
			}
			return out
		case err := <-n.failed:
			return outcome{err: fmt.Errorf("%w: %w", errHandler, err)}
		case after := <-n.moved:
			out.back = time.Now().Add(after)
			restart = time.After(after)
		case <-restart:
			_ = n.socket.WriteClose(uint16(wire.CloseRestarting), nil)
			out.err = errors.New("peer: broker restarts")
			return out
		case <-pings.C:
			n.ping()
			if n.silentFor() > n.c.t.silence {
				return outcome{err: errSilent}
			}
		case <-checks.C:
			n.c.expire(n)
		}
	}
}

// greet says who we are and waits for the answer. A token that does not serve
// any more costs one more round trip, and no connection.
func (n *conn) greet(ctx context.Context) (*wire.HelloAck, error) {
	opening, resumes := n.c.opening(time.Now())
	if err := n.say(opening); err != nil {
		return nil, err
	}
	late := time.NewTimer(n.c.t.hello)
	defer late.Stop()
	for {
		select {
		case ack := <-n.hellos:
			n.c.setToken(ack.ResumeToken)
			return ack, nil
		case <-n.anew:
			n.c.setToken("")
			if !resumes {
				continue // what it refuses was no resume
			}
			resumes = false
			if err := n.say(n.c.hello(time.Now())); err != nil {
				return nil, err
			}
		case <-n.closed:
			n.keepToken()
			return nil, n.reason()
		case err := <-n.failed:
			return nil, fmt.Errorf("%w: %w", errHandler, err)
		case <-late.C:
			n.c.setToken("") // whatever keeps a broker from answering a resume
			return nil, fmt.Errorf("peer: no answer to hello within %v", n.c.t.hello)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// keepToken keeps what a greeting brought that came just before the connection
// was lost.
func (n *conn) keepToken() {
	select {
	case ack := <-n.hellos:
		n.c.setToken(ack.ResumeToken)
	default:
	}
}

func (n *conn) say(m wire.Message) error {
	frame, err := wire.Encode(m)
	if err == nil {
		n.put(frame)
	}
	return err
}

// leave says goodbye, unless the place is to be kept, and gives the broker a
// moment to close.
func (n *conn) leave(ctx context.Context) {
	if errors.Is(context.Cause(ctx), ErrKeepPlace) {
		_ = n.socket.WriteClose(1001, nil) // going away: not the 1000 that ends some leases
		return
	}
	frame, err := wire.Encode(&wire.Goodbye{})
	if err != nil {
		return
	}
	n.put(frame)
	select {
	case <-n.closed:
	case <-time.After(n.c.t.farewell):
		_ = n.socket.WriteClose(uint16(wire.CloseNormal), []byte(wire.ReasonGoodbye))
	}
}

// drop cuts the connection, if it is not closed yet, and waits until the read
// loop has noticed.
func (n *conn) drop() {
	_ = n.socket.NetConn().Close()
	for {
		select {
		case <-n.closed:
			return
		case <-n.frames: // lets a read loop go on that waits for the handler
		}
	}
}

func (n *conn) ping() {
	_ = n.socket.SetWriteDeadline(time.Now().Add(n.c.t.write))
	_ = n.socket.WritePing(nil) // its failure closes the socket
}

// write is the only writer of application frames. It ends with the socket.
func (n *conn) write() {
	for {
		select {
		case <-n.closed:
			return
		case frame := <-n.out:
			n.writeFrame(frame)
		case <-n.kicks:
			for frame := n.c.nextUnsent(n); frame != nil; frame = n.c.nextUnsent(n) {
				n.writeFrame(frame)
			}
		}
	}
}

func (n *conn) writeFrame(frame []byte) {
	_ = n.socket.SetWriteDeadline(time.Now().Add(n.c.t.write))
	_ = n.socket.WriteMessage(gws.OpcodeText, frame) // its failure closes the socket
}

// put queues a frame, unless the socket closes first.
func (n *conn) put(frame []byte) {
	select {
	case n.out <- frame:
	case <-n.closed:
	}
}

// tryPut queues a frame if there is room. The deliver loop must not wait for a
// broker to read, since the broker may be waiting for us to read.
func (n *conn) tryPut(frame []byte) bool {
	select {
	case n.out <- frame:
		return true
	default:
		return false
	}
}

// kick tells the writer that a send waits.
func (n *conn) kick() {
	select {
	case n.kicks <- struct{}{}:
	default:
	}
}

// reason is why the socket closed.
func (n *conn) reason() error {
	if r := n.refusal; r != nil {
		err := error(&RefusedError{Code: r.Code, Message: r.Message})
		if r.Code == wire.CodeRevoked {
			err = fmt.Errorf("%w: %w", ErrBanned, err)
		}
		return err
	}
	var closed *gws.CloseError
	if !errors.As(n.cause, &closed) {
		return fmt.Errorf("%w: %w", ErrDisconnected, n.cause)
	}
	reason := string(closed.Reason)
	switch wire.CloseCode(closed.Code) {
	case wire.CloseKicked:
		if reason == wire.ReasonArchived {
			return ErrArchived
		}
		return ErrKicked
	case wire.CloseBanned:
		return ErrBanned
	case wire.CloseRefused:
		return &RefusedError{Code: wire.Code(reason), Message: reason}
	case wire.CloseNormal:
		if reason == wire.ReasonSessionReplaced {
			return ErrReplaced
		}
	default: // the broker is welcome to be tried again
	}
	return fmt.Errorf("%w: closed with %d %s", ErrDisconnected, closed.Code, reason)
}
