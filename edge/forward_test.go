package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
)

// echo tells what reached it.
func echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s key=%s from=%s body=%d %v",
			name, r.Method, r.RequestURI, r.Header.Get(wire.HeaderKey), r.Header.Get("X-Forwarded-For"), len(body), err)
	})
}

func startForwarding(t *testing.T, setting string) *edgetest.Edge {
	t.Helper()
	return edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.Functions = setting }))
}

func TestRequestsForFunctionsElsewhereArriveAsTheyWereSent(t *testing.T) {
	t.Parallel()
	invites, administration := httptest.NewServer(echo("invites")), httptest.NewServer(echo("admin"))
	defer invites.Close()
	defer administration.Close()
	e := startForwarding(t, invites.URL+","+administration.URL)
	signed := map[string]string{wire.HeaderKey: "k", "X-Forwarded-For": "203.0.113.9"}
	for target, want := range map[string]string{
		"/join":               "invites POST /join key=k from=127.0.0.1 body=2 <nil>",
		"/v1/meshes/m?a=b%2F": "admin POST /v1/meshes/m?a=b%2F key=k from=127.0.0.1 body=2 <nil>",
		"/invites/C/claim":    "invites POST /invites/C/claim key=k from=127.0.0.1 body=2 <nil>",
	} {
		if status, body := do(t, http.MethodPost, e.HTTP+target, "{}", signed); status != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", target, status, body, want)
		}
	}
}

func TestAFunctionThatIsAwayIsSaidToBe(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(echo("gone"))
	gone.Close()
	e := startForwarding(t, gone.URL)
	for path, want := range map[string]string{
		"/join": `{"error":"unavailable","ok":false}`, "/v1/meshes": `{"error":{"code":"unavailable","message":"unavailable"}}`,
	} {
		if status, body := do(t, http.MethodPost, e.HTTP+path, "{}", nil); status != 503 || strings.TrimSpace(body) != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
}

func TestALargeBodyIsNotForwarded(t *testing.T) {
	t.Parallel()
	functions := httptest.NewServer(echo("functions"))
	defer functions.Close()
	e := startForwarding(t, functions.URL)
	for path, want := range map[string]string{
		"/join": `{"error":"payload too large","ok":false}`, "/invites/x/claim": `{"error":"payload too large","ok":false}`,
		"/v1/meshes": `{"error":{"code":"too_large","message":"payload too large"}}`,
	} {
		status, body := do(t, http.MethodPost, e.HTTP+path, strings.Repeat("x", wire.MaxHTTPBody+1), nil)
		if status != 413 || strings.TrimSpace(body) != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
}

func TestOnlyABrowserThatLooksAtAPageIsRedirectedAndOnlyToAPublicAddress(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(echo("inside"))
	defer inside.Close()
	for _, c := range []struct {
		functions, accept string
		want              int
	}{
		{"https://functions.example", "text/html,*/*", http.StatusTemporaryRedirect},
		{"https://127.0.0.1:1", "application/json", http.StatusServiceUnavailable},
		{inside.URL, "text/html,*/*", http.StatusOK},
	} {
		e := startForwarding(t, c.functions)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.HTTP+"/i/CODE?x=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", c.accept)
		resp, err := plain.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%+v: %d", c, resp.StatusCode)
		}
		if got := resp.Header.Get("Location"); c.want == http.StatusTemporaryRedirect && got != c.functions+"/i/CODE?x=1" {
			t.Errorf("%+v: to %q", c, got)
		}
	}
}

func TestAnAddressOfFunctionsIsCheckedAtTheStart(t *testing.T) {
	for _, bad := range []string{"nowhere", "ftp://h", "http://", "http://h/path", "http://a,http://b,http://c", "http://u:p@h"} {
		t.Setenv("EDGE_FUNCTIONS", bad)
		if _, err := edge.LoadConfig(); err == nil || !strings.Contains(err.Error(), "EDGE_FUNCTIONS") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestAttackForgedClientAddress sends what only an edge may say. A function
// that shares a token with the edges must hear it from none but them.
func TestAttackForgedClientAddress(t *testing.T) {
	t.Parallel()
	functions := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header.Values(door.HeaderEdgeToken), r.Header.Values(door.HeaderClient))
	}))
	defer functions.Close()
	const token = "a token that edges have"
	forged := map[string]string{door.HeaderEdgeToken: token, door.HeaderClient: "203.0.113.9"}
	for configured, want := range map[string]string{
		token: `["a token that edges have"] ["127.0.0.1"]`,
		"":    `[] []`,
	} {
		e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) {
			c.Functions, c.FunctionsToken = functions.URL, edge.Secret(configured)
		}))
		if _, body := do(t, http.MethodPost, e.HTTP+"/join", "{}", forged); body != want {
			t.Errorf("with token %q the function heard %s, want %s", configured, body, want)
		}
	}
}
