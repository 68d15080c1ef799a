package edge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// proxySignature begins a header of the PROXY protocol, version 2. No
	// request and no TLS handshake begins like that.
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

	// proxyFixed is what every header has: signature, command, family, length.
	proxyFixed = len(proxySignature) + 4

	// maxProxyRest bounds what follows: addresses, and what balancers add.
	maxProxyRest = 4 << 10

	// proxyWithin is how long a balancer may take for the header.
	proxyWithin = 5 * time.Second
)

// errProxyHeader ends a connection whose balancer says something else than what
// the protocol has.
var errProxyHeader = errors.New("edge: malformed PROXY header")

// proxied believes the networks of the configuration about whom they speak for.
func (s *Server) proxied(ln net.Listener) net.Listener {
	trusted, _ := parseNetworks(s.cfg.ProxyProtocol) // checked with the rest of the configuration
	if len(trusted) == 0 {
		return ln
	}
	return &proxyListener{Listener: ln, trusted: trusted}
}

// proxyListener gives connections of balancers the address of the client. From
// everybody else a header is what it always was: no request.
type proxyListener struct {
	net.Listener
	trusted []netip.Prefix
}

// Accept does not wait for the header: a connection that sends none must not
// hold up the others.
func (l *proxyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || !l.trusts(c.RemoteAddr()) {
		return c, err
	}
	return &proxiedConn{Conn: c}, nil
}

func (l *proxyListener) trusts(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(l.trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// proxiedConn reads the header when it is first asked for bytes or for the
// address, which net/http does in the connection's own goroutine.
type proxiedConn struct {
	net.Conn
	once  sync.Once
	early []byte   // read in search of a header, and none
	from  net.Addr // nil: the balancer speaks for itself
	err   error
}

// Read returns what follows the header.
func (c *proxiedConn) Read(p []byte) (int, error) {
	c.once.Do(c.readHeader)
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(p)
}

// RemoteAddr is the client's address, or the socket's where no other is told:
// balancers look after their servers without a header, or with one that says so.
func (c *proxiedConn) RemoteAddr() net.Addr {
	c.once.Do(c.readHeader)
	if c.from == nil {
		return c.Conn.RemoteAddr()
	}
	return c.from
}

func (c *proxiedConn) readHeader() {
	if err := c.SetReadDeadline(time.Now().Add(proxyWithin)); err != nil {
		c.err = err
		return
	}
	if c.err = c.parseHeader(); c.err == nil {
		c.err = c.SetReadDeadline(time.Time{})
	}
}

func (c *proxiedConn) parseHeader() error {
	var fixed [proxyFixed]byte
	for n := 0; n < len(fixed); {
		more, err := c.Conn.Read(fixed[n:])
		n += more
		if common := min(n, len(proxySignature)); string(fixed[:common]) != proxySignature[:common] {
			c.early = bytes.Clone(fixed[:n])
			return nil
		}
		if err != nil {
			return err
		}
	}
	command, family := fixed[len(proxySignature)], fixed[len(proxySignature)+1]
	size := int(binary.BigEndian.Uint16(fixed[len(proxySignature)+2:]))
	if command>>4 != 2 || command&0xf > 1 || size > maxProxyRest {
		return errProxyHeader
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(c.Conn, rest); err != nil {
		return fmt.Errorf("%w: %w", errProxyHeader, err)
	}
	if command&0xf == 0 {
		return nil
	}
	return c.speakFor(family, rest)
}

// speakFor takes the client's address of the families that a listener has.
func (c *proxiedConn) speakFor(family byte, rest []byte) error {
	size := map[byte]int{0x11: 4, 0x21: 16}[family]
	if size == 0 {
		return nil
	}
	if len(rest) < 2*size+4 { // two addresses, two ports
		return errProxyHeader
	}
	ip, _ := netip.AddrFromSlice(rest[:size])
	c.from = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(rest[2*size:])))
	return nil
}
