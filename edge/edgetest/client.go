package edgetest

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Opcodes of WebSocket frames.
const (
	OpText   = 0x1
	OpBinary = 0x2
	OpClose  = 0x8
	OpPing   = 0x9
	OpPong   = 0xa
)

// Conn is a WebSocket client that does what the test says, right or wrong.
type Conn struct {
	t  testing.TB
	nc net.Conn

	wmu sync.Mutex // one frame at a time

	mu      sync.Mutex
	arrived sync.Cond // something changed below
	frames  []wire.Message
	raw     [][]byte
	stalled bool // the reader pauses
	mute    bool // pings are not answered
	over    bool
	code    int
	reason  string
}

// Dial opens a WebSocket at an edge. Nothing is said yet.
func Dial(t testing.TB, e *Edge) *Conn {
	t.Helper()
	nc, err := net.DialTimeout("tcp", e.Addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	return DialOn(t, nc, e.Addr)
}

// DialOn opens a WebSocket on a connection that exists, for TLS and pipes.
func DialOn(t testing.TB, nc net.Conn, host string) *Conn {
	t.Helper()
	c := &Conn{t: t, nc: nc}
	c.arrived.L = &c.mu
	br, err := c.upgrade(host)
	if err != nil {
		t.Fatalf("upgrade: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(br)
	}()
	t.Cleanup(func() {
		c.Cut()
		<-done
	})
	return c
}

func (c *Conn) upgrade(host string) (*bufio.Reader, error) {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	fmt.Fprintf(c.nc, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
		wire.Path, host, base64.StdEncoding.EncodeToString(key[:]))
	br := bufio.NewReader(c.nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.New(resp.Status)
	}
	return br, nil
}

// read collects frames until the connection ends.
func (c *Conn) read(br *bufio.Reader) {
	for {
		c.mu.Lock()
		for c.stalled && !c.over {
			c.arrived.Wait()
		}
		c.mu.Unlock()
		op, payload, err := readFrame(br)
		if err != nil {
			c.end(1006, "")
			return
		}
		if c.take(op, payload) {
			return
		}
	}
}

// take handles one frame. It reports whether it was the last.
func (c *Conn) take(op byte, payload []byte) (last bool) {
	switch op {
	case OpText, OpBinary:
		m, err := wire.DecodeFromEdge(payload)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			c.t.Errorf("frame of the edge: %v: %s", err, payload)
			return false
		}
		c.frames, c.raw = append(c.frames, m), append(c.raw, payload)
		c.arrived.Broadcast()
	case OpPing:
		c.mu.Lock()
		mute := c.mute
		c.mu.Unlock()
		if !mute {
			c.WriteFrame(OpPong, payload)
		}
	case OpClose:
		code, reason := 1005, ""
		if len(payload) >= 2 {
			code, reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
		}
		c.end(code, reason)
		c.WriteFrame(OpClose, payload)
		_ = c.nc.Close()
		return true
	}
	return false
}

func (c *Conn) end(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over, c.code, c.reason = true, code, reason
	}
	c.arrived.Broadcast()
}

func readFrame(br *bufio.Reader) (op byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(br, head[:2]); err != nil {
		return 0, nil, err
	}
	op, size := head[0]&0x0f, uint64(head[1]&0x7f)
	if extra := map[uint64]int{126: 2, 127: 8}[size]; extra > 0 {
		if _, err := io.ReadFull(br, head[:extra]); err != nil {
			return 0, nil, err
		}
		size = 0
		for _, b := range head[:extra] {
			size = size<<8 | uint64(b)
		}
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(br, payload)
	return op, payload, err
}

// Header is the header of a masked frame that announces size bytes.
func Header(op byte, size int) []byte {
	head := []byte{0x80 | op}
	switch {
	case size < 126:
		head = append(head, 0x80|byte(size))
	case size < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 0x80|126), uint16(size))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 0x80|127), uint64(size))
	}
	return append(head, 0, 0, 0, 0) // a mask of zeros changes nothing
}

