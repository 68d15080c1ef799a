package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// serveWithin is how long an edge or a balancer may take to serve.
const serveWithin = 60 * time.Second

// FleetOptions say what runs.
type FleetOptions struct {
	Edges   int
	Binary  string        // of the edge
	Dir     string        // for sockets and logs; short, because it holds unix sockets
	Env     []string      // of the edges, beside what a fleet decides
	Skew    time.Duration // by which the clocks of edges built by BuildSkewed are wrong
	Install bool          // HAProxy, if it is missing
	Backend Backend
	History *history.Writer
	Say     io.Writer
}

// Fleet is some edges with a balancer in front and Redis behind.
type Fleet struct {
	o        FleetOptions
	edges    []*edgeProcess
	balancer Balancer
}

// An edgeProcess is the place of an edge: the process in it may change.
type edgeProcess struct {
	fleet *Fleet
	n     int
	addr  string
	link  *Link // nil where the backend has none

	proc *process
	id   string // of the edge that runs here now
}

// StartFleet starts the edges, and the balancer once they serve.
func StartFleet(ctx context.Context, o FleetOptions) (*Fleet, error) {
	f := &Fleet{o: o}
	addrs, err := freeAddrs(o.Edges + 1)
	if err != nil {
		return nil, err
	}
	for n := range o.Edges {
		e := &edgeProcess{fleet: f, n: n, addr: addrs[n]}
		if network, target := o.Backend.Address(); network != "" {
			if e.link, err = NewLink(filepath.Join(o.Dir, fmt.Sprintf("l%d", n)), network, target); err != nil {
				return nil, errors.Join(fmt.Errorf("chaos: link: %w", err), f.Close())
			}
		}
		f.edges = append(f.edges, e)
		if err := e.start(ctx); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if f.balancer, err = newBalancer(ctx, o.Dir, addrs[o.Edges], addrs[:o.Edges], o.Install, o.Say); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// freeAddrs finds addresses that stay free while nobody listens on them: on
// Linux each run has loopback addresses of its own, which nobody else is given.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for tries := 0; len(addrs) < n; tries++ {
		addr := "127.0.0.1:0"
		if runtime.GOOS == "linux" {
			addr = fmt.Sprintf("127.%d.%d.%d:%d", 64+rand.IntN(128), rand.IntN(256), 1+rand.IntN(254), 20_000+rand.IntN(10_000))
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			if tries > 10*n {
				return nil, fmt.Errorf("chaos: no free address: %w", err)
			}
			continue
		}
		addrs = append(addrs, ln.Addr().String())
		defer ln.Close() // after the others were chosen
	}
	return addrs, nil
}

// URL is where peers connect to.
func (f *Fleet) URL() string { return "ws://" + f.balancer.Addr() + "/ws" }

// Balancer says what stands in front.
func (f *Fleet) Balancer() string { return f.balancer.Kind() }

// EdgeAddrs are the addresses of the edges.
func (f *Fleet) EdgeAddrs() []string {
	out := make([]string, len(f.edges))
	for i, e := range f.edges {
		out[i] = e.addr
	}
	return out
}

// Keep starts edges again that end, until ctx ends or the balancer does.
func (f *Fleet) Keep(ctx context.Context) error {
	var watches sync.WaitGroup
	defer watches.Wait()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for _, e := range f.edges {
		watches.Go(func() { stop(e.keep(ctx)) })
	}
	if b, ok := f.balancer.(*haproxy); ok {
		select {
		case <-b.ended:
			return fmt.Errorf("%w: %w", errEnded, b.failure())
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (e *edgeProcess) keep(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Canceled
		case <-e.proc.ended:
		}
		fmt.Fprintf(e.fleet.o.Say, "%s has ended; another takes its place\n", e.name())
		e.gone()
		if err := e.start(ctx); err != nil {
			return err
		}
	}
}

// PIDs are the processes of the edges.
func (f *Fleet) PIDs() []int {
	out := make([]int, len(f.edges))
	for i, e := range f.edges {
		out[i] = e.proc.cmd.Process.Pid
	}
	return out
}

// Close ends everything.
func (f *Fleet) Close() error {
	var errs []error
	if f.balancer != nil {
		errs = append(errs, f.balancer.Close())
	}
	for _, e := range f.edges {
		if e.proc != nil {
			e.proc.signal(syscall.SIGCONT)
			e.proc.signal(syscall.SIGTERM)
		}
	}
	for _, e := range f.edges {
		if e.proc != nil {
			errs = append(errs, e.proc.stop(endWithin))
		}
		if e.link != nil {
			errs = append(errs, e.link.Close())
		}
	}
	return errors.Join(errs...)
}

func (e *edgeProcess) name() string { return fmt.Sprintf("edge%d", e.n) }

// start starts the edge and waits until it serves. One that finds no Redis ends,
// and is started again, as any supervisor does.
func (e *edgeProcess) start(ctx context.Context) error {
	err := eventually(ctx, serveWithin, func() error {
		if e.proc == nil || !e.proc.running() {
			if err := e.launch(); err != nil {
				return fmt.Errorf("%w: %w", errEnded, err)
			}
		}
		id, err := askHealth(ctx, e.addr)
		e.id = id
		if err != nil && !e.proc.running() {
			return errors.Join(err, e.proc.failure())
		}
		return err
	})
	if err != nil {
		return err
	}
	e.fleet.o.History.Write(history.Record{Kind: history.EdgeUp, Edge: e.id})
	return nil
}

func (e *edgeProcess) launch() error {
	url := e.fleet.o.Backend.URL()
	if e.link != nil {
		url = e.link.URL()
	}
	cmd := exec.Command(e.fleet.o.Binary)
	cmd.Env = environ(append(e.fleet.o.Env, "EDGE_ADDR="+e.addr, "EDGE_REDIS_URL="+url, skewOf(e.n, e.fleet.o.Skew))...)
	var err error
	e.proc, err = startProcess(e.fleet.o.Dir, e.name(), cmd)
	return err
}

// gone notes that the process in this place has ended.
func (e *edgeProcess) gone() {
	e.fleet.o.History.Write(history.Record{Kind: history.EdgeDown, Edge: e.id})
}

// askHealth asks whether an edge serves, and which one it is.
func askHealth(ctx context.Context, addr string) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/health", nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var report struct {
		Edge string `json:"edge"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		return "", fmt.Errorf("chaos: health of %s: %w", addr, err)
	}
	return report.Edge, nil
}

// eventually tries until try succeeds, for a while. When ctx ends before that,
// it says so instead of what try said last.
func eventually(ctx context.Context, within time.Duration, try func() error) error {
	inTime, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-tick.C:
		case <-inTime.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("chaos: %w", ctx.Err())
			}
			return fmt.Errorf("chaos: not within %v: %w", within, err)
		}
	}
}
