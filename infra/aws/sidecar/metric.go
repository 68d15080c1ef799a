package sidecar

// A Metric is one of ours in CloudWatch, made of series of an edge.
type Metric struct {
	Name  string
	Gauge bool     // as it is; otherwise what was added since the last report
	Add   []string // series that are summed, as /metrics writes them
	Less  []string // series that are taken away
}

// Metrics lists what is reported. Few on purpose: CloudWatch charges by metric,
// and each of these is scaled on, alarmed on or drawn.
var Metrics = []Metric{
	{Name: "Sockets", Gauge: true, Add: []string{`edge_sockets`}},
	{Name: "Handshakes", Add: []string{`edge_frames_total{type="hello"}`, `edge_frames_total{type="session_hello"}`}},
	{Name: "AdmissionRefusals", Add: []string{`edge_bound_hits_total{bound="admission"}`}},
	{Name: "Departures", Add: []string{`presence_lateness_seconds_count`}},
	{
		// A departure is promised within a second of the end of its lease.
		Name: "LateDepartures",
		Add:  []string{`presence_lateness_seconds_count`},
		Less: []string{`presence_lateness_seconds_bucket{le="1"}`},
	},
	{Name: "Sends", Add: []string{`edge_frames_total{type="send"}`}},
	{Name: "Pushes", Add: []string{`edge_pushes_total{kind="direct"}`, `edge_pushes_total{kind="fanout"}`}},
	{Name: "InboxRefusals", Add: []string{`edge_bound_hits_total{bound="inbox"}`}},
	{Name: "MeshRefusals", Add: []string{`edge_bound_hits_total{bound="mesh_bytes"}`}},
	{Name: "DeepestLane", Gauge: true, Add: []string{`edge_deepest_lane`}},
	{Name: "SlowConsumers", Add: []string{`edge_sockets_closed_total{reason="slow_consumer"}`}},
	{Name: "JournalGaps", Add: []string{`edge_journal_gaps_total`}},
	{Name: "Resyncs", Add: []string{`edge_resyncs_total`}},
	{Name: "Resubscriptions", Add: []string{`edge_resubscriptions_total`}},
	{Name: "UncertainCloses", Add: []string{`edge_sockets_closed_total{reason="uncertain"}`}},
}

// of computes the metric from what /metrics said. It reports false if a series
// is missing, which is a mismatch of versions and not a zero.
func (m Metric) of(series map[string]float64) (float64, bool) {
	var sum float64
	for _, name := range m.Add {
		v, ok := series[name]
		if !ok {
			return 0, false
		}
		sum += v
	}
	for _, name := range m.Less {
		v, ok := series[name]
		if !ok {
			return 0, false
		}
		sum -= v
	}
	return sum, true
}
