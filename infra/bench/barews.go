package bench

import (
	"context"
	"crypto/ed25519"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/lxzan/gws"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

//go:embed lua/least_attach.lua
var leastAttachLua string

var leastAttach = redis.NewScript(leastAttachLua)

// A bareServer is what gws and go-redis do without us. A message that begins
// with "*" goes to all sockets. Any other is "KEY SIGNATURE": the signature of
// KEY by that key; it is verified, one script is run, and "ok" is the answer.
type bareServer struct {
	gws.BuiltinEventHandler
	attach func(key string) error

	mu      sync.Mutex
	sockets map[*gws.Conn]struct{}
}

// ServeBare runs the bare program until ctx is done. It is what a bench starts
// as its other process.
func ServeBare(ctx context.Context, addr, redisURL string) error {
	c, err := redis.Open(ctx, redis.Options{URL: redisURL})
	if err != nil {
		return err
	}
	defer c.Close()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	record := strings.Repeat("r", letters)
	s := &bareServer{sockets: map[*gws.Conn]struct{}{}, attach: func(key string) error {
		return c.Run(ctx, leastAttach, []string{"lease:{p1}:" + key, "roster:{p1}", "due:{p1}"}, key, record).Err()
	}}
	upgrader := gws.NewUpgrader(s, &gws.ServerOption{ReadBufferSize: 1 << 10, ReadMaxPayloadSize: wire.MaxFrame})
	h := &http.Server{ReadHeaderTimeout: startWithin, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := upgrader.Upgrade(w, r); err == nil {
			go ws.ReadLoop()
		}
	})}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() })
	defer stop()
	if err := h.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// OnOpen implements gws.Event.
func (s *bareServer) OnOpen(ws *gws.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets[ws] = struct{}{}
}

// OnClose implements gws.Event.
func (s *bareServer) OnClose(ws *gws.Conn, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, ws)
}

// OnMessage implements gws.Event.
func (s *bareServer) OnMessage(ws *gws.Conn, m *gws.Message) {
	defer m.Close()
	if text := m.Bytes(); len(text) > 0 && text[0] == '*' {
		s.broadcast(text)
		return
	}
	if s.admit(string(m.Bytes())) {
		_ = ws.WriteString("ok") // who has gone needs no answer
	}
}

func (s *bareServer) broadcast(text []byte) {
	b := gws.NewBroadcaster(gws.OpcodeText, text)
	defer b.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ws := range s.sockets {
		_ = b.Broadcast(ws)
	}
}

func (s *bareServer) admit(text string) bool {
	key, signature, _ := strings.Cut(text, " ")
	pub, err := hex.DecodeString(key)
	sig, wrong := hex.DecodeString(signature)
	if errors.Join(err, wrong) != nil || len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, []byte(key), sig) {
		return false
	}
	return s.attach(key) == nil
}

// startBare starts the bare program on the fleet's Redis.
func (f *fleet) startBare(ctx context.Context, env ...string) (*edge, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(f.bench.Bin, "bench"), "-bare", addr, "-redis", f.url)
	cmd.Env = append(cmd.Environ(), env...)
	p, err := f.bench.start(cmd)
	if err != nil {
		return nil, err
	}
	e := &edge{process: p, addr: addr}
	f.bare = append(f.bare, e)
	return e, p.ready(ctx, addr)
}
