package edgetest

import (
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Resumption is what the peer sends to go on with its attachment, signed now.
func (p *Peer) Resumption() *wire.Resume {
	r := &wire.Resume{Token: p.Ack.ResumeToken, Timestamp: wire.MillisAt(time.Now())}
	p.SignResume(r)
	return r
}

// SignResume signs r as it is, with the key that proves the peer.
func (p *Peer) SignResume(r *wire.Resume) {
	key := p.session
	if key == nil {
		key = p.Member.Key
	}
	r.Sign(p.Member.Mesh.ID, key)
}

// Resume opens the same peer once more in one round trip, at the same edge or
// another.
func (p *Peer) Resume(e *Edge, change ...func(*wire.Resume)) *Peer {
	p.t.Helper()
	r := p.Resumption()
	for _, f := range change {
		f(r)
	}
	p.SignResume(r)
	again := &Peer{Conn: Dial(p.t, e), Member: p.Member, session: p.session, opening: p.opening}
	again.Write(r)
	again.Ack = Next[*wire.HelloAck](again)
	return again
}

// Greet says a whole hello on a connection that was refused a resume.
func (p *Peer) Greet(c *Conn) *Peer {
	p.t.Helper()
	again := &Peer{Conn: c, Member: p.Member, session: p.session, opening: p.opening}
	again.Write(p.Opening())
	again.Ack = Next[*wire.HelloAck](again)
	return again
}
