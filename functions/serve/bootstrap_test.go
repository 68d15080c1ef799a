package serve_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/functionstest"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// lambdaTimeout is the timeout that the template gives the functions.
const lambdaTimeout = 10 * time.Second

func joinEvent(tb testing.TB, i wire.Invite, token string, peer ed25519.PrivateKey) []byte {
	tb.Helper()
	body, err := json.Marshal(wire.NewJoinRequest(&i, token, "ana", peer, time.Now()))
	if err != nil {
		tb.Fatal(err)
	}
	return urlEvent(tb, functionstest.Request("POST", "/join", nil), string(body))
}

func createEvent(tb testing.TB, owner ed25519.PrivateKey) []byte {
	tb.Helper()
	body, err := json.Marshal(wire.CreateMeshRequest{
		Name: "Acme", OwnerPubkey: wire.PublicKey(owner), MemberPubkey: wire.PublicKey(functionstest.Key()), DisplayName: "ana",
	})
	if err != nil {
		tb.Fatal(err)
	}
	r := functionstest.Request("POST", "/v1/meshes", body)
	wire.SignRequest(r, body, owner, time.Now())
	return urlEvent(tb, r, string(body))
}

func TestTheBootstrapTakesPeopleIn(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	mesh := functionstest.NewMesh(t, registry.New(server.Client(t), registry.Options{}))
	i, token, _ := mesh.Invite(t, wire.RoleMember, 1, time.Now().Add(time.Hour))
	rt := start(t, "invite", 1, "FUNCTIONS_REDIS_URL="+server.URL())
	peer := functionstest.Key()
	first := rt.invoke(joinEvent(t, i, token, peer), lambdaTimeout)
	again := rt.invoke(joinEvent(t, i, token, peer), lambdaTimeout)
	other := rt.invoke(joinEvent(t, i, token, functionstest.Key()), lambdaTimeout)
	if first.Status != 200 || again.Status != 200 || !strings.Contains(again.Body, "alreadyMember") {
		t.Errorf("got %+v, then %+v", first, again)
	}
	if other.Status != 400 || !strings.Contains(other.Body, wire.JoinExhausted) {
		t.Errorf("a second newcomer: %+v", other)
	}
	if missing := rt.invoke(urlEvent(t, functionstest.Request("GET", "/", nil), ""), lambdaTimeout); missing.Status != 404 {
		t.Errorf("no such path: %+v", missing)
	}
	if junk := rt.invoke([]byte(`{"a":1}`), lambdaTimeout); !junk.failed {
		t.Errorf("no request at all: %+v", junk)
	}
}

// TestTheBootstrapAnswersEveryKindOfEvent sends one signed request as a function
// URL and an HTTP API write it, and as both kinds of target group do.
func TestTheBootstrapAnswersEveryKindOfEvent(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rt := start(t, "admin", 1, "FUNCTIONS_REDIS_URL="+server.URL(), "FUNCTIONS_PROXIES=2")
	for _, multi := range []bool{false, true} {
		owner := functionstest.Key()
		made := rt.invoke(createEvent(t, owner), lambdaTimeout)
		if made.Status != 201 {
			t.Fatalf("by an address of its own: %+v", made)
		}
		r := functionstest.Request("GET", "/v1/meshes?a=x%20y", nil)
		wire.SignRequest(r, nil, owner, time.Now())
		if a := rt.invoke(balancerEvent(t, r, "", multi), lambdaTimeout); a.Status != 200 || !strings.Contains(a.Body, "Acme") {
			t.Errorf("by a balancer, multi-value headers %v: %+v", multi, a)
		}
	}
}

func TestTheBootstrapMakesMeshesAsTheOperatorSays(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	open := start(t, "admin", 1, "FUNCTIONS_REDIS_URL="+server.URL(), "FUNCTIONS_PUBLIC_URL=https://mesh.example")
	if a := open.invoke(createEvent(t, functionstest.Key()), lambdaTimeout); a.Status != 201 ||
		!strings.Contains(a.Body, `"brokerUrl":"wss://mesh.example/ws"`) {
		t.Errorf("open: %+v", a)
	}
	closed := start(t, "admin", 1, "FUNCTIONS_REDIS_URL="+server.URL(), "FUNCTIONS_MESH_CREATION=token", "FUNCTIONS_OPERATOR_TOKEN=correct horse battery")
	if a := closed.invoke(createEvent(t, functionstest.Key()), lambdaTimeout); a.Status != 403 || !strings.Contains(a.Body, string(wire.CodeOperatorToken)) {
		t.Errorf("by token: %+v", a)
	}
}

// TestConcurrentInvocationsAreAnsweredEach runs what Lambda does under load:
// several instances, some of which take several events at a time.
func TestConcurrentInvocationsAreAnsweredEach(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	mesh := functionstest.NewMesh(t, registry.New(server.Client(t), registry.Options{}))
	const uses, newcomers = 10, 24
	i, token, _ := mesh.Invite(t, wire.RoleMember, uses, time.Now().Add(time.Hour))
	instances := []*runtime{
		start(t, "invite", 1, "FUNCTIONS_REDIS_URL="+server.URL()),
		start(t, "invite", 1, "FUNCTIONS_REDIS_URL="+server.URL()),
		start(t, "invite", 8, "FUNCTIONS_REDIS_URL="+server.URL()),
	}
	got := make([]answer, newcomers)
	var wg sync.WaitGroup
	for n := range newcomers {
		event, rt := joinEvent(t, i, token, functionstest.Key()), instances[n%len(instances)]
		wg.Go(func() { got[n] = rt.invoke(event, lambdaTimeout) })
	}
	wg.Wait()
	in := 0
	for _, a := range got {
		switch {
		case a.Status == 200:
			in++
		case a.Status != 400 || !strings.Contains(a.Body, wire.JoinExhausted):
			t.Errorf("got %+v", a)
		}
	}
	if in != uses {
		t.Errorf("%d came in by %d uses", in, uses)
	}
}

