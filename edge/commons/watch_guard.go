package commons

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// Why an address is not fetched.
var (
	errNotPublic = errors.New("commons: the address is not on the public internet")
	errPort      = errors.New("commons: the port is not one of the web's")
)

// webPorts may be asked anywhere; others belong to programs that should not
// hear HTTP from us.
var webPorts = []uint16{80, 443, 8080, 8443}

// globalIPv6 is all of IPv6 that is handed out for the internet. Loopback,
// unique local, link-local, multicast and the translations of IPv4 (64:ff9b::)
// are outside of it.
var globalIPv6 = netip.MustParsePrefix("2000::/3")

// special are the blocks that IANA has set aside for other purposes, and those
// that carry IPv4 addresses within them.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

func prefixes(blocks ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(blocks))
	for i, b := range blocks {
		out[i] = netip.MustParsePrefix(b)
	}
	return out
}

// A guard judges addresses, not names: what is dialled is what was judged.
type guard struct{ allow []netip.Prefix }

// control is asked by the dialer before each connection.
func (g guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return errNotPublic
	}
	return g.judge(to)
}

func (g guard) judge(to netip.AddrPort) error {
	// An address with a zone is in no block, and one that maps IPv4 is that
	// IPv4 address.
	ip := to.Addr().Unmap().WithZone("")
	if contains(g.allow, ip) {
		return nil
	}
	if !ip.IsValid() || ip.Is6() && !globalIPv6.Contains(ip) || contains(special, ip) {
		return fmt.Errorf("%w: %s", errNotPublic, ip)
	}
	if !slices.Contains(webPorts, to.Port()) {
		return fmt.Errorf("%w: %d", errPort, to.Port())
	}
	return nil
}

func contains(blocks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(blocks, func(p netip.Prefix) bool { return p.Contains(ip) })
}
