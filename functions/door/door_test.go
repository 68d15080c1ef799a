package door

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestABodyIsReadUpToItsLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body io.Reader
		want error
	}{
		"empty":       {strings.NewReader(""), nil},
		"at limit":    {strings.NewReader(strings.Repeat("x", wire.MaxHTTPBody)), nil},
		"above limit": {strings.NewReader(strings.Repeat("x", wire.MaxHTTPBody+1)), ErrTooLarge},
		"broken off":  {iotest.ErrReader(io.ErrUnexpectedEOF), ErrUnreadable},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", c.body)
		if _, err := Body(httptest.NewRecorder(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestAnAddressIsWhatALimitCanHoldOnTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proxies         int
		remote, headers string
		want            string
	}{
		"a socket":                       {0, "192.0.2.1:99", "", "192.0.2.1"},
		"a socket and a header it wrote": {0, "192.0.2.1:99", "198.51.100.1", "192.0.2.1"},
		"IPv6, of which one has many":    {0, "[2001:db8:1:2:3:4:5:6]:99", "", "2001:db8:1:2::"},
		"IPv4 in IPv6":                   {0, "[::ffff:192.0.2.1]:99", "", "192.0.2.1"},
		"a zone":                         {0, "[fe80::1%eth0]:99", "", "fe80::"},
		"no port":                        {0, "192.0.2.1", "", "192.0.2.1"},
		"a socket of another kind":       {0, "@", "", nowhere},
		"one proxy":                      {1, "192.0.2.1:99", "198.51.100.1", "198.51.100.1"},
		"one proxy, and a forged hop":    {1, "192.0.2.1:99", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		"two proxies":                    {2, "192.0.2.1:99", "203.0.113.9,198.51.100.1, 192.0.2.8", "198.51.100.1"},
		"a proxy that says nothing":      {1, "192.0.2.1:99", "", nowhere},
		"too few hops":                   {2, "192.0.2.1:99", "198.51.100.1", nowhere},
		"a hop that is no address":       {1, "192.0.2.1:99", "x'\x00{", nowhere},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		if c.headers != "" {
			r.Header.Set("X-Forwarded-For", c.headers)
		}
		if got := Behind(c.proxies)(r); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestSeveralForwardedHeadersAreOneList(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["X-Forwarded-For"] = []string{"203.0.113.9", "198.51.100.1"}
	if got := Behind(1)(r); got != "198.51.100.1" {
		t.Errorf("got %q", got)
	}
}

func TestAttackForgedClientAddress(t *testing.T) {
	t.Parallel()
	const token = "a token that edges have"
	for name, c := range map[string]struct {
		configured, sent, says string
		want                   string
	}{
		"an edge":                           {token, token, "198.51.100.1", "198.51.100.1"},
		"an edge, with IPv6":                {token, token, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		"an edge that saw nothing":          {token, token, "", nowhere},
		"a stranger without the token":      {token, "", "198.51.100.1", "192.0.2.1"},
		"a stranger who guesses":            {token, token + "x", "198.51.100.1", "192.0.2.1"},
		"no token is configured, none sent": {"", "", "198.51.100.1", "192.0.2.1"},
		"no token is configured, one sent":  {"", token, "198.51.100.1", "192.0.2.1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.1:99"
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		r.Header.Set(HeaderEdgeToken, c.sent)
		r.Header.Set(HeaderClient, c.says)
		if got := FromEdges(c.configured, Direct)(r); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestRetryAfterIsNeverNow(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", 1500 * time.Millisecond: "2"} {
		w := httptest.NewRecorder()
		SetRetryAfter(w, wait)
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: got %q, want %q", wait, got, want)
		}
	}
}

func TestOptionsAreAnsweredForBrowsersAndTheRestHasADeadline(t *testing.T) {
	t.Parallel()
	reached := false
	h := Open(time.Minute, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, reached = r.Context().Deadline()
		NotFound(w, r)
	}))
	for _, c := range []struct {
		method string
		status int
	}{{http.MethodOptions, http.StatusNoContent}, {http.MethodGet, http.StatusNotFound}} {
		method, status := c.method, c.status
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/anything", nil))
		if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got %d, %v", method, w.Code, w.Header())
		}
		if method == http.MethodOptions && (reached || w.Body.Len() > 0) {
			t.Error("OPTIONS reached the function or has a body")
		}
	}
	if !reached {
		t.Error("the function has no deadline")
	}
}
