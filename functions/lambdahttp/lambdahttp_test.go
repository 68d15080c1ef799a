package lambdahttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
	"github.com/claudemesh/claudemesh/functions/lambdahttp"
)

func event(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// answer is what all sources have in common.
type answer struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

func invoke(tb testing.TB, h http.HandlerFunc, o lambdahttp.Options, event []byte) answer {
	tb.Helper()
	out, err := lambdahttp.NewHandler(h, o).Invoke(tb.Context(), event)
	if err != nil {
		tb.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		tb.Fatal(err)
	}
	return a
}

func TestEveryKindOfEventBecomesTheRequestThatWasSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ target, from string }{
		"function_url": {"/echo/a%2Fb?limit=5&after=x%20y", "203.0.113.7"},
		"alb":          {"/echo/a%2Fb?after=x%20y&limit=5", "203.0.113.7"},
		"alb_multi":    {"/echo/a%2Fb?after=x%20y&limit=5", "203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != `{"a":1}` || r.Method != "POST" {
					t.Errorf("%s %q, %v", r.Method, body, err)
				}
				if r.RequestURI != c.target || r.URL.RequestURI() != c.target || r.URL.Query().Get("after") != "x y" {
					t.Errorf("target %q, URL %q, want %q", r.RequestURI, r.URL.RequestURI(), c.target)
				}
				if r.RemoteAddr != c.from {
					t.Errorf("from %q, want %q", r.RemoteAddr, c.from)
				}
				if r.Header.Get("Claudemesh-Nonce") != "n" || r.Host == "" {
					t.Errorf("headers %v, host %q", r.Header, r.Host)
				}
				w.Header().Add("Vary", "a")
				w.Header().Add("Vary", "b")
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, "é")
			}, lambdahttp.Options{Proxies: 2}, event(t, name))
			if got.StatusCode != 201 || got.Body != "é" || got.IsBase64Encoded {
				t.Errorf("got %+v", got)
			}
			if multi := name == "alb_multi"; multi != (len(got.MultiValueHeaders["Vary"]) == 2) || multi == (got.Headers["Vary"] == "a, b") {
				t.Errorf("headers %v, %v", got.Headers, got.MultiValueHeaders)
			}
			if (name == "function_url") == (got.StatusDescription == "201 Created") {
				t.Errorf("description %q", got.StatusDescription)
			}
		})
	}
}

func TestAHopThatAStrangerWroteIsNotBelieved(t *testing.T) {
	t.Parallel()
	for proxies, want := range map[int]string{0: "10.0.0.5", 1: "10.0.0.5", 2: "203.0.113.7", 3: "198.51.100.9", 4: ""} {
		invoke(t, func(_ http.ResponseWriter, r *http.Request) {
			if r.RemoteAddr != want {
				t.Errorf("%d proxies: got %q, want %q", proxies, r.RemoteAddr, want)
			}
		}, lambdahttp.Options{Proxies: proxies}, event(t, "alb"))
	}
}

func TestBytesThatAreNoTextAreEncoded(t *testing.T) {
	t.Parallel()
	got := invoke(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0}) }, lambdahttp.Options{}, event(t, "alb"))
	if !got.IsBase64Encoded || got.Body != "/wA=" || got.StatusCode != 200 {
		t.Errorf("got %+v", got)
	}
}

func TestAnEventThatIsNoRequestIsAnError(t *testing.T) {
	t.Parallel()
	h := lambdahttp.NewHandler(http.NotFoundHandler(), lambdahttp.Options{})
	for _, text := range []string{
		``, `null`, `{}`, `[]`, `{"source":"aws.events"}`, `{"requestContext":{"http":7}}`,
	} {
		if _, err := h.Invoke(t.Context(), []byte(text)); !errors.Is(err, lambdahttp.ErrEvent) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// TestAttackRequestsThatAreNone sends what a web server answers with 400. A
// failed invocation would be a 502 that wakes somebody.
func TestAttackRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"requestContext":{"http":{"method":"G T"}},"rawPath":"/"}`, `{"requestContext":{"http":{"method":"GET"}},"rawPath":"x"}`,
		`{"requestContext":{"http":{"method":"GET"}},"rawPath":"/i/%zz"}`, `{"requestContext":{"http":{"method":"GET"}},"rawPath":""}`,
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/%","headers":{}}`,
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","isBase64Encoded":true,"body":"!"}`,
	} {
		called := func(http.ResponseWriter, *http.Request) { t.Errorf("%s: was served", text) }
		if got := invoke(t, called, lambdahttp.Options{}, []byte(text)); got.StatusCode != 400 {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func TestAHandlerThatHangsOrPanicsIsAnsweredFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	release := make(chan struct{})
	defer close(release)
	out, err := lambdahttp.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }),
		lambdahttp.Options{}).Invoke(ctx, event(t, "alb"))
	if err != nil || ctx.Err() != nil {
		t.Fatalf("%v, %v", err, ctx.Err())
	}
	if !strings.Contains(string(out), `"statusCode":503`) || !strings.Contains(string(out), `"Retry-After":"2"`) {
		t.Errorf("got %s", out)
	}
	if got := invoke(t, func(http.ResponseWriter, *http.Request) { panic("x") }, lambdahttp.Options{}, event(t, "alb")); got.StatusCode != 500 {
		t.Errorf("got %+v", got)
	}
}

