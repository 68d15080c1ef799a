package edge

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
)

// resumeOutcome is what became of a resume.
type resumeOutcome string

const (
	resumeTaken   resumeOutcome = "resumed"
	resumePassed  resumeOutcome = "passed"  // there was a newer attachment, or the peer has left
	resumeForeign resumeOutcome = "foreign" // no key in use has made the token
	resumeRefused resumeOutcome = "refused" // the peer may not come in, or did not prove its key
)

// resume handles the handshake of a peer that goes on with an attachment. It
// saves the attestation and all reads of the registry: what the edge has to
// know is in the token or comes with the answer of the attach script, which
// still checks ban, membership, generation and lease. Where the mesh is open on
// this edge, that script is the only thing Redis is asked before the answer.
func (s *Server) resume(ctx context.Context, k *socket, h *wire.Resume) error {
	outcome, err := s.tryResume(ctx, k, h)
	s.metrics.resumes[outcome].Inc()
	return err
}

func (s *Server) tryResume(ctx context.Context, k *socket, h *wire.Resume) (resumeOutcome, error) {
	if r := h.CheckToken(); r != nil {
		return resumeForeign, r
	}
	t, ok := s.tokens.open(h.Token)
	if !ok {
		return resumeForeign, wire.RefuseResume("the token is none of this fleet's")
	}
	if r := h.Verify(t.mesh, t.signer(), time.Now()); r != nil {
		return resumeRefused, r
	}
	if r := h.CheckFields(); r != nil {
		return resumeRefused, r
	}
	a := &admission{
		kind: t.kind, mesh: t.mesh, key: t.member, session: t.session, peer: t.peer, resumes: true,
		member: registry.Member{Key: t.member},
		about:  wire.About{PID: t.pid, WhileWorking: t.whileWorking, Cursor: h.Cursor},
	}
	return s.goOn(ctx, k, a, &t)
}

// goOn is admit for an attachment that goes on.
func (s *Server) goOn(ctx context.Context, k *socket, a *admission, t *resumeToken) (resumeOutcome, error) {
	f, err := s.hub.open(ctx, a.mesh)
	if err != nil {
		return resumeRefused, err
	}
	s.arrivals.begin(a)
	defer s.arrivals.end(a)
	c := s.newConn(k, f, a)
	c.boundAt.set(t.bound)
	got, err := s.presence.Resume(ctx, presence.Resumption{
		Held: presence.Held{
			Peer: c.peer, Generation: t.generation, Edge: s.id, Conn: wire.NewID(wire.ShortID),
		},
		Member: t.member, Key: c.key, Kind: a.kind, Cursor: a.about.Cursor,
	})
	if err != nil {
		s.hub.close(f)
		if errors.Is(err, presence.ErrPassed) {
			return resumePassed, wire.RefuseResume("the attachment is over")
		}
		return resumeRefused, s.resumeRefusal(ctx, err, a)
	}
	if err := c.recall(&got, a); err != nil {
		s.hub.close(f)
		// The lease is ours by now. Nobody will renew it.
		return resumeRefused, errors.Join(err, s.presence.Detach(ctx, got.Held, ""))
	}
	return resumeTaken, s.enter(ctx, c, a, &got.Attached)
}

// resumeRefusal is what a peer is told that may not come in. A refusal to the
// banned names the mesh, which nobody has read yet.
func (s *Server) resumeRefusal(ctx context.Context, err error, a *admission) error {
	if errors.Is(err, presence.ErrBanned) {
		m, err := s.registry.Mesh(ctx, a.mesh)
		if err != nil {
			return err
		}
		a.meshInfo = m
	}
	return refusalOf(s.orLost(ctx, err, a.mesh), a, wire.RefuseUnauthorized)
}

// recall takes over what a handshake would have said of the peer from its
// record and from the registry's word.
func (c *conn) recall(got *presence.Continued, a *admission) error {
	r, err := decodeRecord(got.Stored.Record)
	if err != nil {
		return err
	}
	if a.meshInfo, a.member, a.grants, err = registry.Excerpt(got.Registry).Decode(a.mesh, a.key); err != nil {
		return err
	}
	r.ConnectedAt = wire.At(got.Stored.ConnectedAt)
	a.about.Transient = got.Stored.Transient
	a.about.SessionID, a.about.Hostname, a.about.Cwd = r.SessionID, r.Hostname, r.Cwd
	c.member, c.about = a.member, a.about
	c.setRecord(r)
	return nil
}

// refuseResume answers a resume whose token does not serve. The socket waits
// for a whole handshake, as long as a stranger may.
func (s *Server) refuseResume(k *socket, r *wire.Refusal) {
	if k.resumed {
		k.refuse(r, closedRefused) // it was told to say hello
		return
	}
	k.resumed = true
	k.send(r.Frame())
	k.hello.Reset(s.cfg.HelloWithin)
}

// resumeToken is what the peer may come back with after its next loss. One that
// leaves with its socket has nothing to come back to.
func (c *conn) resumeToken(a *admission) string {
	if c.about.Transient {
		return ""
	}
	token, err := c.server.tokens.seal(&resumeToken{
		kind: c.kind, mesh: c.peer.Mesh, member: c.member.Key, session: a.session, peer: c.peer.ID,
		generation: c.held.Generation, pid: c.about.PID, whileWorking: c.about.WhileWorking, bound: c.boundAt.get(),
	})
	if err != nil {
		c.log.Error("make resume token", "err", err)
	}
	return token
}
