package sidecar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/infra/aws/sidecar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// page is an edge that says what the test wants.
type page struct {
	mu   sync.Mutex
	text string
}

func (p *page) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = fmt.Sprintf(format, args...)
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path != "/metrics" || p.text == "" {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, p.text)
}

// report reports once and returns the values of the line.
func report(t *testing.T, r *sidecar.Reporter, out *bytes.Buffer) map[string]any {
	t.Helper()
	out.Reset()
	if err := r.Report(t.Context(), time.UnixMilli(1_700_000_000_000)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines, want 1: the log driver makes an event of each", n)
	}
	var values map[string]any
	if err := json.Unmarshal(out.Bytes(), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestEveryMetricExistsOnARealEdge(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	mesh := e.NewMesh()
	mesh.Session(e, "ana")
	var out bytes.Buffer
	values := report(t, sidecar.NewReporter(sidecar.Config{Edge: e.HTTP, Fleet: "f"}, &out, discard), &out)
	for _, m := range sidecar.Metrics {
		if _, ok := values[m.Name]; !ok {
			t.Errorf("%s is not reported: the edge lacks one of %q, %q", m.Name, m.Add, m.Less)
		}
	}
	if values["Sockets"] != 1.0 || values["Handshakes"] != 1.0 {
		t.Errorf("with one peer: Sockets %v, Handshakes %v, want 1, 1", values["Sockets"], values["Handshakes"])
	}
}

func TestALineIsTheEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	p := &page{}
	srv := httptest.NewServer(p)
	defer srv.Close()
	p.say("# HELP edge_sockets sockets\n# TYPE edge_sockets gauge\nedge_sockets 3\nedge_resyncs_total 2\n")
	var out bytes.Buffer
	got := report(t, sidecar.NewReporter(sidecar.Config{Edge: srv.URL, Fleet: "blue"}, &out, discard), &out)
	want := map[string]any{
		"Fleet": "blue", "Sockets": 3.0, "Resyncs": 2.0,
		"_aws": map[string]any{
			"Timestamp": 1_700_000_000_000.0,
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": "claudemesh", "Dimensions": []any{[]any{"Fleet"}},
				"Metrics": []any{
					map[string]any{"Name": "Sockets", "Unit": "Count"},
					map[string]any{"Name": "Resyncs", "Unit": "Count"},
				},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestACounterIsReportedAsWhatWasAdded(t *testing.T) {
	t.Parallel()
	p := &page{}
	srv := httptest.NewServer(p)
	defer srv.Close()
	var out bytes.Buffer
	r := sidecar.NewReporter(sidecar.Config{Edge: srv.URL, Fleet: "f"}, &out, discard)
	for _, step := range []struct{ counter, want float64 }{
		{5, 5}, // the edge and its sidecar start together
		{12, 7},
		{12, 0},
		{1e+06, 999_988},
		{3, 3}, // the edge began anew
	} {
		p.say("edge_resyncs_total %v\n", step.counter)
		if got := report(t, r, &out)["Resyncs"]; got != step.want {
			t.Errorf("at %v: reported %v, want %v", step.counter, got, step.want)
		}
	}
}

func TestADepartureIsLateAfterASecond(t *testing.T) {
	t.Parallel()
	p := &page{}
	srv := httptest.NewServer(p)
	defer srv.Close()
	p.say("presence_lateness_seconds_bucket{le=\"0.5\"} 4\npresence_lateness_seconds_bucket{le=\"1\"} 7\n" +
		"presence_lateness_seconds_bucket{le=\"2\"} 9\npresence_lateness_seconds_count 10\n")
	var out bytes.Buffer
	got := report(t, sidecar.NewReporter(sidecar.Config{Edge: srv.URL, Fleet: "f"}, &out, discard), &out)
	if got["Departures"] != 10.0 || got["LateDepartures"] != 3.0 {
		t.Errorf("Departures %v, LateDepartures %v, want 10, 3", got["Departures"], got["LateDepartures"])
	}
}

func TestWhatTheEdgeDoesNotSayIsNotReportedAsZero(t *testing.T) {
	t.Parallel()
	p := &page{}
	srv := httptest.NewServer(p)
	defer srv.Close()
	p.say("edge_sockets 1\npresence_lateness_seconds_count 10\n")
	var out, log bytes.Buffer
	r := sidecar.NewReporter(sidecar.Config{Edge: srv.URL, Fleet: "f"}, &out, slog.New(slog.NewTextHandler(&log, nil)))
	if got, ok := report(t, r, &out)["LateDepartures"]; ok {
		t.Errorf("LateDepartures is %v although the buckets are missing", got)
	}
	if !strings.Contains(log.String(), "LateDepartures") {
		t.Errorf("the log does not name what is missing: %s", log.String())
	}
	p.say("something_else 1\n")
	if err := r.Report(t.Context(), time.Now()); err == nil {
		t.Error("a page with none of the metrics is no error")
	}
}

func TestTheEdgeMayEndTLSItself(t *testing.T) {
	t.Parallel()
	p := &page{}
	srv := httptest.NewTLSServer(p)
	defer srv.Close()
	p.say("edge_sockets 2\n")
	var out bytes.Buffer
	if got := report(t, sidecar.NewReporter(sidecar.Config{Edge: srv.URL, Fleet: "f"}, &out, discard), &out)["Sockets"]; got != 2.0 {
		t.Errorf("Sockets %v, want 2", got)
	}
}

func TestAnEdgeThatDoesNotAnswerIsAskedAgainUntilTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := sidecar.NewReporter(sidecar.Config{Edge: "no address", Fleet: "f"}, io.Discard, slog.New(slog.NewTextHandler(&log, nil)))
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- r.Run(ctx) }()
		time.Sleep(150 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := strings.Count(log.String(), "no metrics"); n != 2 {
			t.Errorf("asked %d times in 150 s, want 2", n)
		}
	})
}

// The environment belongs to the process, so this test runs alone.
func TestAFleetMustHaveAName(t *testing.T) {
	if _, err := sidecar.LoadConfig(); err == nil {
		t.Error("without SIDECAR_FLEET: no error")
	}
	t.Setenv("SIDECAR_FLEET", "blue")
	t.Setenv("SIDECAR_EDGE", "https://127.0.0.1:7900")
	got, err := sidecar.LoadConfig()
	if want := (sidecar.Config{Edge: "https://127.0.0.1:7900", Fleet: "blue"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}
