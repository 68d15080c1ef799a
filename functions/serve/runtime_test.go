package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// binaries builds both functions once, as they are deployed.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "functions")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"invite", "admin"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), "../cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("%w\n%s", err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := binaries(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func binary(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := binaries()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// A runtime is the runtime API of Lambda as one instance of a function sees it.
type runtime struct {
	tb      testing.TB
	server  *httptest.Server
	started time.Time
	asked   chan struct{} // closed when the instance is ready for its first event
	exited  chan struct{} // closed when the instance has ended
	events  chan invocation

	mu      sync.Mutex
	waiting map[string]chan answer
}

type invocation struct {
	id      string
	payload []byte
	within  time.Duration
}

// answer is what the instance said about one event.
type answer struct {
	failed bool
	Status int               `json:"statusCode"`
	Header map[string]string `json:"headers"`
	Body   string            `json:"body"`
}

// start runs one instance. More than one event at a time is what Lambda's
// managed instances do.
func start(tb testing.TB, name string, concurrency int, env ...string) *runtime {
	tb.Helper()
	rt := &runtime{
		tb: tb, asked: make(chan struct{}), exited: make(chan struct{}), events: make(chan invocation), waiting: map[string]chan answer{},
	}
	rt.server = httptest.NewServer(rt)
	cmd := exec.Command(binary(tb, name))
	cmd.Env = append(env,
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(rt.server.URL, "http://"),
		fmt.Sprintf("AWS_LAMBDA_MAX_CONCURRENCY=%d", concurrency))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	rt.started = time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(rt.exited)
		_ = cmd.Wait()
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-rt.exited
		rt.server.CloseClientConnections()
		rt.server.Close()
		if tb.Failed() {
			tb.Logf("%s said:\n%s", name, stderr.Bytes())
		}
	})
	return rt
}

// ServeHTTP is the runtime API.
func (rt *runtime) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const prefix = "/2018-06-01/runtime/invocation/"
	id, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, prefix), "/")
	if id == "next" {
		rt.next(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	rt.mu.Lock()
	to := rt.waiting[id]
	delete(rt.waiting, id)
	rt.mu.Unlock()
	a := answer{failed: what != "response", Body: string(body)}
	if !a.failed {
		a.Body = ""
		if err := json.Unmarshal(body, &a); err != nil {
			a.failed = true
		}
	}
	if to != nil {
		to <- a
	}
	w.WriteHeader(http.StatusAccepted)
}

func (rt *runtime) next(w http.ResponseWriter, r *http.Request) {
	rt.mu.Lock()
	select {
	case <-rt.asked:
	default:
		close(rt.asked)
	}
	rt.mu.Unlock()
	select {
	case e := <-rt.events:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", e.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(e.within).UnixMilli()))
		_, _ = w.Write(e.payload)
	case <-r.Context().Done():
	}
}

// invoke sends one event and waits for what comes of it, at most as long as
// the function may take.
func (rt *runtime) invoke(payload []byte, within time.Duration) answer {
	rt.tb.Helper()
	id, to := wire.NewID(12), make(chan answer, 1)
	rt.mu.Lock()
	rt.waiting[id] = to
	rt.mu.Unlock()
	give := time.NewTimer(within + 10*time.Second)
	defer give.Stop()
	select {
	case rt.events <- invocation{id, payload, within}:
	case <-give.C:
		rt.tb.Error("the instance takes no events")
		return answer{}
	}
	give.Reset(within)
	select {
	case a := <-to:
		return a
	case <-give.C:
		rt.tb.Errorf("no answer within %v", within)
		return answer{}
	}
}

// urlEvent is what a function URL makes of a request.
func urlEvent(tb testing.TB, r *http.Request, body string) []byte {
	tb.Helper()
	headers := map[string]string{"host": "x.lambda-url.eu-central-1.on.aws"}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	b, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": r.URL.EscapedPath(), "rawQueryString": r.URL.RawQuery,
		"headers": headers, "body": body, "isBase64Encoded": false,
		"requestContext": map[string]any{"stage": "$default", "http": map[string]any{
			"method": r.Method, "path": r.URL.Path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7",
		}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// balancerEvent is what a target group of a balancer makes of a request that an
// edge has forwarded.
func balancerEvent(tb testing.TB, r *http.Request, body string, multi bool) []byte {
	tb.Helper()
	one, many := map[string]string{}, map[string][]string{}
	set := func(name, value string) { one[name], many[name] = value, []string{value} }
	for name, values := range r.Header {
		set(strings.ToLower(name), strings.Join(values, ","))
	}
	set("host", "mesh.example")
	set("x-forwarded-for", "203.0.113.7, 10.0.0.5")
	event := map[string]any{
		"requestContext": map[string]any{"elb": map[string]any{"targetGroupArn": "arn:aws:elasticloadbalancing:x"}},
		"httpMethod":     r.Method, "path": r.URL.EscapedPath(), "body": body, "isBase64Encoded": false,
	}
	name, value, _ := strings.Cut(r.URL.RawQuery, "=")
	if multi {
		event["multiValueHeaders"] = many
		event["multiValueQueryStringParameters"] = map[string][]string{name: {value}}
	} else {
		event["headers"] = one
		event["queryStringParameters"] = map[string]string{name: value}
	}
	b, err := json.Marshal(event)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