// TestAnAnswerThatLambdaWouldCutIsAClearRefusal: a balancer hands on 1 MB, a
// function URL 6 MB, as the event's JSON; beyond that the caller gets a 502.
func TestAnAnswerThatLambdaWouldCutIsAClearRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event  string
		body   string
		status int
	}{
		{"alb", strings.Repeat("x", 900_000), 200},
		{"alb", strings.Repeat("x", 1_000_000), 500},
		{"alb", strings.Repeat(`"`, 600_000), 500},
		{"alb_multi", strings.Repeat("x", 1_000_000), 500},
		{"function_url", strings.Repeat("x", 1_000_000), 200},
		{"alb", strings.Repeat("\xff", 800_000), 500},
		{"function_url", strings.Repeat("x", 6_000_001), 500},
	} {
		got := invoke(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.body) }, lambdahttp.Options{}, event(t, c.event))
		if got.StatusCode != c.status || c.status == 500 && !strings.Contains(got.Body, "too large") {
			t.Errorf("%d bytes of %.1q by %s: %d %.80s", len(c.body), c.body, c.event, got.StatusCode, got.Body)
		}
	}
}

// TestALongListFitsCompressed answers with more members than a balancer would
// hand on as they are.
func TestALongListFitsCompressed(t *testing.T) {
	t.Parallel()
	members := make([]wire.MeshMember, 4500)
	for i := range members {
		members[i] = wire.MeshMember{
			MemberID: wire.NewID(wire.LongID), Pubkey: wire.TokenHash(strconv.Itoa(i)), DisplayName: fmt.Sprint("member ", i),
			Role: wire.RoleMember, MessageMode: wire.ModePush, JoinedAt: wire.At(time.Now()),
		}
	}
	list := func(w http.ResponseWriter, _ *http.Request) {
		door.JSON(w, http.StatusOK, wire.MembersResponse{Members: members})
	}
	for _, name := range []string{"alb", "alb_multi"} {
		plain := event(t, name)
		if got := invoke(t, list, lambdahttp.Options{}, plain); got.StatusCode != 500 {
			t.Errorf("%s, to a client that reads no gzip: %d", name, got.StatusCode)
		}
		with := bytes.Replace(bytes.Replace(plain, []byte(`"headers": {`), []byte(`"headers": {"accept-encoding": "gzip",`), 1),
			[]byte(`"multiValueHeaders": {`), []byte(`"multiValueHeaders": {"accept-encoding": ["gzip"],`), 1)
		got := invoke(t, list, lambdahttp.Options{}, with)
		encoding := got.Headers["Content-Encoding"] + strings.Join(got.MultiValueHeaders["Content-Encoding"], "")
		if got.StatusCode != 200 || encoding != "gzip" || !got.IsBase64Encoded {
			t.Fatalf("%s: %d, %q, %.80s", name, got.StatusCode, encoding, got.Body)
		}
		z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(got.Body)))
		if err != nil {
			t.Fatal(err)
		}
		var out wire.MembersResponse
		if err := json.NewDecoder(z).Decode(&out); err != nil || len(out.Members) != len(members) {
			t.Errorf("%s: %d came out, %v", name, len(out.Members), err)
		}
	}
}

func FuzzEvent(f *testing.F) {
	for _, name := range []string{"function_url", "alb", "alb_multi"} {
		f.Add(event(f, name))
	}
	h := lambdahttp.NewHandler(http.NotFoundHandler(), lambdahttp.Options{Proxies: 1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		out, err := h.Invoke(t.Context(), payload)
		if (err == nil) != json.Valid(out) || err != nil && !errors.Is(err, lambdahttp.ErrEvent) {
			t.Errorf("got %q, %v", out, err)
		}
	})
}
