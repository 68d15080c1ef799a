package sidecar

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

const (
	// Namespace and Dimension are where CloudWatch files the metrics.
	Namespace = "claudemesh"
	Dimension = "Fleet"

	// every matches the period of the alarms.
	every = time.Minute
	// within is how long an edge may take to answer.
	within = 10 * time.Second
	// maxPage is more than an edge ever says about itself.
	maxPage = 4 << 20
)

// Config says whose metrics are reported as whose. It comes from the
// environment: SIDECAR_EDGE, SIDECAR_FLEET.
type Config struct {
	Edge  string `default:"http://127.0.0.1:7900"` // without a path
	Fleet string `required:"true"`
}

// LoadConfig reads the environment.
func LoadConfig() (Config, error) {
	var c Config
	if err := envconfig.Process("sidecar", &c); err != nil {
		return Config{}, fmt.Errorf("sidecar: environment: %w", err)
	}
	return c, nil
}

// Reporter turns the metrics of one edge into lines for CloudWatch.
type Reporter struct {
	cfg    Config
	out    io.Writer
	log    *slog.Logger
	client *http.Client
	before map[string]float64 // counters as of the last report
}

// NewReporter prepares a Reporter that writes to out.
func NewReporter(cfg Config, out io.Writer, log *slog.Logger) *Reporter {
	transport := &http.Transport{
		// The edge is in the same task, and its certificate is for the name that
		// peers use. Nobody can stand between the two.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
	}
	return &Reporter{
		cfg: cfg, out: out, log: log, before: map[string]float64{},
		client: &http.Client{Transport: transport, Timeout: within},
	}
}

// Run reports once a minute until ctx is done. An edge that does not answer is
// logged and asked again: it may not have started yet.
func (r *Reporter) Run(ctx context.Context) error {
	defer r.client.CloseIdleConnections()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := r.Report(ctx, now); err != nil && ctx.Err() == nil {
				r.log.WarnContext(ctx, "no metrics", "err", err)
			}
		}
	}
}

// Report reads the metrics once and writes one line.
func (r *Reporter) Report(ctx context.Context, now time.Time) error {
	series, err := r.read(ctx)
	if err != nil {
		return err
	}
	values, missing := r.values(series)
	if len(missing) > 0 {
		r.log.WarnContext(ctx, "metrics that the edge does not have", "names", missing)
	}
	if len(values) == 0 {
		return errors.New("sidecar: the edge has none of the metrics")
	}
	return json.NewEncoder(r.out).Encode(line(r.cfg.Fleet, now, values))
}

// read fetches /metrics: a value for each series, under the name it has there.
func (r *Reporter) read(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.cfg.Edge+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("sidecar: %w", err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sidecar: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sidecar: the edge answers %s", resp.Status)
	}
	return parse(io.LimitReader(resp.Body, maxPage))
}

// parse reads the text format as an edge writes it: without timestamps, and
// with no label value that contains a space.
func parse(text io.Reader) (map[string]float64, error) {
	series := map[string]float64{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		series[name] = v
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("sidecar: read metrics: %w", err)
	}
	return series, nil
}

// values computes every metric, and remembers the counters for the next time.
func (r *Reporter) values(series map[string]float64) (values map[string]float64, missing []string) {
	values = map[string]float64{}
	for _, m := range Metrics {
		v, ok := m.of(series)
		switch {
		case !ok:
			missing = append(missing, m.Name)
		case m.Gauge:
			values[m.Name] = v
		default:
			values[m.Name] = since(r.before[m.Name], v)
			r.before[m.Name] = v
		}
	}
	return values, missing
}

// since is what a counter has grown by. One that shrank has begun anew.
func since(before, now float64) float64 {
	if now < before {
		return now
	}
	return now - before
}

// line is one entry in the embedded metric format.
func line(fleet string, now time.Time, values map[string]float64) map[string]any {
	type metric struct {
		Name string
		Unit string
	}
	var metrics []metric
	entry := map[string]any{Dimension: fleet}
	for _, m := range Metrics {
		if v, ok := values[m.Name]; ok {
			metrics = append(metrics, metric{Name: m.Name, Unit: "Count"})
			entry[m.Name] = v
		}
	}
	entry["_aws"] = map[string]any{
		"Timestamp": now.UnixMilli(),
		"CloudWatchMetrics": []map[string]any{{
			"Namespace": Namespace, "Dimensions": [][]string{{Dimension}}, "Metrics": metrics,
		}},
	}
	return entry
}
