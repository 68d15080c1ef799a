package edgetest

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// Peer is a connection that has said hello.
type Peer struct {
	*Conn
	Member *Member
	Ack    *wire.HelloAck

	session ed25519.PrivateKey // nil for a member connection
	opening wire.Message
}

// Session opens a session of the member of that name.
func (m *Mesh) Session(e *Edge, name string) *Peer {
	m.t.Helper()
	return m.Member(name).Session(e)
}

// Session opens a session of the member, with a key of its own.
func (m *Member) Session(e *Edge, change ...func(*wire.SessionHello)) *Peer {
	m.Mesh.t.Helper()
	session := NewKey(m.Mesh.t)
	h := m.SessionHello(session)
	for _, f := range change {
		f(h)
	}
	h.Sign(session)
	return open(e, m, session, h)
}

// Control opens a member connection.
func (m *Member) Control(e *Edge, change ...func(*wire.Hello)) *Peer {
	m.Mesh.t.Helper()
	h := m.Hello()
	for _, f := range change {
		f(h)
	}
	h.Sign(m.Key)
	return open(e, m, nil, h)
}

func open(e *Edge, m *Member, session ed25519.PrivateKey, hello wire.Message) *Peer {
	m.Mesh.t.Helper()
	p := &Peer{Conn: Dial(m.Mesh.t, e), Member: m, session: session, opening: hello}
	p.Write(hello)
	p.Ack = Next[*wire.HelloAck](p)
	return p
}

// Again opens the same peer once more, at the same edge or another.
func (p *Peer) Again(e *Edge) *Peer {
	p.t.Helper()
	return open(e, p.Member, p.session, p.Opening())
}

// Return opens the same peer once more, as often as it takes to be let in.
func (p *Peer) Return(e *Edge) (again *Peer) {
	p.t.Helper()
	Eventually(p.t, func() error {
		c := Dial(p.t, e)
		c.Write(p.Opening())
		switch first := Next[wire.Message](c).(type) {
		case *wire.HelloAck:
			again = &Peer{Conn: c, Member: p.Member, Ack: first, session: p.session, opening: p.opening}
			return nil
		case *wire.ErrorFrame:
			return fmt.Errorf("%s: %s", first.Code, first.Message)
		default:
			return fmt.Errorf("%T before any answer", first)
		}
	})
	return again
}

// Over reports whether the connection has ended.
func (c *Conn) Over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// Opening is the peer's handshake, signed now.
func (p *Peer) Opening() wire.Message {
	now := wire.MillisAt(time.Now())
	switch h := p.opening.(type) {
	case *wire.SessionHello:
		again := *h
		again.Timestamp = now
		again.Sign(p.session)
		return &again
	case *wire.Hello:
		again := *h
		again.Timestamp = now
		again.Sign(p.Member.Key)
		return &again
	}
	panic("edgetest: no handshake")
}

// Key is what others see and write to.
func (p *Peer) Key() string {
	if p.session != nil {
		return wire.PublicKey(p.session)
	}
	if h, ok := p.opening.(*wire.Hello); ok && h.SessionPubkey != "" {
		return h.SessionPubkey
	}
	return p.Member.Pub()
}

// SessionKey signs for the peer's session.
func (p *Peer) SessionKey() ed25519.PrivateKey { return p.session }

// Message sends text and waits for the ack.
func (p *Peer) Message(target, text string, change ...func(*wire.Send)) *wire.Ack {
	p.t.Helper()
	return p.AwaitAck(p.Post(target, text, change...))
}

// Post sends text and returns the id under which its ack will come.
func (p *Peer) Post(target, text string, change ...func(*wire.Send)) string {
	p.t.Helper()
	m := &wire.Send{
		ID: wire.NewID(wire.ShortID), ClientMessageID: wire.NewID(wire.LongID), TargetSpec: target,
		Ciphertext: base64.StdEncoding.EncodeToString([]byte(text)),
	}
	for _, f := range change {
		f(m)
	}
	p.Write(m)
	return m.ID
}

// AwaitAck waits for the ack of a send.
func (p *Peer) AwaitAck(id string) *wire.Ack {
	p.t.Helper()
	return NextIf(p, func(a *wire.Ack) bool { return a.ID == id })
}

// Send is Message for what must be accepted. It returns the message's id.
func (p *Peer) Send(target, text string, change ...func(*wire.Send)) string {
	p.t.Helper()
	ack := p.Message(target, text, change...)
	if !ack.Queued || ack.Error != "" || ack.MessageID == "" {
		p.t.Fatalf("send was refused: %+v", *ack)
	}
	return ack.MessageID
}

// Text is what a push carries, for messages of [Peer.Post].
func Text(m *wire.Push) string {
	b, err := base64.StdEncoding.DecodeString(m.Ciphertext)
	if err != nil {
		return m.Ciphertext
	}
	return string(b)
}

// Receive waits for the next message, whatever events come in between, and
// acks it.
func (p *Peer) Receive() *wire.Push {
	p.t.Helper()
	m := p.Peek()
	p.AckMessage(m)
	return m
}

// Peek waits for the next message and does not ack it.
func (p *Peer) Peek() *wire.Push {
	p.t.Helper()
	return NextIf(p, func(m *wire.Push) bool { return !m.IsEvent() })
}

// AckMessage acks a push as the reference daemon does.
func (p *Peer) AckMessage(m *wire.Push) {
	id := m.ClientMessageID
	if id == "" {
		id = m.MessageID
	}
	p.Write(&wire.ClientAck{ClientMessageID: id, BrokerMessageID: m.MessageID})
}

// Event waits for the next presence event.
func (p *Peer) Event(event wire.Event) *wire.Push {
	p.t.Helper()
	return NextIf(p, func(m *wire.Push) bool { return m.Event == event })
}

// Settle waits until everything that is for this peer now was written to it,
// and until the edge has handled everything that the peer has sent.
func (p *Peer) Settle() {
	p.t.Helper()
	id := wire.ReqID(wire.NewID(wire.ShortID))
	p.Write(&wire.Sync{ReqID: id})
	NextIf(p, func(m *wire.Synced) bool { return m.ReqID == id })
}

// Pushes settles, and returns and forgets all pushes that have come.
func (p *Peer) Pushes() []*wire.Push {
	p.t.Helper()
	p.Settle()
	var out []*wire.Push
	for _, m := range p.Frames() {
		if push, ok := m.(*wire.Push); ok {
			out = append(out, push)
		}
	}
	return out
}

// ExpectNothing settles and fails if a push has come.
func (p *Peer) ExpectNothing() {
	p.t.Helper()
	for _, m := range p.Pushes() {
		p.t.Errorf("unexpected push: event %q, message %q", m.Event, Text(m))
	}
}

// List asks who is here.
func (p *Peer) List() []wire.PeerInfo {
	p.t.Helper()
	id := wire.ReqID(wire.NewID(wire.ShortID))
	p.Write(&wire.ListPeers{ReqID: id})
	return NextIf(p, func(m *wire.PeersList) bool { return m.ReqID == id }).Peers
}

// ExpectNoMessage is ExpectNothing for who may see events.
func (p *Peer) ExpectNoMessage() {
	p.t.Helper()
	for _, m := range p.Pushes() {
		if !m.IsEvent() {
			p.t.Errorf("unexpected message %q", Text(m))
		}
	}
}
