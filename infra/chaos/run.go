package chaos

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/check"
	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// Options say what a run does.
type Options struct {
	Seed     uint64
	For      time.Duration // faults, at most; the end of a run comes on top
	Scenario string

	Edges, Peers, PerMesh int
	Rate                  float64 // messages a second, of all peers
	BroadcastPercent      int
	TTL, Renew            time.Duration // of leases
	Drain                 time.Duration
	FaultEvery            time.Duration // about
	LifeEvery             time.Duration // between things that happen to peers
	Late                  time.Duration // see check.Config
	Slack                 time.Duration
	AckReplicas           int

	// Skew makes the clocks of edges wrong, which takes a build of its own.
	Skew time.Duration

	EdgeBinary, PeerBinary string
	Install                bool   // HAProxy, if it is missing
	History                string // file
	Say                    io.Writer
	// Backend starts Redis. Nil means one server.
	Backend func(ctx context.Context) (Backend, error)
}

// DefaultOptions are those of `make chaos`.
func DefaultOptions() Options {
	return Options{
		Seed: rand.Uint64(), For: 5 * time.Minute, Scenario: "mixed", Edges: 3, Peers: 60, PerMesh: 20,
		Rate: 40, BroadcastPercent: 5, TTL: 90 * time.Second, Renew: 30 * time.Second, Drain: 20 * time.Second,
		FaultEvery: 6 * time.Second, LifeEvery: 300 * time.Millisecond, Late: time.Second, Slack: time.Second,
		Say: os.Stdout,
	}
}

// ErrOptions says that a run cannot be made with these options.
var ErrOptions = errors.New("chaos: options")

// Bounds of what one machine can run and a history can hold.
const (
	maxEdges = 64
	maxPeers = 10_000
	maxRate  = 100_000.0
	minTTL   = time.Second // a busy machine stalls for parts of that
)

// check refuses what would prove nothing, or break something else than a
// promise.
func (o Options) check() error {
	for _, wrong := range []struct {
		is   bool
		what string
	}{
		{o.Edges < 1 || o.Edges > maxEdges, fmt.Sprintf("%d edges: 1 to %d", o.Edges, maxEdges)},
		{o.Peers < 1 || o.Peers > maxPeers, fmt.Sprintf("%d peers: 1 to %d", o.Peers, maxPeers)},
		{o.PerMesh < 1, fmt.Sprintf("%d peers of a mesh", o.PerMesh)},
		{!(o.Rate > 0 && o.Rate <= maxRate), fmt.Sprintf("%v messages a second: more than none, at most %v", o.Rate, maxRate)},
		{o.TTL < minTTL, fmt.Sprintf("a lease of %v: at least %v", o.TTL, minTTL)},
		{o.Renew <= 0 || o.Drain <= 0 || o.LifeEvery <= 0, "a time that is none"},
		{o.FaultEvery < 0 || o.For < 0 || o.AckReplicas < 0, "less than nothing"},
	} {
		if wrong.is {
			return fmt.Errorf("%w: %s", ErrOptions, wrong.what)
		}
	}
	return nil
}

// gap is the longest silence of Redis that edges do not take for an outage.
func (o Options) gap() time.Duration { return min(5*time.Second, o.TTL/2) }

// A run is one run.
type run struct {
	o       Options
	ctx     context.Context // of everything; faults have a shorter one
	dir     string
	out     *history.Writer
	board   *board
	backend Backend
	fleet   *Fleet
	world   *world
	drivers []*driver
	faults  atomic.Int64

	// Owned by live, then by the end of the run.
	absent []*actor
	olds   int
}

// Run runs a fleet, does what the scenario says, and checks the history.
func Run(ctx context.Context, o Options) (*check.Report, error) {
	s, ok := scenarios[o.Scenario]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrScenario, o.Scenario)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	file, err := os.Create(o.History)
	if err != nil {
		return nil, fmt.Errorf("chaos: history: %w", err)
	}
	defer file.Close()
	r := &run{o: o, ctx: ctx, dir: dir, out: history.NewWriter(file)}
	r.board = newBoard(r.out)
	err = r.do(s)
	err = errors.Join(err, r.close(), r.out.Flush())
	if err != nil {
		return nil, fmt.Errorf("%w\nlogs are in %s", err, dir)
	}
	report, err := CheckFile(o.History, o)
	if err != nil || report.Broken() > 0 {
		r.tell("logs are in %s", dir)
		return report, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	return report, nil
}

// CheckFile checks the history of a run with the given options.
func CheckFile(path string, o Options) (*check.Report, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	defer f.Close()
	all, err := history.Read(f)
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	return check.Check(check.Config{TTL: o.TTL, Renew: o.Renew, Gap: o.gap(), Slack: o.Slack, Late: o.Late}, all), nil
}

// rng is a source of chance of its own for each purpose, so that one does not
// depend on how fast another goes.
func (r *run) rng(purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(r.o.Seed, h.Sum64()))
}

func (r *run) tell(format string, args ...any) {
	fmt.Fprintf(r.o.Say, "%s  %s\n", time.Now().Format("15:04:05.0"), fmt.Sprintf(format, args...))
}