func TestRedisAwayIs503WithRetryAfterAndNeverAHang(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	mesh := functionstest.NewMesh(t, registry.New(server.Client(t), registry.Options{}))
	i, token, _ := mesh.Invite(t, wire.RoleMember, 9, time.Now().Add(time.Hour))
	away := func(what string, a answer) {
		t.Helper()
		if a.Status != 503 || a.Header["Retry-After"] == "" {
			t.Errorf("%s: got %+v", what, a)
		}
	}
	warm := start(t, "invite", 1, "FUNCTIONS_REDIS_URL="+server.URL())
	if a := warm.invoke(joinEvent(t, i, token, functionstest.Key()), lambdaTimeout); a.Status != 200 {
		t.Fatalf("warm up: %+v", a)
	}
	server.Pause()
	away("stalled", warm.invoke(joinEvent(t, i, token, functionstest.Key()), lambdaTimeout))
	away("stalled, and little time", warm.invoke(joinEvent(t, i, token, functionstest.Key()), 2*time.Second))
	server.Resume()
	if a := warm.invoke(joinEvent(t, i, token, functionstest.Key()), lambdaTimeout); a.Status != 200 {
		t.Errorf("after the stall: %+v", a)
	}
	server.Stop()
	away("gone", warm.invoke(joinEvent(t, i, token, functionstest.Key()), lambdaTimeout))
	for _, name := range []string{"invite", "admin"} {
		cold := start(t, name, 1, "FUNCTIONS_REDIS_URL="+server.URL())
		event := joinEvent(t, i, token, functionstest.Key())
		if name == "admin" {
			event = createEvent(t, functionstest.Key())
		}
		away("gone at a cold start", cold.invoke(event, lambdaTimeout))
	}
}

func TestAWrongConfigurationIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{
		"FUNCTIONS_REDIS_URL=":              "FUNCTIONS_REDIS_URL",
		"FUNCTIONS_REDIS=redis://x":         "FUNCTIONS_REDIS",
		"FUNCTIONS_MESH_CREATION=everybody": "must be open, token or closed",
		"FUNCTIONS_MESH_CREATION=token":     "needs FUNCTIONS_OPERATOR_TOKEN",
		"FUNCTIONS_OPERATOR_TOKEN=short":    "16 characters",
		"FUNCTIONS_PUBLIC_URL=mesh.example": "FUNCTIONS_PUBLIC_URL",
		"FUNCTIONS_PROXIES=-1":              "FUNCTIONS_PROXIES",
		"FUNCTIONS_REDIS_URL=secret:arn:x":  "extension",
		"OTHER=1":                           "FUNCTIONS_ADDR",
	} {
		cmd := exec.Command(binary(t, "admin"))
		cmd.Env = []string{env, "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT=1"}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "=short") {
			t.Errorf("%s: %v, said %s", env, err, out)
		}
	}
}

func TestWithoutLambdaTheSameBinaryServesPlainHTTP(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	base := serve(t, "admin", "FUNCTIONS_REDIS_URL="+server.URL())
	health, err := http.Get(base + "/health")
	if err != nil || health.StatusCode != 200 {
		t.Fatalf("health: %v, %v", health, err)
	}
	_ = health.Body.Close()
	owner := functionstest.Key()
	body, err := json.Marshal(wire.CreateMeshRequest{
		Name: "Acme", OwnerPubkey: wire.PublicKey(owner), MemberPubkey: wire.PublicKey(functionstest.Key()), DisplayName: "ana",
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", base+"/v1/meshes", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	wire.SignRequest(r, body, owner, time.Now())
	made, err := http.DefaultClient.Do(r)
	if err != nil || made.StatusCode != 201 {
		t.Fatalf("create: %v, %v", made, err)
	}
	_ = made.Body.Close()
}

// BenchmarkColdStart logs what a newcomer waits for when no instance is warm:
// the process up to its first event, and the first answer, which includes the
// connection to Redis. Lambda adds the start of its sandbox.
func BenchmarkColdStart(b *testing.B) {
	server := redistest.Start(b)
	mesh := functionstest.NewMesh(b, registry.New(server.Client(b), registry.Options{}))
	i, token, _ := mesh.Invite(b, wire.RoleMember, 1000, time.Now().Add(time.Hour))
	var ready, first, warm time.Duration
	runs := 0
	for b.Loop() {
		rt := start(b, "invite", 1, "FUNCTIONS_REDIS_URL="+server.URL())
		<-rt.asked
		ready += time.Since(rt.started)
		for _, spent := range []*time.Duration{&first, &warm} {
			event, began := joinEvent(b, i, token, functionstest.Key()), time.Now()
			rt.invoke(event, lambdaTimeout)
			*spent += time.Since(began)
		}
		runs++
	}
	n := float64(max(runs, 1)) * float64(time.Millisecond)
	b.ReportMetric(float64(ready)/n, "ms-until-ready")
	b.ReportMetric(float64(first)/n, "ms-first-answer")
	b.ReportMetric(float64(warm)/n, "ms-warm-answer")
}
