package commons

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestTheGuardLetsOnlyThePublicWebThrough(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]error{
		"93.184.216.34:80":      nil,
		"93.184.216.34:8443":    nil,
		"[2606:4700::1]:443":    nil,
		"93.184.216.34:22":      errPort,
		"93.184.216.34:0":       errPort,
		"127.0.0.1:80":          errNotPublic,
		"127.255.255.254:80":    errNotPublic,
		"0.0.0.0:80":            errNotPublic,
		"10.1.2.3:80":           errNotPublic,
		"172.16.0.1:80":         errNotPublic,
		"172.31.255.255:443":    errNotPublic,
		"192.168.1.1:80":        errNotPublic,
		"169.254.169.254:80":    errNotPublic, // metadata
		"169.254.170.2:80":      errNotPublic, // metadata of a task
		"100.64.0.1:80":         errNotPublic, // behind a carrier's NAT
		"100.100.100.200:80":    errNotPublic,
		"192.0.0.192:80":        errNotPublic,
		"198.18.0.1:80":         errNotPublic,
		"224.0.0.1:80":          errNotPublic,
		"255.255.255.255:80":    errNotPublic,
		"[::]:80":               errNotPublic,
		"[::1]:80":              errNotPublic,
		"[fe80::1]:80":          errNotPublic,
		"[fe80::1%eth0]:80":     errNotPublic,
		"[fc00::1]:80":          errNotPublic,
		"[fd00:ec2::254]:80":    errNotPublic, // metadata
		"[ff02::1]:80":          errNotPublic,
		"[::ffff:127.0.0.1]:80": errNotPublic,
		"[::ffff:a9fe:a9fe]:80": errNotPublic,
		"[::7f00:1]:80":         errNotPublic,
		"[64:ff9b::7f00:1]:80":  errNotPublic, // NAT64
		"[64:ff9b:1::1]:80":     errNotPublic,
		"[2002:7f00:1::]:80":    errNotPublic, // 6to4
		"[2001::1]:80":          errNotPublic, // Teredo
		"[2001:db8::1]:80":      errNotPublic,
	} {
		if got := (guard{}).control(t.Context(), "tcp4", address, nil); !errors.Is(got, want) || (want == nil) != (got == nil) {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if err := (guard{}).control(t.Context(), "udp4", "93.184.216.34:80", nil); err == nil {
		t.Error("UDP is let through")
	}
	allowing := guard{allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for address, want := range map[string]error{"10.1.2.3:9999": nil, "10.2.0.1:80": errNotPublic} {
		if got := allowing.judge(netip.MustParseAddrPort(address)); !errors.Is(got, want) || (want == nil) != (got == nil) {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// local is a server on loopback, and a fetcher that may reach it.
func local(t *testing.T, h http.HandlerFunc) (*httptest.Server, *fetcher) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, newFetcher(WatchOptions{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
}

func TestAddressesAreRefusedBeforeTheyAreWatched(t *testing.T) {
	t.Parallel()
	f := newFetcher(WatchOptions{})
	for _, address := range []string{
		"http://127.0.0.1/", "http://localhost/", "https://LOCALHOST:443/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/",
		"http://[::ffff:169.254.169.254]/", "http://93.184.216.34:6379/", "file:///etc/passwd", "gopher://93.184.216.34/",
		"http://user:secret@93.184.216.34/", "javascript:alert(1)", "//93.184.216.34/",
	} {
		var refused *Refusal
		if err := f.check(t.Context(), address); !errors.As(err, &refused) || refused.Code != wire.CodeAddressRefused {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"http://", "http:///x", "http://a b/", "http://[::1", "http://93.184.216.34:99999/", "%zz"} {
		var refused *Refusal
		if err := f.check(t.Context(), address); !errors.As(err, &refused) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := f.check(t.Context(), "http://93.184.216.34/"); err != nil {
		t.Errorf("a public address: %v", err)
	}
}

func TestWhatANameStandsForIsJudgedAtEachFetch(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	s, _ := local(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host })
	u, _ := url.Parse(s.URL)
	f := newFetcher(WatchOptions{}) // as if the name had stood for something else when it was checked
	for _, host := range []string{"localhost", "127.0.0.1"} {
		_, err := f.fetch(t.Context(), &watchRecord{URL: "http://" + host + ":" + u.Port(), Mode: wire.WatchStatus})
		if !errors.Is(err, errNotPublic) {
			t.Errorf("%s: %v", host, err)
		}
		if text := reason(err); text != "the address is not on the public internet" { // what the name means here is not told
			t.Errorf("reason: %q", text)
		}
	}
	if len(asked) != 0 {
		t.Error("it was asked")
	}
}

func TestRedirectsAreJudgedToo(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"http://169.254.169.254/latest/meta-data/": "the address is not on the public internet",
		"http://[::1]/":      "the address is not on the public internet",
		"http://10.0.0.1/":   "the address is not on the public internet",
		"file:///etc/passwd": "only http and https addresses can be watched",
		"/again":             fmt.Sprintf("more than %d redirects", maxRedirects),
	} {
		s, f := local(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		_, err := f.fetch(t.Context(), &watchRecord{URL: s.URL, Mode: wire.WatchHash})
		if err == nil || reason(err) != want {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

func TestHeadersOfAWatchStayWithItsHost(t *testing.T) {
	t.Parallel()
	got := make(chan http.Header, 3)
	second, f := local(t, func(w http.ResponseWriter, r *http.Request) { got <- r.Header })
	first, _ := local(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/here", http.StatusFound)
			return
		}
		http.Redirect(w, r, second.URL, http.StatusFound)
	})
	_, err := f.fetch(t.Context(), &watchRecord{
		URL: first.URL, Mode: wire.WatchStatus, Headers: map[string]string{"X-Api-Key": "s3cret", "Authorization": "Bearer x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"s3cret", "s3cret", ""} {
		h := <-got
		if h.Get("X-Api-Key") != want || (h.Get("Authorization") == "") != (want == "") || h.Get("User-Agent") != userAgent {
			t.Errorf("request %d: %v", i, h)
		}
	}
}

func TestWhatIsComparedIsTakenFromTheAnswer(t *testing.T) {
	t.Parallel()
	s, f := local(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
		case "/404":
			w.WriteHeader(http.StatusNotFound)
		case "/big":
			_, _ = w.Write(make([]byte, maxBody+1))
		case "/fits":
			_, _ = w.Write(make([]byte, maxBody))
		case "/hang":
			<-r.Context().Done()
		default:
			_, _ = w.Write([]byte(`{"a":{"b":[1, {"c":"it's"}]}, "n":1.50, "z":null, "long":"` + strings.Repeat("x", maxWatched+1) + `"}`))
		}
	})
	for _, c := range []struct {
		path    string
		mode    wire.WatchMode
		extract string
		want    string
		fails   string
	}{
		{"/404", wire.WatchStatus, "", "404", ""},
		{"/500", wire.WatchStatus, "", "500", ""},
		{"/500", wire.WatchHash, "", "", "the server answered 500"},
		{"/404", wire.WatchHash, "", "e3b0c44298fc1c14", ""},
		{"/fits", wire.WatchHash, "", "30e14955ebf13522", ""},
		{"/big", wire.WatchHash, "", "", "more than 1048576 bytes"},
		{"/", wire.WatchJSON, "$.a.b.1.c", "it's", ""},
		{"/", wire.WatchJSON, "a.b", `[1,{"c":"it's"}]`, ""},
		{"/", wire.WatchJSON, "n", "1.50", ""},
		{"/", wire.WatchJSON, "z", "null", ""},
		{"/", wire.WatchJSON, "a.b.7", "", "there is no value at this path"},
		{"/", wire.WatchJSON, "a.b.-1", "", "there is no value at this path"},
		{"/", wire.WatchJSON, "n.x", "", "there is no value at this path"},
		{"/", wire.WatchJSON, strings.Repeat("a.", 100), "", "there is no value at this path"},
		{"/", wire.WatchJSON, "long", "", "the value has more than 4096 bytes"},
		{"/fits", wire.WatchJSON, "a", "", "no JSON"},
	} {
		got, err := f.fetch(t.Context(), &watchRecord{URL: s.URL + c.path, Mode: c.mode, Extract: c.extract})
		failed := ""
		if err != nil {
			failed = reason(err)
		}
		if got != c.want || c.fails == "" != (err == nil) || !strings.HasPrefix(failed, c.fails) {
			t.Errorf("%s %s %.20s: %q, %q", c.path, c.mode, c.extract, got, failed)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := f.fetch(ctx, &watchRecord{URL: s.URL + "/hang"}); err == nil || reason(err) != "no answer within 10s" {
		t.Errorf("hanging: %v", err)
	}
}

// Whoever serves what is watched, and whoever watches, may be one: a document
// as large as one may be, under a path as long as one may be. It is not
// parallel, because it counts what the process allocates.
func TestALongPathCostsNoMoreThanAShortOne(t *testing.T) {
	allocated := func(depth int) uint64 {
		open, end := strings.Repeat("[", depth), strings.Repeat("]", depth)
		body := []byte(open + `"` + strings.Repeat("x", maxBody-2*depth-2) + `"` + end)
		path := strings.TrimSuffix(strings.Repeat("0.", depth), ".")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := valueAt(body, path); !errors.Is(err, errLongValue) {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if short, long := allocated(1), allocated(maxDepth); long > short+maxBody {
		t.Errorf("one name takes %d bytes, %d take %d", short, maxDepth, long)
	}
}

func TestValuesAreFoundByNamesAndNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body, path, want string
		err              error
	}{
		{`{"a":1,"a":2}`, "a", "2", nil},
		{`{"a":{"b":1},"a":{"c":2}}`, "a.b", "", errNoValue},
		{`{"a":{"b":1},"x":[{"b":3}],"a":{"b":{"b":2}}}`, "a.b.b", "2", nil},
		{`[1e999,1]`, "0.a", "", errNoValue},
		{`[1e999,1]`, "0", "1e999", nil},
		{`[1,2]`, "+1", "", errNoValue},
		{`[1,2]`, "2", "", errNoValue},
		{`{"1":"x"}`, "1", "x", nil},
		{`{"":7}`, "", `{"":7}`, nil},
		{` [ 1 , [ 2 ] ] `, "$.1", "[2]", nil},
		{`"text"`, "", "text", nil},
		{`"text"`, "0", "", errNoValue},
		{`{"o'neill":"\u0000"}`, "o'neill", "\x00", nil},
		{`[{"a":{"b":[]}},{"a":{"b":[null]}}]`, "1.a.b.0", "null", nil},
		{`{"a":1}x`, "a", "", errNotJSON},
		{`{"a":1`, "a", "", errNotJSON},
		{``, "", "", errNotJSON},
		{strings.Repeat("[", maxBody), "0", "", errNotJSON},
	} {
		if got, err := valueAt([]byte(c.body), c.path); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%.40s at %q: %q, %v", c.body, c.path, got, err)
		}
	}
}

func TestNoticesAreAboutChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on, old, now string
		want         bool
	}{
		{"", "a", "b", true},
		{"", "a", "a", false},
		{"change", "a", "b", true},
		{"always", "a", "b", true}, // a word of some clients
		{"match:ok", "a", "ok", true},
		{"match:ok", "ok", "ok", false},
		{"match:ok", "a", "b", false},
		{"not_match:ok", "ok", "a", true},
		{"not_match:ok", "a", "b", false},
		{"not_match:ok", "a", "ok", false},
	} {
		if got := (&watchRecord{NotifyOn: c.on, Value: c.old}).triggers(c.now); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestFailuresSlowAWatchDown(t *testing.T) {
	t.Parallel()
	r := watchRecord{Every: 5000, Seen: true, Value: "v"}
	for _, want := range []int64{5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900, 900, 900} {
		r.note(1000, "", errNoValue)
		if got := (r.Next - 1000) / 1000; got != want {
			t.Errorf("after %d failures: %d s, want %d", r.Failures, got, want)
		}
	}
	if r.Value != "v" || r.Failed != "there is no value at this path" {
		t.Errorf("record: %+v", r)
	}
	r.note(1000, "w", nil)
	if r.Next != 6000 || r.Failed != "" || r.Value != "w" {
		t.Errorf("record: %+v", r)
	}
	week := watchRecord{Every: 7 * 24 * 3600 * 1000}
	if week.note(0, "", errNoValue); week.Next != week.Every {
		t.Errorf("a slow watch became a fast one: %d", week.Next)
	}
}
