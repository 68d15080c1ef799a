package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa

	// answerWithin is how long an edge may take, on a machine as busy as one
	// that is measured.
	answerWithin = 30 * time.Second

	// comingAtOnce is how many peers shake hands at the same time.
	comingAtOnce = 32

	// readBuffer holds some messages, so that reading costs this process little.
	readBuffer = 4 << 10
)

// A link is a WebSocket that does no more than it must.
type link struct {
	nc      net.Conn
	in      *bufio.Reader
	payload []byte // of the last frame

	mu  sync.Mutex // one frame at a time
	out []byte
}

// dial opens a WebSocket.
func dial(ctx context.Context, addr string) (*link, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	_ = nc.SetDeadline(time.Now().Add(answerWithin))
	_, err = fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", wire.Path, addr)
	in := bufio.NewReaderSize(nc, readBuffer)
	if err == nil {
		var resp *http.Response
		if resp, err = http.ReadResponse(in, nil); err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = errors.New(resp.Status)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bench: upgrade: %w", err), nc.Close())
	}
	_ = nc.SetDeadline(time.Time{})
	return &link{nc: nc, in: in}, nil
}

// write sends one masked frame; a mask of zeros changes nothing.
func (l *link) write(op byte, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out[:0], 0x80|op)
	if n := len(payload); n < 126 {
		l.out = append(l.out, 0x80|byte(n))
	} else {
		l.out = binary.BigEndian.AppendUint16(append(l.out, 0x80|126), uint16(n))
	}
	l.out = append(append(l.out, 0, 0, 0, 0), payload...)
	_, err := l.nc.Write(l.out)
	return err
}

// read returns the next message; it is valid until the next read. Pings are
// answered.
func (l *link) read() ([]byte, error) {
	for {
		op, err := l.readFrame()
		switch {
		case err != nil:
			return nil, err
		case op == opPing:
			if err := l.write(opPong, l.payload); err != nil {
				return nil, err
			}
		case op == opClose:
			return nil, io.EOF
		case op == opText:
			return l.payload, nil
		}
	}
}

func (l *link) readFrame() (op byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(l.in, head[:2]); err != nil {
		return 0, err
	}
	size := int(head[1])
	switch size {
	case 126:
		if _, err := io.ReadFull(l.in, head[2:4]); err != nil {
			return 0, err
		}
		size = int(binary.BigEndian.Uint16(head[2:]))
	case 127:
		if _, err := io.ReadFull(l.in, head[2:10]); err != nil {
			return 0, err
		}
		size = int(binary.BigEndian.Uint64(head[2:]))
	}
	if cap(l.payload) < size {
		l.payload = make([]byte, size)
	}
	l.payload = l.payload[:size]
	_, err = io.ReadFull(l.in, l.payload)
	return head[0] & 0x0f, err
}

// cut ends the connection as a dead network does.
func (l *link) cut() {
	if tcp, ok := l.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = l.nc.Close()
}

// A peer is a session that an edge has let in.
type peer struct {
	*link
	member  *member
	session ed25519.PrivateKey
	key     string // by which others write to it
	token   string // to resume with
}

// come opens a session at an edge by a whole handshake.
func (m *member) come(ctx context.Context, addr string) (*peer, error) {
	session := newKey()
	p := &peer{member: m, session: session, key: wire.PublicKey(session)}
	return p, p.again(ctx, addr)
}

// again opens the same session once more, by a whole handshake.
func (p *peer) again(ctx context.Context, addr string) error {
	return p.open(ctx, addr, p.member.hello(p.session))
}

// resume opens the same session once more, by its token.
func (p *peer) resume(ctx context.Context, addr string) error {
	r := &wire.Resume{Token: p.token, Timestamp: wire.MillisAt(time.Now())}
	r.Sign(p.member.mesh.id, p.session)
	return p.open(ctx, addr, r)
}

var greeting = []byte(`{"type":"hello_ack"`)

func (p *peer) open(ctx context.Context, addr string, opening wire.Message) (err error) {
	text, err := wire.Encode(opening)
	if err != nil {
		return err
	}
	if p.link, err = dial(ctx, addr); err != nil {
		return err
	}
	_ = p.nc.SetDeadline(time.Now().Add(answerWithin))
	if err := p.write(opText, text); err != nil {
		return err
	}
	answer, err := p.read()
	if err != nil {
		return fmt.Errorf("bench: hello: %w", err)
	}
	if !bytes.HasPrefix(answer, greeting) {
		return fmt.Errorf("bench: hello: %s", answer)
	}
	m, err := wire.DecodeFromEdge(answer)
	if ack, ok := m.(*wire.HelloAck); ok {
		p.token = ack.ResumeToken
	}
	_ = p.nc.SetDeadline(time.Time{})
	return err
}

// listen calls on with every message until the connection ends.
func (p *peer) listen(on func(message []byte)) {
	for {
		m, err := p.read()
		if err != nil {
			return
		}
		on(m)
	}
}

// arrive opens a session of each member. addr says where the i-th goes.
func arrive(ctx context.Context, members []*member, addr func(i int) string) ([]*peer, error) {
	peers := make([]*peer, len(members))
	err := each(ctx, len(members), func(ctx context.Context, i int) (err error) {
		peers[i], err = members[i].come(ctx, addr(i))
		return err
	})
	return peers, err
}

// each calls do for 0 to n-1, some at a time.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(comingAtOnce)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

func at(e *edge) func(int) string { return func(int) string { return e.addr } }

// part cuts all connections.
func part(peers []*peer) {
	for _, p := range peers {
		if p != nil && p.link != nil {
			p.cut()
		}
	}
}
