package edge

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// closeReason is why a socket ended. Each reason is a label value, so the set
// is closed.
type closeReason string

const (
	closedByPeer    closeReason = "peer"          // the peer closed, cleanly or not
	closedRefused   closeReason = "refused"       // the handshake failed
	closedStranger  closeReason = "hello_timeout" // no handshake came
	closedReplaced  closeReason = "replaced"      // a newer socket speaks for the peer
	closedBanned    closeReason = "banned"
	closedKicked    closeReason = "kicked"       // removed by an admin
	closedSentAway  closeReason = "disconnected" // the same, but welcome back
	closedArchived  closeReason = "archived"     // its mesh has ended
	closedSlow      closeReason = "slow_consumer"
	closedTooLarge  closeReason = "too_large"
	closedSilent    closeReason = "silent" // no pong
	closedRestart   closeReason = "restarting"
	closedGoodbye   closeReason = "goodbye"
	closedGone      closeReason = "gone"      // its lease was settled elsewhere
	closedUncertain closeReason = "uncertain" // Redis could not be reached for too long
	closedPanic     closeReason = "panic"
)

var closeReasons = []closeReason{
	closedByPeer, closedRefused, closedStranger, closedReplaced, closedBanned, closedKicked, closedSentAway, closedArchived,
	closedSlow, closedTooLarge,
	closedSilent, closedRestart, closedGoodbye, closedGone, closedUncertain, closedPanic,
}

// bound names a limit that was hit.
type bound string

const (
	boundStrangers bound = "strangers"     // sockets without a hello
	boundAdmission bound = "admission"     // a handshake waited too long in line
	boundCapacity  bound = "mesh_capacity" // connections of one mesh
	boundOutbox    bound = "outbox"        // bytes or frames of one socket
	boundFrame     bound = "frame_size"
	boundRequests  bound = "requests"       // requests of one socket
	boundEarly     bound = "early_entries"  // journal entries heard during a gap
	boundHooks     bound = "pending_hooks"  // statuses that wait for their peer
	boundHookRate  bound = "hook_rate"      // status calls of one process
	boundSend      bound = "send_rate"      // messages of one member
	boundInbox     bound = "inbox"          // messages waiting for one recipient
	boundMesh      bound = "mesh_bytes"     // messages waiting in one mesh
	boundPayload   bound = "message_size"   // size of one message
	boundWindow    bound = "unacked_window" // pushed and not acked
	boundForwarded bound = "forwarded"      // requests on their way to the functions
)

var bounds = []bound{
	boundStrangers, boundAdmission, boundCapacity, boundOutbox, boundFrame, boundRequests, boundEarly,
	boundHooks, boundHookRate, boundSend, boundInbox, boundMesh, boundPayload, boundWindow,
	boundForwarded,
}

// knownTypes are the values of the label type of edge_frames_total.
var knownTypes = []wire.Type{
	wire.TypeHello, wire.TypeSessionHello, wire.TypeResume, wire.TypeListPeers, wire.TypeListMembers, wire.TypeSetStatus,
	wire.TypeSetSummary, wire.TypeSetStats, wire.TypeSetVisible, wire.TypeSetProfile, wire.TypeJoinGroup,
	wire.TypeLeaveGroup, wire.TypeSend, wire.TypeClientAck, wire.TypeMessageStatus, wire.TypeSync,
	wire.TypeGoodbye, typeUnreadable,
}

// typeUnreadable counts frames without a known type.
const typeUnreadable wire.Type = "unreadable"

// pushKind is what a pushed frame carries.
type pushKind string

const (
	pushDirect   pushKind = "direct"
	pushRepeat   pushKind = "repeat" // a direct message that was pushed before on this socket
	pushFanout   pushKind = "fanout" // broadcast or group
	pushPresence pushKind = "presence"
	pushCommons  pushKind = "commons" // what the mesh shares
)

// metrics belong to one Server: two in one process do not mix.
type metrics struct {
	registry  *prometheus.Registry
	sockets   prometheus.Gauge
	strangers prometheus.Gauge
	deepest   prometheus.Gauge
	// Of those with a peer here, the meshes that the registry has lost.
	lostMeshes prometheus.Gauge
	frames     map[wire.Type]prometheus.Counter
	closed     map[closeReason]prometheus.Counter
	hits       map[bound]prometheus.Counter
	pushes     map[pushKind]prometheus.Counter
	resumes    map[resumeOutcome]prometheus.Counter
	gaps       prometheus.Counter
	resyncs    prometheus.Counter
	deaf       prometheus.Counter
	renewals   *prometheus.CounterVec
	lateness   prometheus.Histogram
	handling   prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.sockets = gauge("edge_sockets", "sockets that have said hello")
	m.strangers = gauge("edge_strangers", "sockets that have not said hello")
	m.deepest = gauge("edge_deepest_lane", "messages in the fullest lane of all inboxes, as far as this edge has looked")
	m.lostMeshes = gauge("edge_lost_meshes", "meshes with a peer here that redis has lost with their members")
	m.gaps = counter("edge_journal_gaps_total", "times the journal was read because a bell was missed")
	m.resyncs = counter("edge_resyncs_total", "peers told that the journal no longer reaches back far enough")
	m.deaf = counter("edge_resubscriptions_total", "times the subscription was lost or deaf")
	m.lateness = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "presence_lateness_seconds", Help: "time between the end of a lease and its announcement",
		Buckets: []float64{.01, .05, .1, .25, .5, 1, 2, 5, 15, 60},
	})
	m.handling = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "edge_frame_seconds", Help: "time to handle a frame of a peer",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5},
	})
	m.renewals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "edge_renewals_total", Help: "leases renewed, by outcome",
	}, []string{"outcome"})
	m.frames = labelled(m.registry, "edge_frames_total", "frames of peers", "type", knownTypes)
	m.closed = labelled(m.registry, "edge_sockets_closed_total", "sockets that ended", "reason", closeReasons)
	m.hits = labelled(m.registry, "edge_bound_hits_total", "times a limit was hit", "bound", bounds)
	m.pushes = labelled(m.registry, "edge_pushes_total", "frames pushed to peers", "kind",
		[]pushKind{pushDirect, pushRepeat, pushFanout, pushPresence, pushCommons})
	m.resumes = labelled(m.registry, "edge_resumes_total", "handshakes that went on with an attachment, by what became of them",
		"outcome", []resumeOutcome{resumeTaken, resumePassed, resumeForeign, resumeRefused})
	m.registry.MustRegister(m.sockets, m.strangers, m.deepest, m.lostMeshes, m.gaps, m.resyncs, m.deaf, m.lateness, m.handling, m.renewals,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// labelled makes one series for each value, so that each exists at zero.
func labelled[L ~string](r *prometheus.Registry, name, help, label string, values []L) map[L]prometheus.Counter {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	r.MustRegister(vec)
	out := make(map[L]prometheus.Counter, len(values))
	for _, v := range values {
		out[v] = vec.WithLabelValues(string(v))
	}
	return out
}

// frame counts a frame of a peer.
func (m *metrics) frame(t wire.Type) {
	c, ok := m.frames[t]
	if !ok {
		c = m.frames[typeUnreadable]
	}
	c.Inc()
}

// hit counts a limit that was hit.
func (m *metrics) hit(b bound) { m.hits[b].Inc() }

// late records how long after its end a departure was announced.
func (m *metrics) late(d time.Duration) { m.lateness.Observe(d.Seconds()) }