// WriteFrame writes one frame. Errors show in what the edge does.
func (c *Conn) WriteFrame(op byte, payload []byte) {
	c.WriteBytes(append(Header(op, len(payload)), payload...))
}

// WriteBytes writes bytes past any framing.
func (c *Conn) WriteBytes(b []byte) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_ = c.nc.SetWriteDeadline(time.Now().Add(Patience))
	_, _ = c.nc.Write(b)
}

// WriteText writes a text frame, JSON or not.
func (c *Conn) WriteText(text string) { c.WriteFrame(OpText, []byte(text)) }

// Write sends a message.
func (c *Conn) Write(m wire.Message) {
	c.t.Helper()
	b, err := wire.Encode(m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.WriteFrame(OpText, b)
}

// Cut ends the TCP connection without a word, as a dead network does.
func (c *Conn) Cut() {
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.nc.Close()
	c.end(1006, "")
}

// Close sends a close frame and waits for the end.
func (c *Conn) Close(code int) {
	c.t.Helper()
	c.WriteFrame(OpClose, binary.BigEndian.AppendUint16(nil, uint16(code)))
	c.Closed()
}

// Stall makes the client read nothing until Unstall, as a hung program does.
func (c *Conn) Stall() { c.set(func() { c.stalled = true }) }

// Unstall ends a Stall.
func (c *Conn) Unstall() { c.set(func() { c.stalled = false }) }

// Mute makes the client answer no pings.
func (c *Conn) Mute() { c.set(func() { c.mute = true }) }

// Unmute ends a Mute.
func (c *Conn) Unmute() { c.set(func() { c.mute = false }) }

func (c *Conn) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	c.arrived.Broadcast()
}

// await waits until ready says so. The caller holds c.mu.
func (c *Conn) await(what string, ready func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(Patience)
	timer := time.AfterFunc(Patience, func() { c.set(func() {}) })
	defer timer.Stop()
	for !ready() {
		if time.Now().After(deadline) {
			c.t.Fatalf("no %s in time; waiting here: %s", what, bytes.Join(c.raw, []byte("\n")))
		}
		c.arrived.Wait()
	}
}

// Closed waits for the end and returns the close code and its reason: 1006
// where the edge said nothing.
func (c *Conn) Closed() (code int, reason string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.await("close", func() bool { return c.over })
	return c.code, c.reason
}

// ExpectClose fails unless the edge closes like this.
func (c *Conn) ExpectClose(code wire.CloseCode, reason string) {
	c.t.Helper()
	if got, why := c.Closed(); got != int(code) || why != reason {
		c.t.Fatalf("closed %d %q, want %d %q", got, why, code, reason)
	}
}

// Frames returns what has arrived and was not taken, and forgets it.
func (c *Conn) Frames() []wire.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.frames
	c.frames, c.raw = nil, nil
	return out
}

// Next waits for the first frame of a type and takes it. Others stay.
func Next[T wire.Message](c interface{ conn() *Conn }) T {
	k := c.conn()
	k.t.Helper()
	return NextIf(c, func(T) bool { return true })
}

// NextIf is Next for frames that fulfil a condition.
func NextIf[T wire.Message](c interface{ conn() *Conn }, wanted func(T) bool) (found T) {
	k := c.conn()
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.await(fmt.Sprintf("%T", found), func() bool {
		for i, m := range k.frames {
			if t, ok := m.(T); ok && wanted(t) {
				found = t
				k.frames = append(k.frames[:i:i], k.frames[i+1:]...)
				k.raw = append(k.raw[:i:i], k.raw[i+1:]...)
				return true
			}
		}
		if k.over {
			k.t.Fatalf("closed %d %q while waiting for %T", k.code, k.reason, found)
		}
		return false
	})
	return found
}

func (c *Conn) conn() *Conn { return c }

// ExpectError waits for an error frame and fails unless it has that code.
func (c *Conn) ExpectError(code wire.Code) *wire.ErrorFrame {
	c.t.Helper()
	e := Next[*wire.ErrorFrame](c)
	if e.Code != code {
		c.t.Fatalf("error %q (%s), want %q", e.Code, e.Message, code)
	}
	return e
}
