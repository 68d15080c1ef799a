package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/infra/chaos"
	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// maxEdges is more than a machine can use.
const maxEdges = 64

var errUsage = errors.New("see -help")

type options struct {
	edges  int
	single bool
	bin    string // directory of the edge and the command line
	out    io.Writer
}

func parse(args []string) (options, error) {
	o := options{out: os.Stdout}
	fs := flag.NewFlagSet("fleet", flag.ContinueOnError)
	fs.IntVar(&o.edges, "edges", 3, fmt.Sprintf("1 to %d", maxEdges))
	fs.BoolVar(&o.single, "single", false, "one Redis instead of a cluster")
	fs.StringVar(&o.bin, "bin", ownDir(), "`directory` of the edge's binary")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.edges < 1 || o.edges > maxEdges || fs.NArg() > 0 {
		fmt.Fprintf(fs.Output(), "fleet: %d edges, %q: %v\n", o.edges, fs.Args(), errUsage)
		return o, errUsage
	}
	return o, nil
}

// ownDir is where the programs are that were built together with this one.
func ownDir() string {
	self, err := os.Executable()
	if err != nil {
		return "."
	}
	return filepath.Dir(self)
}

// run runs a fleet until ctx ends, or until it cannot go on.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintln(o.out, "starting …")
	// Redis outlives ctx, so that edges can take leave of it.
	backend, err := startBackend(context.WithoutCancel(ctx), o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	return runEdges(ctx, o, backend, dir)
}

// runEdges runs the edges until ctx ends, which is no failure while they start.
func runEdges(ctx context.Context, o options, backend chaos.Backend, dir string) (err error) {
	f, err := chaos.StartFleet(ctx, chaos.FleetOptions{
		Edges: o.edges, Binary: filepath.Join(o.bin, "edge"), Dir: dir, Install: true, Backend: backend, Say: o.out,
		History: history.NewWriter(io.Discard), Env: []string{"EDGE_DRAIN_WITHIN=2s"},
	})
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(o.out, "stopping before all has started")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	welcome(o, f, backend, dir)
	if err := f.Keep(ctx); err != nil {
		return err
	}
	fmt.Fprintln(o.out, "stopping: the edges drain, then Redis ends")
	return nil
}

func startBackend(ctx context.Context, o options) (chaos.Backend, error) {
	if o.single {
		return chaos.StartSingle(ctx, 0)
	}
	return chaos.StartCluster(ctx, 0)
}

// welcome tells what runs and what to type next. Its lines are to be pasted
// into another terminal.
func welcome(o options, f *chaos.Fleet, backend chaos.Backend, dir string) {
	cli := filepath.Join(o.bin, "claudemesh")
	second := filepath.Join(dir, "second-peer")
	fmt.Fprintf(o.out, `
  peers   %s (%s)
  edges   %s (pids %s)
  redis   %s, %s
  logs    %s

A first mesh, and a second peer in it; paste into another terminal:

  export CLAUDEMESH_CONFIG_DIR=%[10]s CLAUDEMESH_BROKER_URL=%[1]s
  %[8]s create demo
  mkdir -p %[9]s && CLAUDEMESH_CONFIG_DIR=%[9]s %[8]s join "$(%[8]s invite --mesh demo)"

Kill an edge: another takes its place, and nobody is seen leaving. Nothing of this is kept; Ctrl-C stops everything.

`, f.URL(), f.Balancer(), strings.Join(f.EdgeAddrs(), " "), strings.Trim(fmt.Sprint(f.PIDs()), "[]"), backend.Kind(), backend.URL(), dir, cli, second,
		filepath.Join(dir, "first-peer"))
}
