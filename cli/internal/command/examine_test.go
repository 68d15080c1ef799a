package command

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
)

func TestAClockThatIsOffIsToldBeforeTheBrokerRefusesIt(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	for off, want := range map[time.Duration]verdict{
		0: fine, 5 * time.Second: fine, 20 * time.Second: warned, -20 * time.Second: warned, 2 * time.Minute: broken, -time.Hour: broken,
	} {
		f := clock(now.Add(-off), now, now)
		if f.Verdict != want || (want == fine) != (f.Remedy == "") {
			t.Errorf("%v off: %+v", off, f)
		}
	}
}

func TestAnOpenWayToABrokerElsewhereIsAWarning(t *testing.T) {
	t.Parallel()
	now := time.Now()
	until := func(d time.Duration) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{NotAfter: now.Add(d)}}}
	}
	for _, c := range []struct {
		address string
		state   *tls.ConnectionState
		want    verdict
	}{
		{"ws://127.0.0.1:7900/ws", nil, fine},
		{"ws://[::1]:7900/ws", nil, fine},
		{"ws://localhost/ws", nil, fine},
		{"ws://broker.example/ws", nil, warned},
		{"wss://broker.example/ws", until(90 * 24 * time.Hour), fine},
		{"wss://broker.example/ws", until(24 * time.Hour), warned},
	} {
		if f := certificate(c.address, c.state, now); f.Verdict != c.want {
			t.Errorf("%s: %+v", c.address, f)
		}
	}
}

func TestWhatIsWrongOnTheWayIsNamed(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"there is no host nowhere.example": &net.DNSError{Name: "nowhere.example"},
		"connection refused":               &net.OpError{Err: errors.New("connection refused")},
		"does not answer":                  errors.New("timeout"),
		"certificate":                      &tls.CertificateVerificationError{Err: errors.New("x")},
	} {
		f := unreachable("wss://broker.example/ws", err)
		if !strings.Contains(f.Detail, want) || f.Verdict != broken || f.Remedy == "" {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

// TestAHookTellsEveryBrokerOnceAndWaitsForNone has three meshes on two brokers,
// one of which never answers.
func TestAHookTellsEveryBrokerOnceAndWaitsForNone(t *testing.T) {
	t.Parallel()
	calls := make(chan hookBody, 8)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body hookBody
		if r.Method == http.MethodPost && r.URL.Path == "/hook/set-status" && json.NewDecoder(r.Body).Decode(&body) == nil {
			calls <- body
		}
	}))
	defer up.Close()
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	m := newMachine(t, "")
	store, err := identity.Open(func(name string) string { return map[string]string{identity.EnvConfigDir: m.dir}[name] })
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(func(c *identity.Config) error {
		for _, url := range []string{"ws" + strings.TrimPrefix(up.URL, "http") + "/ws", "ws" + strings.TrimPrefix(up.URL, "http") + "/ws", "ws://" + deaf.Addr().String() + "/ws"} {
			c.Add(identity.Mesh{Slug: "m", BrokerURL: url})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, talk, code := m.run("hook", "working"); out+talk != "" || code != 0 {
		t.Errorf("exit %d, %q", code, out+talk)
	}
	if took := time.Since(began); took > 4*hookWithin {
		t.Errorf("it took %v", took)
	}
	if got := <-calls; got.Cwd != "/somewhere" || got.Status != "working" || got.PID == 0 {
		t.Errorf("told %+v", got)
	}
	if len(calls) > 0 {
		t.Error("told one broker twice")
	}
}
