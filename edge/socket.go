package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lxzan/gws"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// upgradeWithin is how long writing the answer to an upgrade may take.
const upgradeWithin = 5 * time.Second

// A socket is one WebSocket, from its upgrade to its end. It becomes a peer's
// when a handshake succeeds.
type socket struct {
	// Fixed at the upgrade.
	server *Server
	nc     *netConn
	out    outbox
	host   string      // the peer's address without port
	hello  *time.Timer // ends a socket that stays silent

	// Owned by the read loop.
	conn  *conn // nil until the handshake has succeeded
	limit *frameLimit

	resumed bool // tried to, and may not again

	mu       sync.Mutex
	reason   closeReason // why this side ended it, "" if it did not
	stranger bool        // it counts as one
	peer     *conn       // the same as conn, for other goroutines
}

// upgrade turns a request into a socket and starts its read loop.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	k := &socket{server: s, stranger: true, limit: newFrameLimit(s.timing.requests)}
	k.nc = &netConn{tooLarge: k.tooLarge, guard: guard{limit: wire.MaxHelloFrame}}
	k.out = outbox{nc: k.nc, spawn: s.spawn, failed: k.writeFailed, hasRoom: k.hasRoom}
	k.host, _, _ = net.SplitHostPort(r.RemoteAddr)
	if !s.strangers.take() {
		s.metrics.hit(boundStrangers)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many connections are waiting to say hello, try again", http.StatusServiceUnavailable)
		s.forgo()
		return
	}
	ws, err := s.upgrader.Upgrade(&hijacker{w, k.nc}, r)
	if err != nil {
		s.strangers.give()
		s.forgo()
		return
	}
	setSocket(ws, k)
	k.hello = time.AfterFunc(s.cfg.HelloWithin, func() {
		k.refuse(wire.RefuseHelloTimeout(), closedStranger)
	})
	// The read loop gets a goroutine of its own: in the handler's it would
	// keep net/http's buffers and the request alive.
	if !s.adopt(k) {
		k.close(wire.CloseRestarting, wire.ReasonRestarting, closedRestart)
	}
	s.spawn(ws.ReadLoop)
}

// events receives what gws reads. Its methods run in the socket's read loop.
type events struct{ gws.BuiltinEventHandler }

// OnMessage handles one frame. Text and binary frames mean the same.
func (events) OnMessage(ws *gws.Conn, m *gws.Message) {
	k := socketOf(ws)
	defer m.Close()
	defer k.recover()
	if k.ended() {
		return
	}
	k.server.handle(k, m.Bytes())
}

// OnPing answers through the outbox, since only it may write.
func (events) OnPing(ws *gws.Conn, payload []byte) {
	k := socketOf(ws)
	if k.limit.allow() {
		k.put(newFrame(opPong, payload))
	}
}

// OnPong records what the peer has received.
func (events) OnPong(ws *gws.Conn, payload []byte) {
	if k := socketOf(ws); k.conn != nil {
		k.conn.ponged(payload)
	}
}

// OnClose ends the socket. err is a [gws.CloseError] if the peer sent a close
// frame.
func (events) OnClose(ws *gws.Conn, err error) {
	k := socketOf(ws)
	defer k.recover()
	_ = k.nc.Close()
	k.out.stop()
	k.hello.Stop()
	k.settle()
	defer k.server.drop(k) // last: a stopping edge waits for it
	k.server.metrics.closed[k.endReason()].Inc()
	if k.conn != nil {
		k.conn.ended(k.clean(err))
	}
}

// clean reports whether the peer said that it is done: close 1000, or a close
// frame without a code. If this side closed first, the peer's answer says
// nothing.
func (k *socket) clean(err error) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	var ce *gws.CloseError
	return k.reason == "" && errors.As(err, &ce) && (ce.Code == 1000 || ce.Code == 1005 || ce.Code == 0)
}

func (k *socket) endReason() closeReason {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reason == "" {
		return closedByPeer
	}
	return k.reason
}

