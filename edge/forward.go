package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/invite"
)

const (
	// forwardWithin bounds a forwarded request as a whole.
	forwardWithin = 5 * time.Second

	// maxForwarded bounds the requests under way to the functions. One beyond
	// that is told to come back, because a queue would only hide that they are
	// too slow.
	maxForwarded = 64

	// forwardAgain is when one that was not forwarded may come again.
	forwardAgain = time.Second
)

// A forwarder passes requests on to functions that are served elsewhere. It
// forwards rather than redirects, because existing clients lose headers or the
// body on a redirect; only a browser that looks at a page is sent there.
type forwarder struct {
	target  *url.URL
	proxy   *httputil.ReverseProxy
	slots   chan struct{} // one for each request under way; never closed
	metrics *metrics
}

// newForwarder forwards to target, which has no path of its own: signatures
// cover the path that the client asked for.
func newForwarder(s *Server, target *url.URL) *forwarder {
	f := &forwarder{target: target, slots: make(chan struct{}, maxForwarded), metrics: s.metrics}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			// The functions limit by address. What the client itself wrote there
			// is dropped: only this edge saw where it comes from.
			p.SetXForwarded()
			s.introduce(p)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				door.Refuse(w, r, http.StatusRequestEntityTooLarge, wire.CodeTooLarge, wire.JoinTooLarge)
				return
			}
			s.log.WarnContext(r.Context(), "forward to functions", "err", err)
			door.Unavailable(w, r, forwardAgain)
		},
	}
	return f
}

// introduce tells functions that others reach too whom this request is from,
// and by a token that an edge says so.
func (s *Server) introduce(p *httputil.ProxyRequest) {
	p.Out.Header.Del(door.HeaderEdgeToken)
	p.Out.Header.Del(door.HeaderClient)
	if s.cfg.FunctionsToken == "" {
		return
	}
	p.Out.Header.Set(door.HeaderEdgeToken, string(s.cfg.FunctionsToken))
	p.Out.Header.Set(door.HeaderClient, door.Direct(p.In))
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// An address without TLS is one inside the network, where no browser is.
	if f.target.Scheme == "https" && isPageView(r) {
		http.Redirect(w, r, f.target.String()+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		return
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		f.metrics.hit(boundForwarded)
		door.Unavailable(w, r, forwardAgain)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), forwardWithin)
	defer cancel()
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, wire.MaxHTTPBody)
	f.proxy.ServeHTTP(w, r)
}

// isPageView reports whether a browser asks for a page, rather than a program
// for an answer.
func isPageView(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// functionPaths are the paths of the functions: of the one that lets people
// in, and of the one that administers.
var functionPaths = [2][]string{invite.Patterns, {"/v1/"}}

// parseFunctions reads where the functions are served: one address for both,
// or one for invites and one for administration.
func parseFunctions(setting string) (targets [2]*url.URL, err error) {
	addresses := strings.Split(setting, ",")
	if len(addresses) == 1 {
		addresses = append(addresses, addresses[0])
	}
	if len(addresses) != len(targets) {
		return targets, errors.New("at most two addresses, of invites and of administration")
	}
	for i, address := range addresses {
		u, err := url.Parse(strings.TrimSuffix(strings.TrimSpace(address), "/"))
		switch {
		case err != nil:
			return targets, fmt.Errorf("address %d is no URL", i+1)
		case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Path != "", u.RawQuery != "", u.User != nil:
			return targets, fmt.Errorf("address %d must be http:// or https:// with a host and nothing behind it", i+1)
		}
		targets[i] = u
	}
	return targets, nil
}

// forwarders are the handlers of a fleet, whose functions are elsewhere.
func (s *Server) forwarders() (map[string]http.Handler, error) {
	targets, err := parseFunctions(s.cfg.Functions)
	if err != nil {
		return nil, fmt.Errorf("edge: EDGE_FUNCTIONS: %w", err)
	}
	handlers := map[string]http.Handler{}
	for i, target := range targets {
		f := newForwarder(s, target)
		for _, path := range functionPaths[i] {
			handlers[path] = f
		}
	}
	return handlers, nil
}
