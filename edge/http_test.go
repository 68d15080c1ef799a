package edge_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
)

// plain makes requests whose connections do not outlive them.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	return do(t, http.MethodGet, url, "", nil)
}

func do(t *testing.T, method, url, body string, header map[string]string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func upgradeStatus(t *testing.T, e *edgetest.Edge, path string) int {
	t.Helper()
	status, _ := do(t, http.MethodGet, e.HTTP+path, "", map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	})
	return status
}

func TestOnlyTheExactPathUpgrades(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	for path, want := range map[string]int{"/ws?a=b": 404, "/ws?": 404, "/ws/": 404, "/": 404, "/wss": 404, "/health": 200} {
		if got := upgradeStatus(t, e, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if status, body := get(t, e.HTTP+"/ws"); status != 426 || !strings.Contains(body, "WebSocket") {
		t.Errorf("plain GET: %d %q", status, body)
	}
	if status, body := get(t, e.HTTP+"/"); status != 404 || !strings.Contains(body, "/ws") {
		t.Errorf("GET /: %d %q", status, body)
	}
}

func TestHealthTellsWhetherRedisIsThere(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	status, body := get(t, e.HTTP+"/health")
	var report map[string]any
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatal(err)
	}
	if status != 200 || report["status"] != "ok" || report["redis"] != "up" || report["db"] != "up" {
		t.Errorf("%d %s", status, body)
	}
	for _, field := range []string{"version", "gitSha", "uptime"} {
		if _, ok := report[field]; !ok {
			t.Errorf("no %s in %s", field, body)
		}
	}
	e.Redis.Pause()
	defer e.Redis.Resume()
	if status, body := get(t, e.HTTP+"/health"); status != 503 || !strings.Contains(body, `"redis":"down"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := get(t, e.HTTP+"/health/ready"); status != 503 {
		t.Errorf("ready without Redis: %d", status)
	}
}

func TestEverySeriesExistsFromTheStart(t *testing.T) {
	t.Parallel()
	_, body := get(t, edgetest.Start(t).HTTP+"/metrics")
	for _, series := range []string{
		"edge_sockets 0", "edge_strangers 0", `edge_frames_total{type="send"} 0`,
		`edge_sockets_closed_total{reason="slow_consumer"} 0`, `edge_bound_hits_total{bound="outbox"} 0`,
		"presence_lateness_seconds_count 0",
	} {
		if !strings.Contains(body, series) {
			t.Errorf("no %s", series)
		}
	}
}

func TestAnEdgeWithoutFunctionsSaysSo(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.Functions = "off" }))
	for _, path := range []string{"/join", "/v1/meshes"} {
		if status, body := do(t, http.MethodPost, e.HTTP+path, "{}", nil); status != 503 || !strings.Contains(body, "not_configured") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestAnEdgeServesFunctions(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	for _, path := range []string{"/join", "/v1/meshes"} {
		if status, body := do(t, http.MethodPost, e.HTTP+path, "{}", nil); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestTheCountsCanBeKeptFromThePublicPort(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.MetricsAddr = "127.0.0.1:0" }))
	if status, body := get(t, e.HTTP+"/metrics"); status != http.StatusNotFound || strings.Contains(body, "edge_sockets") {
		t.Errorf("on the public port: %d", status)
	}
	if status, body := get(t, e.Server.MetricsURL()); status != http.StatusOK || !strings.Contains(body, "edge_sockets 0") {
		t.Errorf("on its own: %d", status)
	}
	if status, _ := get(t, strings.TrimSuffix(e.Server.MetricsURL(), "/metrics")+"/health"); status != http.StatusNotFound {
		t.Errorf("its address serves more: %d", status)
	}
	taken := edge.DefaultConfig()
	taken.RedisURL, taken.MetricsAddr = edge.Secret(e.Redis.URL()), e.Addr
	if s, err := edge.New(t.Context(), taken, slog.New(slog.DiscardHandler)); err == nil {
		_ = s.Close()
		t.Error("an edge starts although its address for metrics is taken")
	}
}
