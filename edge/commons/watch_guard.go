package commons

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// Why an address is not fetched.
var (
	errNotPublic = errors.New("commons: the address is not on the public internet")
	errPort      = errors.New("commons: the port is not one of the web's")
)

// web is the public internet, as IANA's registries of special-purpose addresses
// leave it. Other ports than the web's belong to programs that should not hear
// HTTP from us.
var web = ssrf.New(ssrf.WithPorts(80, 443, 8080, 8443))

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
	if slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return nil
	}
	// The address first: a port that is wrong as well is the lesser reason. It
	// is not named: what a name means in our network is not for peers.
	if err := web.SafeAddr(ip); err != nil || !ip.IsValid() {
		return errNotPublic
	}
	if err := web.SafeAddrPort(netip.AddrPortFrom(ip, to.Port())); err != nil {
		return fmt.Errorf("%w: %d", errPort, to.Port())
	}
	return nil
}
