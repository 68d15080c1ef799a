package edge

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeWithin is how long one batch of frames may take to reach the
	// kernel. A reader that stalls longer is closed and catches up later.
	writeWithin = 10 * time.Second

	// writeSlack is how much less it may be.
	writeSlack = time.Second

	// lingerFor and lingerBytes bound what is read and thrown away after a
	// close frame. Closing at once, with bytes unread, makes TCP reset the
	// connection, and the reset may overtake the close frame.
	lingerFor   = 2 * time.Second
	lingerBytes = 4 << 20
)

// errTooLarge ends the read loop of a socket whose peer announced a frame
// beyond the limit.
var errTooLarge = errors.New("edge: frame larger than the limit")

// netConn stands between gws and the network. It refuses frames that are too
// large by looking at their headers, before gws allocates room for them, and
// it writes whole frames of the outbox between those of gws.
type netConn struct {
	net.Conn

	// Fixed after the upgrade.
	tooLarge func() // closes the socket; called once, by the read loop

	// Owned by the read loop.
	early []byte // what net/http had read ahead
	guard guard

	ending atomic.Bool // a close frame is written: what still arrives is thrown away

	mu       sync.Mutex // one frame at a time
	finished bool       // nothing may be written any more
	patience time.Time  // until when the kernel has to take what is written
}

// hijacker lets gws hijack a connection that it sees through a netConn.
type hijacker struct {
	http.ResponseWriter
	conn *netConn
}

// Hijack gives gws the wrapped connection. The bytes that net/http has already
// read are kept: gws would throw them away.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn.Conn = nc
	if n := rw.Reader.Buffered(); n > 0 {
		ahead, _ := rw.Reader.Peek(n)
		h.conn.early = append([]byte(nil), ahead...)
	}
	return h.conn, rw, nil
}

// Read gives gws what arrived, unless it announces a frame beyond the limit.
//
// Every idle socket waits in here. With one more function between this one and
// the network its stack would take 8 KB instead of 4: the runtime halves a stack
// of which less than a quarter is used, and this one is just below that.
func (c *netConn) Read(p []byte) (n int, err error) {
	if c.ending.Load() {
		return 0, c.discard()
	}
	if n = c.readEarly(p); n == 0 {
		n, err = c.Conn.Read(p)
	}
	if c.ending.Load() {
		return 0, c.discard()
	}
	if n > 0 && !c.guard.pass(p[:n]) {
		c.tooLarge()
		c.discard()
		return 0, errTooLarge
	}
	return n, err
}

// readEarly gives what net/http had read ahead, as long as there is any.
func (c *netConn) readEarly(p []byte) int {
	n := copy(p, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
	}
	return n
}

// discard reads until the peer has closed its side or the linger is over.
func (c *netConn) discard() error {
	_ = c.Conn.SetReadDeadline(time.Now().Add(lingerFor))
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	return io.EOF
}

// Write writes one frame of gws: a close frame, since all others go through
// the outbox. After ours has been written it says nothing more.
func (c *netConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return len(p), nil
	}
	c.limitLocked()
	return c.Conn.Write(p)
}

// writeFrames writes whole frames, in one system call where the kernel can.
func (c *netConn) writeFrames(frames net.Buffers) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return net.ErrClosed
	}
	c.limitLocked()
	if len(frames) == 1 { // nearly always, and cheaper
		_, err := c.Conn.Write(frames[0])
		return err
	}
	_, err := frames.WriteTo(c.Conn)
	return err
}

// SetDeadline is what gws limits the upgrade by. It takes the place of the
// deadline of writes.
func (c *netConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patience = time.Time{}
	return c.Conn.SetDeadline(t)
}

// limitLocked sets the deadline of the next write. Doing so costs about a tenth
// of the write, so a deadline that is not much nearer is left.
func (c *netConn) limitLocked() {
	now := time.Now()
	if c.patience.Sub(now) > writeWithin-writeSlack {
		return
	}
	c.patience = now.Add(writeWithin)
	_ = c.Conn.SetWriteDeadline(c.patience)
}

// finish writes the close frame, says that nothing follows, and lets the read
// loop wait a moment for the peer's own.
func (c *netConn) finish(closeFrame []byte) {
	c.mu.Lock()
	c.finished = true
	_ = c.Conn.SetWriteDeadline(time.Now().Add(writeWithin))
	_, err := c.Conn.Write(closeFrame)
	c.mu.Unlock()
	c.ending.Store(true)
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = c.Conn.Close()
		return
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(lingerFor))
}

// guard follows the headers of WebSocket frames in a byte stream.
type guard struct {
	limit   int    // longest message, in bytes
	message int    // bytes of the fragments so far
	skip    uint64 // payload bytes still to come
	header  [14]byte
	have    int // bytes of the header so far
}

// pass looks at the next bytes of the stream. It reports false as soon as a
// header announces more than the limit.
func (g *guard) pass(p []byte) bool {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, uint64(len(p)))
			g.skip -= n
			p = p[n:]
			continue
		}
		g.header[g.have] = p[0]
		g.have++
		p = p[1:]
		if g.have == g.need() && !g.begin() {
			return false
		}
	}
	return true
}

// need is the length of the header, as far as its first two bytes tell.
func (g *guard) need() int {
	if g.have < 2 {
		return 2
	}
	n := 2
	switch g.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if g.header[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// begin takes a complete header.
func (g *guard) begin() bool {
	size := uint64(g.header[1] & 0x7f)
	extra := 0
	switch size {
	case 126:
		extra = 2
	case 127:
		extra = 8
	}
	if extra > 0 {
		size = 0
		for _, b := range g.header[2 : 2+extra] {
			size = size<<8 | uint64(b)
		}
	}
	g.have, g.skip = 0, size
	const control = 0x08
	if g.header[0]&control != 0 {
		return size <= 125
	}
	if size > uint64(g.limit) || g.message+int(size) > g.limit {
		return false
	}
	g.message += int(size)
	if final := g.header[0]&0x80 != 0; final {
		g.message = 0
	}
	return true
}
