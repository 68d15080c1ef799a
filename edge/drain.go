package edge

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// calmStep is the longest time between two peers that are sent away: coming
// more slowly relieves nobody, and a small edge need not take long to stop.
const calmStep = 50 * time.Millisecond

// evacuate sends peers elsewhere. Each is told at once when to come back, and
// is served until then; the moments are spread over three quarters of the
// time, so that the other edges get a stream and the last closes are answered
// in what is left. Leases are detached, never ended: nobody sees a departure.
func (s *Server) evacuate(ctx context.Context, peers []*conn, within time.Duration, why closeReason) {
	if len(peers) == 0 {
		return
	}
	step := min(within*3/4/time.Duration(len(peers)), calmStep)
	for i, c := range peers {
		c.socket.send(&wire.Restarting{ReconnectAfterMs: (step * time.Duration(i)).Milliseconds()})
	}
	began := time.Now()
	for i, c := range peers {
		if ahead := time.Until(began.Add(step * time.Duration(i))); ahead > 0 {
			wait(ctx, ahead)
		}
		c.socket.end(wire.CloseRestarting, wire.ReasonRestarting, why, true)
	}
}

// drain empties this edge. When it returns, no socket is left.
func (s *Server) drain(ctx context.Context) {
	s.stopAdmitting()
	s.commons.EndStreams()
	for _, k := range s.strangersHere() {
		k.close(wire.CloseRestarting, wire.ReasonRestarting, closedRestart)
	}
	peers := s.peers()
	s.log.InfoContext(ctx, "draining", "sockets", len(peers), "within", s.cfg.DrainWithin)
	ctx, cancel := context.WithTimeout(ctx, s.cfg.DrainWithin)
	defer cancel()
	emptied := s.emptied()
	s.spawn(func() {
		select {
		case <-emptied:
			cancel() // nobody is left to wait for
		case <-ctx.Done():
		}
	})
	s.evacuate(ctx, peers, s.cfg.DrainWithin, closedRestart)
	select {
	case <-emptied:
	case <-ctx.Done():
		for _, k := range s.socketsHere() {
			k.cut(closedRestart)
		}
		<-emptied // a cut socket ends as soon as its read loop sees it
	}
}
