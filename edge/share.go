package edge

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/edge/commons"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// fleetJobWord begins what edges tell each other of jobs that are due soon.
const fleetJobWord = "job"

// newCommons makes this edge's share of what meshes share.
func (s *Server) newCommons() *commons.Commons {
	watch, _ := parseNetworks(s.cfg.WatchAllow) // checked with the rest of the configuration
	return commons.New(commons.Options{
		Redis: s.redis, Presence: s.presence, Queue: s.queue, Registry: s.registry,
		PublicURL: s.cfg.PublicURL, Rank: s.watcher.Rank, Log: s.log,
		Listen: s.listen, Watch: commons.WatchOptions{Allow: watch},
		Tell: func(ctx context.Context, message string) error {
			return s.bus.say(ctx, fleetBell, fleetJobWord+fieldSep+message)
		},
	})
}

// share answers a request of the families beyond messages.
func (c *conn) share(ctx context.Context, m wire.Message) error {
	reply, _, err := c.server.commons.Handle(ctx, c.asker(), m)
	if err != nil {
		return err
	}
	if reply != nil {
		c.socket.send(reply)
	}
	return nil
}

// asker is this peer as the commons see it.
func (c *conn) asker() *commons.Caller {
	r := c.copyRecord()
	return &commons.Caller{
		Peer: c.peer, Generation: c.held.Generation, Lease: c.lease(), Key: c.key, Hello: c.kind != presence.KindSession, OneShot: c.about.Transient || c.kind == presence.KindClaim,
		Member: c.member, Name: r.DisplayName, Groups: r.Groups, Reply: c.socket.send,
	}
}

// arrived lets a peer that was not here before have what its member left
// behind. It need not wait for that.
func (s *Server) arrived(c *conn, outcome presence.Outcome) {
	who := c.asker()
	if outcome != presence.Joined || !who.Hello || who.OneShot {
		return
	}
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		if err := s.commons.Arrived(ctx, who); err != nil && !isLost(err) {
			c.log.WarnContext(ctx, "bring back what the member hosted", "err", err)
		}
	})
}

// heardFrame hands a frame from elsewhere to the peer that it is for, or says
// that this peer is away.
func (f *feed) heardFrame(rest string) {
	peer, rest, _ := strings.Cut(rest, fieldSep)
	ref, text, _ := strings.Cut(rest, fieldSep)
	if c := f.holder(peer); c != nil {
		c.socket.put(textFrame([]byte(text)))
		return
	}
	if ref == "" {
		return
	}
	s := f.server
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.base, handleWithin)
		defer cancel()
		if err := s.commons.Missed(ctx, f.mesh, ref); err != nil {
			s.log.WarnContext(ctx, "tell of a peer that is away", "mesh", f.mesh, "err", err)
		}
	})
}