func (r *run) do(s scenario) (err error) {
	if err := r.setUp(); err != nil {
		return err
	}
	if err := r.everybodyIn(); err != nil {
		return err
	}
	scope := newScope(r.ctx) // a Redis that does not come back panics in here
	defer scope.recover(&err)
	faulty, stop := context.WithTimeout(r.ctx, r.o.For)
	defer stop()
	loading, quiet := context.WithCancel(r.ctx)
	defer quiet()
	var load sync.WaitGroup
	load.Go(func() { r.talk(loading, r.rng("talk")) })
	if !s.calm {
		load.Go(func() { r.live(loading, r.rng("life")) })
	}
	load.Go(func() {
		for pause(loading, time.Second) {
			r.revive()
		}
	})
	err = s.do(r, faulty)
	r.out.Write(history.Record{Kind: history.Quiet})
	r.tell("no more faults")
	quiet()
	load.Wait()
	return errors.Join(err, r.settle())
}

func (r *run) setUp() (err error) {
	start := r.o.Backend
	if start == nil {
		start = func(ctx context.Context) (Backend, error) { return StartSingle(ctx, 0) }
	}
	if r.backend, err = start(r.ctx); err != nil {
		return err
	}
	binary, err := r.edgeBinary()
	if err != nil {
		return err
	}
	r.fleet, err = StartFleet(r.ctx, FleetOptions{
		Edges: r.o.Edges, Binary: binary, Skew: r.o.Skew, Dir: r.dir, Install: r.o.Install, Backend: r.backend,
		History: r.out, Say: r.o.Say, Env: r.edgeEnv(),
	})
	if err != nil {
		return err
	}
	r.tell("%s, %d edges, %s", r.backend.Kind(), r.o.Edges, r.fleet.Balancer())
	if r.world, err = makeWorld(r.ctx, r.backend.Client(), r.o.Seed, r.o.Peers, r.o.PerMesh, r.out); err != nil {
		return err
	}
	for i, a := range r.world.actors {
		if i%perDriver == 0 {
			d, err := startDriver(r.dir, r.o.PeerBinary, fmt.Sprintf("peers%d", i/perDriver), r.board.hear)
			if err != nil {
				return err
			}
			r.drivers = append(r.drivers, d)
		}
		a.driver = r.drivers[len(r.drivers)-1]
		r.board.names[a.key] = a.name
	}
	return nil
}

// edgeBinary is the program that edges run. Where none with a wrong clock can be
// built, the run says so and goes on with right ones.
func (r *run) edgeBinary() (string, error) {
	if r.o.Skew == 0 {
		return r.o.EdgeBinary, nil
	}
	binary, err := BuildSkewed(r.ctx, r.dir, edgePackage)
	if errors.Is(err, ErrNoSkew) {
		r.tell("%v", err)
		return r.o.EdgeBinary, nil
	}
	r.tell("clocks of edges are wrong by %v", r.o.Skew)
	return binary, err
}

const edgePackage = "github.com/claudemesh/claudemesh/edge/cmd/edge"

// edgeEnv configures edges: limits that a crowd of test peers must not meet,
// and leases.
func (r *run) edgeEnv() []string {
	env := []string{
		"EDGE_LEASE_TTL=" + r.o.TTL.String(), "EDGE_RENEW_EVERY=" + r.o.Renew.String(), "EDGE_PING_EVERY=" + r.o.Renew.String(),
		"EDGE_DRAIN_WITHIN=" + r.o.Drain.String(), "EDGE_SEND_RATE=600000", "EDGE_SEND_BURST=10000",
		"EDGE_MAX_CONNECTIONS_PER_MESH=10000",
	}
	if r.o.AckReplicas > 0 {
		env = append(env, fmt.Sprintf("EDGE_ACK_REPLICAS=%d", r.o.AckReplicas))
	}
	return env
}

const (
	// inEvery is the time between two first connections.
	inEvery = 2 * time.Millisecond

	// inWithin is how long a peer may need to come in once nothing is in its
	// way: clients wait up to half a minute between two tries.
	inWithin = 60 * time.Second
)

// everybodyIn starts all peers and waits until each has been greeted.
func (r *run) everybodyIn() error {
	for _, a := range r.world.actors {
		r.start(a)
		if !pause(r.ctx, inEvery) {
			return r.ctx.Err()
		}
	}
	if err := r.awaitAll(inWithin); err != nil {
		return err
	}
	r.tell("%d peers are in", len(r.world.actors))
	return nil
}

// awaitAll waits until every peer that is wanted is connected. Its client may
// end meanwhile: the one that it took over from did not hear of that from an
// edge that stood still, and comes back as the newest.
func (r *run) awaitAll(within time.Duration) error {
	return eventually(r.ctx, within, func() error {
		r.revive()
		if missing := r.board.count(func(s *standing) bool { return s.wanted && !s.greeted }); missing > 0 {
			return fmt.Errorf("%d peers are not in", missing)
		}
		return nil
	})
}

// close ends everything that the run started.
func (r *run) close() error {
	var errs []error
	for _, d := range r.drivers {
		errs = append(errs, d.close())
	}
	if r.fleet != nil {
		errs = append(errs, r.fleet.Close())
	}
	if r.backend != nil {
		errs = append(errs, r.backend.Close())
	}
	return errors.Join(errs...)
}
