package peer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/lxzan/gws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testMesh = "MESH0123456789abcdefABCDEFxyzXYZ"
	patience = time.Minute
)

// fake is a broker that does nothing of its own: the test plays it.
type fake struct {
	url   string
	conns chan *fakeConn
}

// fakeConn is the broker's end of one connection.
type fakeConn struct {
	gws.BuiltinEventHandler
	t      *testing.T
	socket *gws.Conn
	in     chan wire.Message
	closed chan struct{}
	deaf   chan struct{} // closed to answer no more pings
	ponged chan struct{} // the client has answered a ping
}

func (f *fakeConn) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	frame, err := wire.Decode(m.Bytes())
	if err != nil {
		f.t.Errorf("client sent %s: %v", m.Bytes(), err)
		return
	}
	f.in <- frame
}

func (f *fakeConn) OnPing(s *gws.Conn, _ []byte) {
	select {
	case <-f.deaf:
	default:
		_ = s.WritePong(nil)
	}
}

func (f *fakeConn) OnPong(*gws.Conn, []byte) {
	select {
	case f.ponged <- struct{}{}:
	default:
	}
}

func (f *fakeConn) OnClose(*gws.Conn, error) { close(f.closed) }

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{conns: make(chan *fakeConn, 16)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fc := &fakeConn{
			t: t, in: make(chan wire.Message, 1024), closed: make(chan struct{}), deaf: make(chan struct{}), ponged: make(chan struct{}, 1),
		}
		socket, err := gws.NewUpgrader(fc, nil).Upgrade(w, r)
		if err != nil {
			return
		}
		fc.socket = socket
		f.conns <- fc
		socket.ReadLoop()
	}))
	t.Cleanup(s.Close)
	f.url = "ws" + strings.TrimPrefix(s.URL, "http") + wire.Path
	return f
}

// accept returns the next connection.
func (f *fake) accept(t *testing.T) *fakeConn {
	t.Helper()
	select {
	case c := <-f.conns:
		return c
	case <-time.After(patience):
		t.Fatal("no connection")
		return nil
	}
}

// greet accepts the next connection and its hello, whatever its kind.
func (f *fake) greet(t *testing.T, ack wire.HelloAck) (*fakeConn, wire.Message) {
	t.Helper()
	c := f.accept(t)
	hello := c.next(t)
	c.say(&ack)
	return c, hello
}

func (f *fakeConn) say(m wire.Message) {
	f.t.Helper()
	frame, err := wire.Encode(m)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.socket.WriteMessage(gws.OpcodeText, frame); err != nil && !errors.Is(err, gws.ErrConnClosed) {
		f.t.Logf("fake broker: %v", err)
	}
}

func (f *fakeConn) next(t *testing.T) wire.Message {
	t.Helper()
	select {
	case m := <-f.in:
		return m
	case <-time.After(patience):
		t.Fatal("client sends nothing")
		return nil
	}
}

// expect returns the next frame, which must be an M.
func expect[M wire.Message](t *testing.T, f *fakeConn) M {
	t.Helper()
	m := f.next(t)
	got, ok := m.(M)
	if !ok {
		t.Fatalf("client sent %T: %+v", m, m)
	}
	return got
}

func (f *fakeConn) gone(t *testing.T) {
	t.Helper()
	select {
	case <-f.closed:
	case <-time.After(patience):
		t.Fatal("client does not close")
	}
}

// one is a running client and what it hands over.
type one struct {
	*Client
	got    chan Delivery
	ended  chan error
	cancel context.CancelCauseFunc
}

var quick = timing{
	dial: patience, hello: patience, request: patience, relayed: patience, ack: patience, write: patience,
	ping: 20 * time.Millisecond, silence: patience, backoff: time.Millisecond, backoffTo: 5 * time.Millisecond,
	steady: time.Hour, farewell: 50 * time.Millisecond,
}

func newKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

var (
	ourMember, ourSession = newKey(1), newKey(2)
	theirKey              = newKey(3)
	theirMember           = newKey(4)
	root                  = seal.Key{42}
)

func pub(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// start runs a session client against f. Change may adapt it first.
func start(t *testing.T, f *fake, change func(*Client)) *one {
	t.Helper()
	o := &one{got: make(chan Delivery, 1024), ended: make(chan error, 1)}
	o.Client = New(Options{
		URL: f.url, MeshID: testMesh, MemberID: "member", Member: ourMember, Session: ourSession, Root: &root,
		About: wire.About{SessionID: "s", Cwd: "/x", PID: 1},
		Handle: func(_ context.Context, d Delivery) error {
			o.got <- d
			return nil
		},
	})
	o.t = quick
	if change != nil {
		change(o.Client)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	o.cancel = cancel
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.ended <- o.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel(nil)
		<-done
	})
	return o
}

func (o *one) delivery(t *testing.T) Delivery {
	t.Helper()
	select {
	case d := <-o.got:
		return d
	case <-time.After(patience):
		t.Fatal("nothing is handed over")
		return Delivery{}
	}
}

// end returns what Run returned.
func (o *one) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-o.ended:
		return err
	case <-time.After(patience):
		t.Fatal("client does not stop")
		return nil
	}
}

// sent runs a send in the background.
func (o *one) send(m Message) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := o.Send(context.Background(), m)
		done <- err
	}()
	return done
}

func result(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("no result")
		return nil
	}
}

// direct is a push of a message to us.
func direct(t testing.TB, to ed25519.PrivateKey, id, text string) *wire.Push {
	t.Helper()
	b, err := seal.Direct(theirKey, pub(to), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &wire.Push{
		MessageID: "d-" + id, MeshID: testMesh, SenderPubkey: wire.PublicKey(theirKey),
		SenderMemberPubkey: wire.PublicKey(theirMember), SenderName: "Bob", TargetSpec: wire.PublicKey(to),
		Priority: wire.LaneNext, Nonce: b.Nonce, Ciphertext: b.Ciphertext, ClientMessageID: id,
		CreatedAt: wire.At(time.UnixMilli(1767225600000)),
	}
}

// group is a push of a message to several.
func group(t testing.TB, target, id, text string) *wire.Push {
	t.Helper()
	b, err := seal.ForGroup(seal.Group{Mesh: testMesh, Target: target, Root: &root}, theirKey,
		seal.GroupMessage{ID: id, Time: time.UnixMilli(1767225600000), Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return &wire.Push{
		MessageID: "j-" + id, MeshID: testMesh, SenderPubkey: wire.PublicKey(theirKey),
		SenderMemberPubkey: wire.PublicKey(theirMember), SenderName: "Bob", TargetSpec: target,
		Nonce: b.Nonce, Ciphertext: b.Ciphertext, ClientMessageID: id, Cursor: "EPOCH000/7/j-" + id,
	}
}
