package commons

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	// fetchWithin bounds one fetch with all its redirects.
	fetchWithin = 10 * time.Second

	// lookAgainAfter is when another edge may look at what one has begun to
	// look at: not before that fetch has ended one way or the other.
	lookAgainAfter = fetchWithin + 2*time.Second

	// lookUpWithin bounds the look at a name before it is watched.
	lookUpWithin = 2 * time.Second

	maxBody      = 1 << 20  // bytes of what is watched
	maxHeaders   = 64 << 10 // bytes of the headers of an answer
	maxRedirects = 5
	maxWatched   = 4 << 10 // bytes of a value that is compared
	maxDepth     = 64      // names in a path

	// hashDigits is how much of a hash is compared.
	hashDigits = 16

	userAgent = "claudemesh-watch"
)

var (
	errTooBig    = fmt.Errorf("commons: more than %d bytes", maxBody)
	errRedirects = fmt.Errorf("commons: more than %d redirects", maxRedirects)
	errNotJSON   = errors.New("commons: no JSON")
	errNoValue   = errors.New("commons: there is no value at this path")
	errLongValue = fmt.Errorf("commons: the value has more than %d bytes", maxWatched)
)

// A fetcher looks at addresses for peers, and at none that they should not
// reach through us.
type fetcher struct {
	guard  guard
	client *http.Client
}

func newFetcher(o WatchOptions) *fetcher {
	f := &fetcher{guard: guard{allow: o.Allow}}
	// The address that a name stands for is judged when it is dialled, so that
	// it does not matter what the name stood for before.
	dialer := &net.Dialer{Timeout: fetchWithin, ControlContext: f.guard.control}
	f.client = &http.Client{
		Timeout: fetchWithin,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeaders,
		},
		CheckRedirect: redirect,
	}
	return f
}

// redirect follows to where an address moved. What the watch adds to a request
// is meant for the host that it names.
func redirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errRedirects
	}
	if _, err := parseAddress(r.URL.String()); err != nil {
		return err
	}
	first := via[0].URL
	if r.URL.Host != first.Host || r.URL.Scheme != first.Scheme {
		r.Header = http.Header{"User-Agent": {userAgent}}
	}
	return nil
}

// parseAddress reads an address that may be watched.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, refuse(wire.CodeInvalidArgument, "this is not an address")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, refuse(wire.CodeAddressRefused, "only http and https addresses can be watched")
	case u.Hostname() == "":
		return nil, refuse(wire.CodeInvalidArgument, "the address names no host")
	case u.User != nil:
		return nil, refuse(wire.CodeAddressRefused, "put credentials into headers, not into the address")
	}
	return u, nil
}

// check judges an address before it is watched. A name that cannot be looked up
// just now may be one later; every fetch is judged again.
func (f *fetcher) check(ctx context.Context, address string) error {
	u, err := parseAddress(address)
	if err != nil {
		return err
	}
	port := uint16(80)
	if u.Scheme == "https" {
		port = 443
	}
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return refuse(wire.CodeInvalidArgument, "this is not a port")
		}
		port = uint16(n)
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpWithin)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil //nolint:nilerr // the first look will tell
	}
	var refused error
	for _, a := range addrs {
		if refused = f.guard.judge(netip.AddrPortFrom(a, port)); refused == nil {
			return nil
		}
	}
	return refuse(wire.CodeAddressRefused, "%s", reason(refused))
}

// fetch looks once, and returns what is compared.
func (f *fetcher) fetch(ctx context.Context, r *watchRecord) (string, error) {
	if _, err := parseAddress(r.URL); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("commons: watch: %w", err)
	}
	req.Header.Set("User-Agent", userAgent)
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return "", fetchError(err)
	}
	defer func() { _ = res.Body.Close() }()
	return extract(res, r)
}

// fetchError leaves out the address, which whoever reads this knows.
func fetchError(err error) error {
	var about *url.Error
	if errors.As(err, &about) {
		if about.Timeout() {
			return fmt.Errorf("commons: no answer within %s", fetchWithin)
		}
		return about.Err
	}
	return err
}

// extract takes what is compared from an answer. A server in trouble has not
// answered.
func extract(res *http.Response, r *watchRecord) (string, error) {
	if r.Mode == wire.WatchStatus {
		return strconv.Itoa(res.StatusCode), nil
	}
	if res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests {
		return "", fmt.Errorf("commons: the server answered %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return "", fmt.Errorf("commons: read what is watched: %w", err)
	}
	if len(body) > maxBody {
		return "", errTooBig
	}
	if r.Mode == wire.WatchJSON {
		return valueAt(body, r.Extract)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])[:hashDigits], nil
}

// valueAt is the value at a path such as "$.items.0.name": a text as it is,
// anything else as JSON.
func valueAt(body []byte, path string) (string, error) {
	names := strings.Split(strings.TrimPrefix(strings.TrimPrefix(path, "$"), "."), ".")
	if len(names) > maxDepth {
		return "", errNoValue
	}
	if !json.Valid(body) {
		return "", errNotJSON
	}
	if len(names) == 1 && names[0] == "" {
		names = nil // the whole
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // of any size
	at, err := find(d, names)
	if err != nil {
		return "", fmt.Errorf("commons: read value: %w", err)
	}
	if at == nil {
		return "", errNoValue
	}
	return watchedText(at)
}

// find reads the next value, and returns what stands in it at a path of names
// and numbers; nil if nothing does. Of a name that an object has twice the last
// counts. All is read once, however long the path is.
func find(d *json.Decoder, path []string) (json.RawMessage, error) {
	var found, passed json.RawMessage
	if len(path) == 0 {
		err := d.Decode(&found)
		return found, err
	}
	opening, err := d.Token()
	if err != nil || opening != json.Delim('{') && opening != json.Delim('[') {
		return nil, err
	}
	for i := 0; d.More(); i++ {
		here := json.Token(strconv.Itoa(i))
		if opening == json.Delim('{') {
			if here, err = d.Token(); err != nil {
				return nil, err
			}
		}
		if here == json.Token(path[0]) {
			found, err = find(d, path[1:])
		} else {
			err = d.Decode(&passed)
		}
		if err != nil {
			return nil, err
		}
	}
	_, err = d.Token() // the closing
	return found, err
}

// watchedText is a value as it is compared.
func watchedText(at json.RawMessage) (string, error) {
	var text string
	if at[0] != '"' || json.Unmarshal(at, &text) != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, at); err != nil {
			return "", fmt.Errorf("commons: write value: %w", err)
		}
		text = compact.String()
	}
	if len(text) > maxWatched {
		return "", errLongValue
	}
	return text, nil
}