// recover keeps one frame from ending the process. The socket is closed,
// because nobody knows what the frame has left undone.
func (k *socket) recover() {
	if p := recover(); p != nil {
		k.server.log.Error("handler panicked", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
		k.close(1011, "internal", closedPanic)
	}
}

// put queues a frame. A reader too slow for it is closed; what it misses is in
// Redis.
func (k *socket) put(f frame) {
	if errors.Is(k.out.put(f), errSlow) {
		k.server.metrics.hit(boundOutbox)
		k.close(wire.CloseSlowConsumer, wire.ReasonSlowConsumer, closedSlow)
	}
}

// send encodes and queues a message.
func (k *socket) send(m wire.Message) {
	b, err := wire.Encode(m)
	if err != nil {
		k.server.log.Error("encode", "err", err)
		return
	}
	k.put(textFrame(b))
}

// close ends the socket with a close frame, ahead of what waits for it.
func (k *socket) close(code wire.CloseCode, reason string, why closeReason) {
	k.end(code, reason, why, false)
}

// refuse answers a handshake and ends the socket.
func (k *socket) refuse(r *wire.Refusal, why closeReason) {
	k.send(r.Frame())
	k.end(r.Close, r.Reason, why, true)
}

// end closes once: the first reason counts. With flush, everything that waits
// is written before the close frame.
func (k *socket) end(code wire.CloseCode, reason string, why closeReason, flush bool) {
	if k.first(why) {
		k.out.end(closeFrame(uint16(code), reason), flush)
	}
}

// endAfter closes once something is done. Meanwhile nobody else closes, and
// what arrives is not handled any more.
func (k *socket) endAfter(do func(), code wire.CloseCode, reason string, why closeReason) {
	if k.first(why) {
		do()
		k.out.end(closeFrame(uint16(code), reason), true)
	}
}

// first records why the socket ends. It reports false if it was ending already.
func (k *socket) first(why closeReason) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reason != "" {
		return false
	}
	k.reason = why
	return true
}

// cut ends the socket without a word: it would not be heard.
func (k *socket) cut(why closeReason) {
	k.mu.Lock()
	if k.reason == "" {
		k.reason = why
	}
	k.mu.Unlock()
	_ = k.nc.Close()
}

func (k *socket) ended() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reason != ""
}

// tooLarge is called by the read loop when a frame announces too much.
func (k *socket) tooLarge() {
	k.server.metrics.hit(boundFrame)
	k.send(&wire.ErrorFrame{Code: wire.CodeTooLarge, Message: "frame exceeds the limit"})
	k.end(wire.CloseTooBig, wire.ReasonTooLarge, closedTooLarge, true)
}

// writeFailed is called by the outbox's writer. A peer that reads nothing for
// the whole deadline is slow; one whose connection broke has closed.
func (k *socket) writeFailed(err error) {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		if !k.ended() { // else put has counted it
			k.server.metrics.hit(boundOutbox)
		}
		k.cut(closedSlow)
		return
	}
	_ = k.nc.Close()
}

func (k *socket) hasRoom() {
	if c := k.peerConn(); c != nil {
		c.kick()
	}
}

// peerConn is whose socket it is, nil before the handshake.
func (k *socket) peerConn() *conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.peer
}

// settle says that the socket is no stranger any more: it said hello, or it
// has ended.
func (k *socket) settle() {
	k.hello.Stop()
	k.mu.Lock()
	was := k.stranger
	k.stranger = false
	k.mu.Unlock()
	if was {
		k.server.strangers.give()
	}
}

// become makes the socket c's. Larger frames are welcome from now on.
func (k *socket) become(c *conn) {
	k.settle()
	k.nc.guard.limit = wire.MaxFrame
	k.conn = c
	k.mu.Lock()
	k.peer = c
	k.mu.Unlock()
}

// slot is a gws session that holds nothing but its socket: gws's own makes a
// map for each connection.
type slot struct{ k *socket }

func (s *slot) Len() int                     { return 0 }
func (s *slot) Load(string) (any, bool)      { return s.k, s.k != nil }
func (s *slot) Delete(string)                {}
func (s *slot) Store(_ string, v any)        { s.k, _ = v.(*socket) }
func (s *slot) Range(func(string, any) bool) {}

func setSocket(ws *gws.Conn, k *socket) { ws.Session().Store("", k) }

func socketOf(ws *gws.Conn) *socket {
	v, _ := ws.Session().Load("")
	k, _ := v.(*socket)
	return k
}

// newUpgrader configures gws. Compression is off: what a mesh carries is
// sealed and does not shrink. The read buffer is small because a fleet's
// memory is mostly idle sockets.
func newUpgrader(log *slog.Logger) *gws.Upgrader {
	return gws.NewUpgrader(events{}, &gws.ServerOption{
		ReadMaxPayloadSize: wire.MaxFrame,
		ReadBufferSize:     1 << 10,
		ParallelGolimit:    1,
		HandshakeTimeout:   upgradeWithin,
		NewSession:         func() gws.SessionStorage { return new(slot) },
		Logger:             gwsLog{log},
	})
}

// gwsLog is where gws reports what it cannot return.
type gwsLog struct{ log *slog.Logger }

// Error logs at debug level: what reaches gws is the work of peers.
func (l gwsLog) Error(v ...any) {
	l.log.Debug("gws", "err", fmt.Sprint(v...))
}
