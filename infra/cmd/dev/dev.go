package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const (
	// edgeReadyWithin bounds the edge's start, a Redis that loads a large file
	// excluded: that one has answered before.
	edgeReadyWithin = 30 * time.Second

	// edgePatience is how long a draining edge may take before it is killed.
	// It leaves room for an EDGE_DRAIN_WITHIN of a minute.
	edgePatience = 75 * time.Second

	poll = 20 * time.Millisecond

	// elsewhere is how to run beside another one.
	elsewhere = `make run ARGS="-data DIR -addr :7901"`
)

// run runs Redis and an edge until stop is done, or until one of them ends by
// itself, which is an error. Once hurry is done, nothing is waited for.
func run(stop, hurry context.Context, o options) error {
	unlock, err := o.claim()
	if err != nil {
		return err
	}
	defer unlock()
	addr, err := freeAddr(o.addr)
	if err != nil {
		return err
	}

	db, err := o.startBackend(stop)
	if err != nil {
		return unlessStopped(stop, err)
	}
	err = o.runEdge(stop, hurry, addr, db)
	return errors.Join(err, db.stop())
}

// claim makes the data directory and takes its lock: two servers appending to
// one file would ruin it.
func (o *options) claim() (unlock func(), err error) {
	if o.data, err = filepath.Abs(o.data); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock := flock.New(filepath.Join(o.data, "lock"))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the data directory: %w", err)
	case !ok:
		return nil, fmt.Errorf("%s is in use by another run\nhint: stop that one, or choose another directory: %s", o.data, elsewhere)
	}
	return func() { _ = lock.Close() }, nil
}

// freeAddr checks that addr can be listened on and gives an ephemeral port its
// number, so that it can be told before the edge runs.
func freeAddr(addr string) (string, error) {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", fmt.Errorf("%s is taken by another program\nhint: stop it, or listen elsewhere: EDGE_ADDR=:7901 make run (:0 takes any free port)", addr)
	}
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w", addr, err)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", errors.Join(fmt.Errorf("address %s: %w", addr, err), ln.Close())
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return net.JoinHostPort(host, port), errors.Join(err, ln.Close())
}

// runEdge runs the edge on addr in front of db. When it returns, the edge has
// ended.
func (o *options) runEdge(stop, hurry context.Context, addr string, db *backend) error {
	cmd := exec.Command(o.edge)
	cmd.Env = o.edgeEnviron(addr, db.url)
	cmd.Stdout, cmd.Stderr = o.stdout, o.stderr
	edge, err := start("edge", cmd, syscall.SIGKILL)
	if err != nil {
		return fmt.Errorf("%w\nhint: make build", err)
	}
	if err := o.supervise(stop, edge, addr, db); err != nil {
		return errors.Join(err, edge.stop(hurry, edgePatience))
	}
	if db.durable {
		fmt.Fprintln(o.stdout, "stopping: the edge drains, then Redis writes its file")
	}
	return edge.stop(hurry, edgePatience)
}

// supervise returns nil when stop is done, and an error when edge or db ends
// by itself or the edge does not come up.
func (o *options) supervise(stop context.Context, edge *child, addr string, db *backend) error {
	ready, cancel := context.WithTimeout(stop, edgeReadyWithin)
	defer cancel()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	tick := ticker.C
	for {
		select {
		case <-stop.Done():
			return nil
		case <-edge.ended:
			return fmt.Errorf("the edge ended by itself: %w", edge.exit())
		case <-db.ended:
			return fmt.Errorf("redis ended by itself: %w", db.exit())
		case <-tick:
			switch {
			case isServing(stop, addr):
				tick = nil
				o.welcome(addr, db)
			case ready.Err() != nil && stop.Err() == nil:
				return fmt.Errorf("the edge does not serve on %s within %s", addr, edgeReadyWithin)
			}
		}
	}
}

func isServing(ctx context.Context, addr string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+dialable(addr)+"/health", nil)
	if err != nil {
		return false
	}
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true // any answer will do: with TLS on it is a refusal
}

// dialable is the address under which this machine reaches a listener on addr.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// edgeEnviron is the user's environment with what this run decides. A drain is
// short unless the user says otherwise: nobody waits for the peers of a
// development broker.
func (o *options) edgeEnviron(addr, url string) []string {
	has := func(name string) bool {
		return slices.ContainsFunc(o.environ, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	}
	if has("EDGE_REDIS_URL") {
		fmt.Fprintln(o.stderr, "dev: EDGE_REDIS_URL is ignored: this command brings its own Redis; bin/edge alone uses yours")
	}
	env := append(slices.Clone(o.environ), "EDGE_ADDR="+addr, "EDGE_REDIS_URL="+url)
	if !has("EDGE_DRAIN_WITHIN") {
		env = append(env, "EDGE_DRAIN_WITHIN=2s")
	}
	return env
}

// unlessStopped drops an error that is only the echo of being told to stop.
func unlessStopped(stop context.Context, err error) error {
	if stop.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
