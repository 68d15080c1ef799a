package redis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// defaultPort is Redis's, for addresses that name none.
const defaultPort = "6379"

// CheckURL reports whether addresses can be read as [Options.URL].
func CheckURL(addresses string) error {
	_, _, err := parseURLs(addresses)
	return err
}

// parseURLs reads one address or several. Credentials, TLS and settings are
// those of the first; a comma in a password is written %2C.
func parseURLs(addresses string) (*goredis.Options, []string, error) {
	first, more, several := strings.Cut(addresses, ",")
	opt, err := goredis.ParseURL(strings.TrimSpace(first))
	if err != nil {
		return nil, nil, badAddress(err)
	}
	addrs := []string{opt.Addr}
	if !several {
		return opt, addrs, nil
	}
	if opt.Network == "unix" {
		return nil, nil, errors.New("redis: address: nodes of a cluster are reached over TCP")
	}
	for one := range strings.SplitSeq(more, ",") {
		addr, err := hostPort(strings.TrimSpace(one))
		if err != nil {
			return nil, nil, err
		}
		addrs = append(addrs, addr)
	}
	return opt, addrs, nil
}

// hostPort reads the address of a further node, with or without a scheme.
func hostPort(one string) (string, error) {
	if strings.Contains(one, "://") {
		opt, err := goredis.ParseURL(one)
		if err != nil {
			return "", badAddress(err)
		}
		return opt.Addr, nil
	}
	if one == "" || strings.ContainsAny(one, "/@ ") {
		return "", errors.New("redis: address: a further node is not host:port")
	}
	if _, _, err := net.SplitHostPort(one); err != nil {
		return net.JoinHostPort(strings.Trim(one, "[]"), defaultPort), nil
	}
	return one, nil
}

// badAddress leaves out the address itself, which may hold a password.
func badAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("redis: address: %w", err)
}
