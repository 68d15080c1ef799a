package e2e

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// A tap stands between clients and an edge. It keeps every byte that passes
// and can lose the connections as a network does: cut, without a close frame.
type tap struct {
	Addr   string
	target string
	ln     net.Listener

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	up    []*lockedBytes // one a connection, as the client sent it
	down  lockedBytes
	wg    sync.WaitGroup
}

type lockedBytes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBytes) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBytes) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// startTap listens on a free loopback port and forwards to target.
func startTap(tb testing.TB, target string) *tap {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	t := &tap{Addr: ln.Addr().String(), target: target, ln: ln, conns: map[net.Conn]struct{}{}}
	t.wg.Go(t.accept)
	tb.Cleanup(func() {
		_ = ln.Close()
		t.cut()
		t.wg.Wait()
	})
	return t
}

func (t *tap) wsURL() string { return "ws://" + t.Addr + "/ws" }

func (t *tap) accept() {
	for {
		client, err := t.ln.Accept()
		if err != nil {
			return
		}
		edge, err := net.Dial("tcp", t.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		record := t.add(client, edge)
		t.wg.Go(func() { t.forward(edge, io.TeeReader(client, record), client) })
		t.wg.Go(func() { t.forward(client, io.TeeReader(edge, &t.down), edge) })
	}
}

func (t *tap) add(client, edge net.Conn) *lockedBytes {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[client], t.conns[edge] = struct{}{}, struct{}{}
	record := &lockedBytes{}
	t.up = append(t.up, record)
	return record
}

func (t *tap) forward(dst net.Conn, src io.Reader, from net.Conn) {
	_, _ = io.Copy(dst, src)
	_, _ = dst.Close(), from.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, dst)
	delete(t.conns, from)
}

// cut drops all connections at once. New ones are accepted.
func (t *tap) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as from a host that lost its state
		}
		_ = c.Close()
	}
}

// seen is everything that passed, with the masks of client frames removed.
func (t *tap) seen() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.down.Bytes()
	for _, up := range t.up {
		out = append(out, unmask(up.Bytes())...)
	}
	return out
}

// unmask gives the HTTP head of a client's stream and the clear payloads of its
// WebSocket frames (RFC 6455, section 5.2). Streams that are plain HTTP come
// back as they are.
func unmask(stream []byte) []byte {
	head, frames, ok := bytes.Cut(stream, []byte("\r\n\r\n"))
	if !ok || !bytes.Contains(bytes.ToLower(head), []byte("upgrade: websocket")) {
		return stream
	}
	out := bytes.Clone(head)
	for len(frames) >= 6 {
		size, at := int(frames[1]&0x7f), 2
		switch {
		case size == 126 && len(frames) >= 8:
			size, at = int(binary.BigEndian.Uint16(frames[2:])), 4
		case size == 127 && len(frames) >= 14:
			size, at = int(binary.BigEndian.Uint64(frames[2:])), 10
		}
		if len(frames) < at+4+size {
			break
		}
		mask, payload := frames[at:at+4], frames[at+4:at+4+size]
		for i, b := range payload {
			out = append(out, b^mask[i%4])
		}
		frames = frames[at+4+size:]
	}
	return out
}
