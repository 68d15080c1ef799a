package chaos

import (
	"errors"
	"net"
	"sync"
	"time"
)

// A Link is the network between one edge and Redis. While it is blocked what
// is sent waits, as behind a router that drops every packet: TCP keeps trying.
type Link struct {
	network, target string
	ln              net.Listener
	tasks           sync.WaitGroup

	mu    sync.Mutex // guards the following
	conns map[net.Conn]struct{}
	delay time.Duration
	open  chan struct{} // closed while traffic passes
	over  bool
}

// NewLink listens on the given unix socket and connects what comes to target.
func NewLink(socket, network, target string) (*Link, error) {
	ln, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	l := &Link{network: network, target: target, ln: ln, conns: map[net.Conn]struct{}{}, open: make(chan struct{})}
	close(l.open)
	l.tasks.Go(l.accept)
	return l, nil
}

// URL is what the edge connects to.
func (l *Link) URL() string { return "unix://" + l.ln.Addr().String() }

// Delay lets everything arrive later by d.
func (l *Link) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Block lets nothing through until [Link.Unblock].
func (l *Link) Block() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if isClosed(l.open) {
		l.open = make(chan struct{})
	}
}

// Unblock ends a [Link.Block]. What was on its way arrives.
func (l *Link) Unblock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !isClosed(l.open) {
		close(l.open)
	}
}

// Reset cuts all connections.
func (l *Link) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close()
	}
}

// Close ends the link and waits for its goroutines.
func (l *Link) Close() error {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	err := l.ln.Close()
	l.Unblock()
	l.Reset()
	l.tasks.Wait()
	return err
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (l *Link) accept() {
	for {
		c, err := l.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			l.tasks.Go(func() { l.connect(c) })
		}
	}
}

func (l *Link) connect(c net.Conn) {
	if !l.keep(c) {
		return
	}
	defer l.drop(c)
	l.pass()
	up, err := net.Dial(l.network, l.target)
	if err != nil || !l.keep(up) {
		return
	}
	defer l.drop(up)
	var back sync.WaitGroup
	back.Go(func() { l.carry(c, up); _ = c.Close() })
	l.carry(up, c)
	_ = up.Close()
	back.Wait()
}

// keep remembers a connection, so that it can be cut.
func (l *Link) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		_ = c.Close()
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *Link) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	_ = c.Close()
}

// carry copies from src to dst, piece by piece.
func (l *Link) carry(dst, src net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			l.pass()
			if _, err := dst.Write(buf[:n]); err != nil {
				_ = src.Close()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits for as long as a piece is on its way.
func (l *Link) pass() {
	l.mu.Lock()
	delay, open := l.delay, l.open
	l.mu.Unlock()
	if delay > 0 {
		<-time.After(delay)
	}
	<-open
}
