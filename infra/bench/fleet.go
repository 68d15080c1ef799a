package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// A fleet is one Redis and the edges on it.
type fleet struct {
	bench    *bench
	redis    *process
	url      string
	client   *redis.Client
	registry *registry.Store
	edges    []*edge
	bare     []*edge // not ours
}

// An edge is one process of a fleet.
type edge struct {
	*process
	addr string
}

// newFleet starts Redis with the configuration of production, reached by TCP
// as there, and no edge yet.
func (b *bench) newFleet(ctx context.Context) (*fleet, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "redis")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(b.server, "-")
	cmd.Stdin = strings.NewReader(redis.Conf + fmt.Sprintf("\nbind %s\nport %s\ndir %s\nloglevel warning\n", host, port, dir))
	p, err := b.start(cmd)
	if err != nil {
		return nil, err
	}
	f := &fleet{bench: b, redis: p, url: "redis://" + addr}
	if err := p.ready(ctx, addr); err != nil {
		f.close()
		return nil, err
	}
	if f.client, err = redis.Open(ctx, redis.Options{URL: f.url}); err != nil {
		f.close()
		return nil, err
	}
	f.registry = registry.New(f.client, registry.Options{})
	return f, nil
}

// unbound are the bounds of an edge that a measurement would run into.
var unbound = []string{
	"EDGE_MAX_CONNECTIONS_PER_MESH=1000000", "EDGE_ADMIT_RATE=1000000", "EDGE_MAX_STRANGERS=1000000",
	"EDGE_SEND_RATE=100000000", "EDGE_SEND_BURST=1000000", "EDGE_DRAIN_WITHIN=1s",
}

// startEdge adds an edge.
func (f *fleet) startEdge(ctx context.Context, env ...string) (*edge, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(f.bench.Bin, "edge"))
	cmd.Env = append(withoutEdge(os.Environ()), "EDGE_ADDR="+addr, "EDGE_REDIS_URL="+f.url)
	cmd.Env = append(append(cmd.Env, unbound...), env...)
	p, err := f.bench.start(cmd)
	if err != nil {
		return nil, err
	}
	e := &edge{process: p, addr: addr}
	f.edges = append(f.edges, e)
	return e, p.ready(ctx, addr)
}

// withoutEdge drops what configures an edge.
func withoutEdge(env []string) []string {
	var out []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, "EDGE_") {
			out = append(out, kv)
		}
	}
	return out
}

// close ends everything. Nobody needs what it leaves.
func (f *fleet) close() {
	for _, e := range slices.Concat(f.edges, f.bare) {
		e.stop(syscall.SIGKILL)
	}
	if f.client != nil {
		_ = f.client.Close()
	}
	f.redis.stop(syscall.SIGKILL)
}

// redisCPU is the processor time that Redis has used, all its threads
// included, in microseconds.
func (f *fleet) redisCPU(ctx context.Context) (float64, error) {
	return info(ctx, f.client.Raw(), "cpu", 1e6, "used_cpu_user", "used_cpu_sys")
}

// redisMemory is what Redis's data take, in bytes: without what it keeps for
// its clients and its file, which comes and goes.
func (f *fleet) redisMemory(ctx context.Context) (float64, error) {
	all, err := info(ctx, f.client.Raw(), "memory", 1, "used_memory")
	if err != nil {
		return 0, err
	}
	passing, err := info(ctx, f.client.Raw(), "memory", 1, "mem_clients_normal", "mem_aof_buffer")
	return all - passing, err
}

// info adds some figures of Redis about itself.
func info(ctx context.Context, c goredis.UniversalClient, part string, unit float64, names ...string) (sum float64, err error) {
	text, err := c.Info(ctx, part).Result()
	if err != nil {
		return 0, fmt.Errorf("bench: info: %w", err)
	}
	for _, name := range names {
		_, rest, ok := strings.Cut(text, "\n"+name+":")
		if !ok {
			return 0, fmt.Errorf("bench: info: %s is missing", name)
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 64)
		if err != nil {
			return 0, fmt.Errorf("bench: info: %w", err)
		}
		sum += x * unit
	}
	return sum, nil
}

// A spending is processor time, in microseconds.
type spending struct{ redis, edges float64 }

// spent is what Redis and all edges have used until now.
func (f *fleet) spent(ctx context.Context) (spending, error) {
	redis, err := f.redisCPU(ctx)
	s := spending{redis: redis}
	for _, e := range f.edges {
		cpu, wrong := e.cpu()
		s.edges += cpu
		err = errors.Join(err, wrong)
	}
	return s, err
}

// during measures what is used while work runs.
func (f *fleet) during(ctx context.Context, work func() error) (spending, error) {
	before, err := f.spent(ctx)
	if err != nil {
		return spending{}, err
	}
	if err := work(); err != nil {
		return spending{}, err
	}
	after, err := f.spent(ctx)
	return spending{after.redis - before.redis, after.edges - before.edges}, err
}
