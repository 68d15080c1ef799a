package edge_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
)

// proxyHeader is what a balancer writes for a client: version 2, with one more
// field, as balancers have them.
func proxyHeader(command byte, client string) string {
	from := netip.MustParseAddrPort(client)
	to := netip.MustParseAddrPort("192.0.2.1:443")
	family := byte(0x11)
	if from.Addr().Is6() {
		family, to = 0x21, netip.MustParseAddrPort("[2001:db8::1]:443")
	}
	rest := append(from.Addr().AsSlice(), to.Addr().AsSlice()...)
	rest = binary.BigEndian.AppendUint16(rest, from.Port())
	rest = binary.BigEndian.AppendUint16(rest, to.Port())
	rest = append(rest, 0xea, 0, 3, 'v', 'p', 'c')
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	return string(append(binary.BigEndian.AppendUint16(h, uint16(len(rest))), rest...))
}

const (
	proxyLocal  = 0x20
	proxyOthers = 0x21
	signature   = "\r\n\r\n\x00\r\nQUIT\n"
)

// told returns where the function is told that a request comes from which
// reaches the edge after what prefix says, "" if it is told nothing.
func told(t *testing.T, trusted, prefix string) string {
	t.Helper()
	e, seen := proxiedEdge(t, trusted)
	nc, err := net.Dial("tcp", e.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	ask(t, nc, prefix)
	select {
	case from := <-seen:
		return from
	default:
		return ""
	}
}

// proxiedEdge is an edge that forwards functions to a server which notes the
// addresses that it is told.
func proxiedEdge(t *testing.T, trusted string, more ...func(*edge.Config)) (*edgetest.Edge, chan string) {
	t.Helper()
	seen := make(chan string, 1)
	function := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("X-Forwarded-For")
	}))
	t.Cleanup(function.Close)
	return edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) {
		c.ProxyProtocol, c.Functions = trusted, function.URL
		for _, adapt := range more {
			adapt(c)
		}
	})), seen
}

// ask sends a request to a function and waits for any answer, or none.
func ask(t *testing.T, nc net.Conn, prefix string) {
	t.Helper()
	_ = nc.SetDeadline(time.Now().Add(edgetest.Patience))
	_, err := io.WriteString(nc, prefix+"POST /join HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.ReadResponse(bufio.NewReader(nc), nil); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

func TestABalancerTellsTheAddressOfTheClient(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ trusted, prefix, want string }{
		"of IPv4":                    {"127.0.0.0/8", proxyHeader(proxyOthers, "198.51.100.7:999"), "198.51.100.7"},
		"of IPv6":                    {"10.0.0.0/8, 127.0.0.1/32", proxyHeader(proxyOthers, "[2001:db8::7]:999"), "2001:db8::7"},
		"for its own check":          {"127.0.0.0/8", proxyHeader(proxyLocal, "198.51.100.7:999"), "127.0.0.1"},
		"for a family of no address": {"127.0.0.0/8", signature + "\x21\x00\x00\x00", "127.0.0.1"},
		"not, and sends no header":   {"127.0.0.0/8", "", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := told(t, c.trusted, c.prefix); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAttackForgedProxyHeader(t *testing.T) {
	t.Parallel()
	header := proxyHeader(proxyOthers, "198.51.100.7:999")
	for name, c := range map[string]struct{ trusted, prefix string }{
		"nobody is trusted":         {"", header},
		"a stranger":                {"10.0.0.0/8", header},
		"another version":           {"127.0.0.0/8", strings.Replace(header, "\n\x21", "\n\x11", 1)},
		"another command":           {"127.0.0.0/8", strings.Replace(header, "\n\x21", "\n\x22", 1)},
		"without room for its text": {"127.0.0.0/8", signature + "\x21\x11\x00\x04abcd"},
		"beyond every bound":        {"127.0.0.0/8", signature + "\x21\x11\xff\xff" + strings.Repeat("x", 1<<16)},
		"a second one inside":       {"127.0.0.0/8", header + header},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := told(t, c.trusted, c.prefix); got != "" {
				t.Errorf("the function was asked, for %q", got)
			}
		})
	}
}

func TestAHeaderInPiecesHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	e, seen := proxiedEdge(t, "127.0.0.0/8")
	slow, err := net.Dial("tcp", e.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	header := proxyHeader(proxyOthers, "198.51.100.7:999")
	_, _ = io.WriteString(slow, header[:9])
	quick, err := net.Dial("tcp", e.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer quick.Close()
	ask(t, quick, proxyHeader(proxyOthers, "198.51.100.8:999"))
	if got := <-seen; got != "198.51.100.8" {
		t.Errorf("the quick one came from %q", got)
	}
	ask(t, slow, header[9:])
	if got := <-seen; got != "198.51.100.7" {
		t.Errorf("the slow one came from %q", got)
	}
}

func TestTheHeaderStandsBeforeTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	e, seen := proxiedEdge(t, "127.0.0.0/8", func(c *edge.Config) { c.TLSCert, c.TLSKey = cert, edge.Secret(key) })
	nc, err := net.Dial("tcp", e.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, proxyHeader(proxyOthers, "198.51.100.7:999"))
	ask(t, tls.Client(nc, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}), "")
	if got := <-seen; got != "198.51.100.7" {
		t.Errorf("came from %q", got)
	}
}
