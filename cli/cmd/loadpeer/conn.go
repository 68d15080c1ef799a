package main

import (
	"context"
	"net"
	"sync"
)

// A watchedConn records when a connection ends, whoever ends it.
type watchedConn struct {
	net.Conn
	peer *loadPeer
	run  *run
	once sync.Once
}

// dial opens a connection of a run.
func (p *loadPeer) dial(ctx context.Context, r *run, network, addr string) (net.Conn, error) {
	p.write(record{Kind: "dialing", Run: r.number})
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		p.write(record{Kind: "closed", Run: r.number, Err: err.Error()})
		return nil, err
	}
	w := &watchedConn{Conn: c, peer: p, run: r}
	r.mu.Lock()
	r.conns[w] = struct{}{}
	r.mu.Unlock()
	return w, nil
}

// cut ends the connections of a run without a word.
func (r *run) cut() {
	r.mu.Lock()
	conns := r.conns
	r.conns = map[net.Conn]struct{}{}
	r.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}

// Read implements net.Conn.
func (w *watchedConn) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.ended(err)
	}
	return n, err
}

// Close implements net.Conn.
func (w *watchedConn) Close() error {
	w.ended(nil)
	return w.Conn.Close()
}

func (w *watchedConn) ended(err error) {
	w.once.Do(func() {
		w.peer.write(record{Kind: "closed", Run: w.run.number, Err: text(err)})
		w.run.mu.Lock()
		delete(w.run.conns, net.Conn(w))
		w.run.mu.Unlock()
	})
}
