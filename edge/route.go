package edge

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

const (
	// handleWithin bounds one frame's work: nothing hangs without an answer.
	handleWithin = 8 * time.Second

	// requestsPerSecond and requestBurst bound what one socket may ask. Sends
	// have a limit of their own, and acks of what was pushed to it are work that
	// the peer saves us.
	requestsPerSecond = 50
	requestBurst      = 200

	// bytesPerRequest is how much of a list counts as one more request.
	bytesPerRequest = 32 << 10

	// mostForList is as how many requests the longest list counts: whoever asked
	// for one may go on, and ask for another.
	mostForList = requestBurst / 2

	// hastePause is how long the reading of a socket stops that goes beyond.
	hastePause = 100 * time.Millisecond
)

// frameLimit bounds how fast one socket may ask.
type frameLimit struct{ bucket *rate.Limiter }

func newFrameLimit(perSecond rate.Limit) *frameLimit {
	return &frameLimit{rate.NewLimiter(perSecond, requestBurst)}
}

func (l *frameLimit) allow() bool { return l.bucket.Allow() }

// charge counts a list that was read for a request: those of a mesh whose peers
// say much of themselves have megabytes.
func (l *frameLimit) charge(size int) {
	l.bucket.ReserveN(time.Now(), min(size/bytesPerRequest, mostForList))
}

// handle takes one frame. It runs in the socket's read loop, so that frames
// take effect, and answers leave, in the order in which they came.
func (s *Server) handle(k *socket, data []byte) {
	ctx, cancel := context.WithTimeout(s.base, handleWithin)
	defer cancel()
	if k.conn == nil {
		s.handleStranger(ctx, k, data)
		return
	}
	began := time.Now()
	m, err := wire.Decode(data)
	if err != nil {
		s.metrics.frame(typeUnreadable)
		s.unreadable(ctx, k, err)
		return
	}
	s.metrics.frame(m.FrameType())
	if s.tooHasty(ctx, k, m) {
		return
	}
	s.route(ctx, k.conn, m)
	s.metrics.handling.Observe(time.Since(began).Seconds())
}

// unreadable answers a frame that cannot be acted on. Too many of them slow
// the reading down, like any other haste.
func (s *Server) unreadable(ctx context.Context, k *socket, err error) {
	if !k.limit.allow() {
		s.metrics.hit(boundRequests)
		wait(ctx, hastePause)
	}
	var bad *wire.DecodeError
	if !errors.As(err, &bad) {
		return
	}
	if a := bad.Answer(); a != nil {
		k.send(a)
	}
}

// handleStranger takes a frame of a socket that has not said hello.
func (s *Server) handleStranger(ctx context.Context, k *socket, data []byte) {
	m, err := wire.DecodeHello(data)
	var bad *wire.DecodeError
	switch {
	case errors.As(err, &bad) && bad.Type == wire.TypeResume:
		s.refuseResume(k, wire.RefuseUnreadableResume(err))
		return
	case errors.As(err, &bad) && isHandshake(bad.Type):
		k.refuse(wire.RefuseUnreadable(err), closedRefused)
		return
	case err != nil, !isHandshake(m.FrameType()):
		s.metrics.frame(typeUnreadable)
		if k.limit.allow() {
			k.send(&wire.ErrorFrame{Code: wire.CodeNoHello, Message: "must send hello first"})
		}
		return
	}
	s.metrics.frame(m.FrameType())
	k.hello.Stop()
	if err := s.handshake(ctx, k, m); err != nil {
		r := asRefusal(err)
		if r.Code == wire.CodeResumeRefused {
			s.refuseResume(k, r)
			return
		}
		if r.Code == wire.CodeUnavailable {
			s.log.WarnContext(ctx, "handshake", "err", err)
		}
		k.refuse(r, closedRefused)
	}
}

func isHandshake(t wire.Type) bool {
	return t == wire.TypeHello || t == wire.TypeSessionHello || t == wire.TypeResume
}

