package peer

import (
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/lxzan/gws"
)

// OnClose implements gws.Event.
func (n *conn) OnClose(_ *gws.Conn, err error) {
	n.cause = err
	close(n.closed)
}

// OnPing implements gws.Event.
func (n *conn) OnPing(_ *gws.Conn, payload []byte) {
	n.touch()
	_ = n.socket.SetWriteDeadline(time.Now().Add(n.c.t.write))
	_ = n.socket.WritePong(payload)
}

// OnPong implements gws.Event.
func (n *conn) OnPong(*gws.Conn, []byte) { n.touch() }

// OnMessage implements gws.Event.
func (n *conn) OnMessage(_ *gws.Conn, message *gws.Message) {
	defer message.Close()
	n.touch()
	defer n.touch()
	frame, err := wire.DecodeFromEdge(message.Bytes())
	if err != nil {
		n.c.log.Debug("frame ignored", "err", err)
		return
	}
	if n.c.o.Tap != nil {
		n.c.o.Tap(frame)
	}
	n.receive(frame)
}

// receive sorts frames. It must not wait for anything but the handler.
func (n *conn) receive(frame wire.Message) {
	switch m := frame.(type) {
	case *wire.Push:
		n.queue(m)
	case *wire.Synced:
		n.queue(m) // keeps its place behind the pushes
	case *wire.HelloAck:
		n.queue(m) // its cursor has a place too
		n.greeted = true
		select {
		case n.hellos <- m:
		default:
		}
	case *wire.Ack:
		n.c.acked(m)
	case *wire.Restarting:
		select {
		case n.moved <- time.Duration(max(0, m.ReconnectAfterMs)) * time.Millisecond:
		default:
		}
	case *wire.ErrorFrame:
		n.receiveError(m)
	case wire.Reply:
		n.c.answer(m.InReplyTo(), m)
	default:
		if n.c.o.Frame != nil {
			n.queue(m) // told to others in the order in which it was said
		}
	}
}

// receiveError takes an error as the answer to its request; one without a
// request refuses the handshake, if none was accepted yet.
func (n *conn) receiveError(m *wire.ErrorFrame) {
	if m.ReqID != "" && n.c.answer(m.ReqID, m) {
		return
	}
	if !n.greeted && refusesResume(m) {
		select {
		case n.anew <- struct{}{}:
		default:
		}
		return
	}
	n.c.log.Warn("broker reports an error", "code", m.Code, "message", m.Message)
	if !n.greeted {
		n.refusal = m
	}
}

// queue hands a frame to the deliver loop, waiting for room.
func (n *conn) queue(frame wire.Message) {
	n.blocked.Store(true)
	n.frames <- frame
	n.touch() // first, or the wait just over would count as silence
	n.blocked.Store(false)
}

func (n *conn) touch() { n.heard.Store(int64(time.Since(n.start))) }

// silentFor is how long the broker has said nothing. While the handler is
// behind we do not listen, so silence says nothing.
func (n *conn) silentFor() time.Duration {
	if n.blocked.Load() {
		return 0
	}
	return time.Since(n.start) - time.Duration(n.heard.Load())
}
