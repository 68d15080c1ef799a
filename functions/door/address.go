package door

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
)

// Address tells where a request comes from, for limits. It returns the same
// text for all addresses that one customer of a network provider may use.
type Address func(*http.Request) string

// nowhere is the address of requests that do not tell one. They share a
// bucket, because otherwise leaving the address out would be the way around.
const nowhere = "nowhere"

// Direct is the address of the socket, for a process that clients reach
// without a proxy.
func Direct(r *http.Request) string { return network(r.RemoteAddr) }

// Behind is the address that the last of n own proxies saw. What stands
// further left in X-Forwarded-For was written by the client and proves
// nothing. Behind(0) is [Direct].
func Behind(n int) Address {
	if n <= 0 {
		return Direct
	}
	return func(r *http.Request) string {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if len(hops) < n {
			return nowhere
		}
		return network(strings.TrimSpace(hops[len(hops)-n]))
	}
}

// What an edge writes into a request that it forwards, where it shares a token
// with the functions: the token, and the address that it saw. What a client
// itself wrote there is dropped by the edge.
const (
	HeaderEdgeToken = "Claudemesh-Edge-Token"
	HeaderClient    = "Claudemesh-Client-Address"
)

// FromEdges believes what a request says of its client if it carries the token
// that edges have, however many proxies it passed. All others are strangers,
// whose address otherwise finds out. Without a token there are only strangers.
func FromEdges(token string, otherwise Address) Address {
	if token == "" {
		return otherwise
	}
	want := sha256.Sum256([]byte(token))
	return func(r *http.Request) string {
		given := sha256.Sum256([]byte(r.Header.Get(HeaderEdgeToken)))
		if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
			return otherwise(r)
		}
		return network(r.Header.Get(HeaderClient))
	}
}

// network is the address itself for IPv4, and the /64 for IPv6, of which
// every customer has at least one whole.
func network(text string) string {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		port, err := netip.ParseAddrPort(text)
		if err != nil {
			return nowhere
		}
		ip = port.Addr()
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return nowhere
	}
	return prefix.Addr().String()
}