// handshake waits for its turn: after a restart elsewhere, thousands of peers
// come at once, and a line is better than a collapse.
func (s *Server) handshake(ctx context.Context, k *socket, m wire.Message) error {
	if err := s.turnstile.Wait(ctx); err != nil {
		s.metrics.hit(boundAdmission)
		return wire.RefuseUnavailable()
	}
	if s.draining.Load() {
		return wire.RefuseUnavailable()
	}
	switch h := m.(type) {
	case *wire.Resume:
		return s.resume(ctx, k, h)
	case *wire.SessionHello:
		return s.sessionHello(ctx, k, h)
	default:
		return s.hello(ctx, k, m.(*wire.Hello))
	}
}

// tooHasty refuses a request beyond the limit and stops reading for a moment.
func (s *Server) tooHasty(ctx context.Context, k *socket, m wire.Message) bool {
	switch m.FrameType() {
	case wire.TypeSend, wire.TypeClientAck, wire.TypeGoodbye:
		return false
	default:
		if k.limit.allow() {
			return false
		}
	}
	s.metrics.hit(boundRequests)
	wait(ctx, hastePause)
	k.send(&wire.ErrorFrame{Code: wire.CodeRateLimited, Message: "too many requests, slow down", ReqID: reqID(m)})
	return true
}

// route hands a frame to its handler. A handler that fails has not answered.
func (s *Server) route(ctx context.Context, c *conn, m wire.Message) {
	var err error
	switch m := m.(type) {
	case *wire.Send:
		c.send(ctx, m)
	case *wire.ClientAck:
		err = c.clientAck(ctx, m)
	case *wire.ListPeers:
		err = c.listPeers(ctx, m)
	case *wire.ListMembers:
		err = c.listMembers(ctx, m)
	case *wire.MessageStatus:
		err = c.messageStatus(ctx, m)
	case *wire.SetStatus:
		err = c.setStatus(ctx, m)
	case *wire.SetSummary:
		err = c.setSummary(ctx, m)
	case *wire.SetStats:
		err = c.setStats(ctx, m)
	case *wire.SetVisible:
		err = c.setVisible(ctx, m)
	case *wire.SetProfile:
		err = c.setProfile(ctx, m)
	case *wire.JoinGroup:
		err = c.joinGroup(ctx, m)
	case *wire.LeaveGroup:
		err = c.leaveGroup(ctx, m)
	case *wire.Sync:
		c.sync(m)
	case *wire.Goodbye:
		c.goodbye()
	case *wire.Hello, *wire.SessionHello, *wire.Resume:
		c.socket.send(&wire.ErrorFrame{
			Code: wire.CodeAlreadySaidHello, Message: "one handshake per socket: open another one", ReqID: reqID(m),
		})
	default:
		err = c.share(ctx, m)
	}
	if err != nil {
		c.refused(ctx, m, err)
	}
}

// refused answers a request that failed. Every failure of Redis is the same to
// a peer: not now.
func (c *conn) refused(ctx context.Context, m wire.Message, err error) {
	if isLost(err) {
		c.lost()
	} else {
		c.log.WarnContext(ctx, "handle frame", "frame", string(m.FrameType()), "err", err)
	}
	c.socket.send(&wire.ErrorFrame{
		Code: wire.CodeUnavailable, Message: "not available just now, try again", ReqID: reqID(m),
	})
}

func isLost(err error) bool { return errors.Is(err, queue.ErrLost) || errors.Is(err, presence.ErrLost) }

// reqID is the _reqId of a request.
func reqID(m wire.Message) wire.ReqID {
	if r, ok := m.(wire.Request); ok {
		return r.RequestID()
	}
	return ""
}

// sync answers once everything that waits now was written.
func (c *conn) sync(m *wire.Sync) {
	if !c.askSync(m.ReqID) {
		c.socket.send(&wire.ErrorFrame{
			Code: wire.CodeRateLimited, Message: "too many sync requests wait for an answer", ReqID: m.ReqID,
		})
	}
}

// goodbye ends the lease, and then the socket: who is told that it is over may
// rely on it. If Redis does not answer, the end of the socket tries again.
func (c *conn) goodbye() {
	c.bye = true
	c.socket.endAfter(func() {
		ctx, cancel := context.WithTimeout(c.server.base, handleWithin)
		defer cancel()
		if err := c.server.presence.Leave(ctx, c.held); err != nil {
			c.log.Debug("leave at once", "err", err)
		}
	}, wire.CloseNormal, wire.ReasonGoodbye, closedGoodbye)
}
