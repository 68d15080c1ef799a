package wire

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// HTTPAddress returns the HTTP address of the edge whose WebSocket address is
// given: the scheme replaced, [Path] dropped, no slash at the end.
func HTTPAddress(webSocket string) (string, error) {
	u, err := url.Parse(webSocket)
	if err != nil {
		return "", fmt.Errorf("wire: edge address: %w", err)
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return "", errors.New("wire: edge address: scheme must be ws or wss")
	}
	if u.Host == "" {
		return "", errors.New("wire: edge address: no host")
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, Path), "/")
	return u.Scheme + "://" + u.Host + path, nil
}
