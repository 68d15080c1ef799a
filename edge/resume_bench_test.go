package edge_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
)

const (
	// returning is how many peers come back at a time, and meshes how many
	// meshes they share.
	returning = 16
	meshes    = 16

	// afterwards is how long what follows an answer may take: the inboxes.
	afterwards = 500 * time.Millisecond
)

// costs is what coming back costs, a peer, in microseconds.
type costs struct{ edge, redis, answer float64 }

// BenchmarkResume has peers that lost their edge come back at another one, by a
// whole handshake and by a resume, and compares what that costs the servers.
// The edge is a process of its own, so that the peers are not counted.
func BenchmarkResume(b *testing.B) {
	var full costs
	b.Run("handshake", func(b *testing.B) {
		full = comeBack(b, func(p *edgetest.Peer, at *edgetest.Edge) { p.Again(at) })
	})
	b.Run("resume", func(b *testing.B) {
		resume := comeBack(b, func(p *edgetest.Peer, at *edgetest.Edge) { p.Resume(at) })
		b.ReportMetric(resume.edge/full.edge, "edge-ratio")
		b.ReportMetric(resume.redis/full.redis, "redis-ratio")
		b.ReportMetric((resume.edge+resume.redis)/(full.edge+full.redis), "server-ratio")
	})
}

func comeBack(b *testing.B, how func(*edgetest.Peer, *edgetest.Edge)) costs {
	b.Helper()
	many := edgetest.WithConfig(func(c *edge.Config) { c.MaxConnectionsPerMesh, c.AdmitRate = 1<<20, 1<<20 })
	old := edgetest.Start(b, many)
	fresh := startProcess(b, old)
	var peers []*edgetest.Peer
	for len(peers) < b.N {
		m := old.NewMesh()
		m.Session(fresh, "keeps the mesh open")
		for i := range min(b.N/meshes+1, b.N-len(peers)) {
			peers = append(peers, m.Session(old, fmt.Sprint("member ", i)))
		}
	}
	for _, p := range peers {
		p.Cut()
	}
	<-time.After(afterwards)
	edgeBefore, redisBefore := cpuOf(b, fresh), redisCPU(b, old)
	b.ResetTimer()
	var line sync.WaitGroup
	next := make(chan *edgetest.Peer)
	for range returning {
		line.Go(func() {
			for p := range next {
				how(p, fresh)
			}
		})
	}
	for _, p := range peers {
		next <- p
	}
	close(next)
	line.Wait()
	took := b.Elapsed()
	b.StopTimer()
	<-time.After(afterwards)
	n := float64(b.N)
	c := costs{
		edge: (cpuOf(b, fresh) - edgeBefore) / n, redis: (redisCPU(b, old) - redisBefore) / n,
		answer: float64(took.Microseconds()) * returning / n,
	}
	b.ReportMetric(c.edge, "edge-µs/op")
	b.ReportMetric(c.redis, "redis-µs/op")
	b.ReportMetric(c.answer, "answer-µs")
	return c
}

// startProcess runs the edge's program on the Redis of another edge.
func startProcess(b *testing.B, beside *edgetest.Edge) *edgetest.Edge {
	b.Helper()
	program := filepath.Join(b.TempDir(), "edge")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/edge").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "EDGE_ADDR="+addr, "EDGE_REDIS_URL="+beside.Redis.URL(),
		"EDGE_MAX_CONNECTIONS_PER_MESH=1000000", "EDGE_ADMIT_RATE=1000000", "EDGE_DRAIN_WITHIN=1s")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	e := &edgetest.Edge{Addr: addr, HTTP: "http://" + addr}
	edgetest.Eventually(b, func() error {
		_, err := metric(e, "process_cpu_seconds_total")
		return err
	})
	return e
}

// metric reads one value that an edge reports.
func metric(e *edgetest.Edge, name string) (float64, error) {
	once := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := once.Get(e.HTTP + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// cpuOf is the CPU time that an edge has spent so far, in microseconds.
func cpuOf(b *testing.B, e *edgetest.Edge) float64 {
	b.Helper()
	seconds, err := metric(e, "process_cpu_seconds_total")
	if err != nil {
		b.Fatal(err)
	}
	return seconds * 1e6
}

// redisCPU is the same of its Redis.
func redisCPU(b *testing.B, e *edgetest.Edge) (sum float64) {
	b.Helper()
	info := e.Client.Raw().InfoMap(b.Context(), "cpu")
	for _, part := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(info.Item("CPU", part), 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += seconds * 1e6
	}
	return sum
}
