package chaos

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/infra/chaos/check"
)

var seed = flag.Uint64("seed", 0, "repeats a run of faults")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// build builds the processes of a run.
func build(t *testing.T) (edge, loadpeer string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, "./edge/cmd/edge", "./cli/cmd/loadpeer")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "edge"), filepath.Join(dir, "loadpeer")
}

// slice is what `make test` runs of a scenario: short leases, few peers, and
// patience, because a crowded machine breaks no promise by being slow.
func slice(t *testing.T, scenario string, last time.Duration) Options {
	t.Helper()
	o := DefaultOptions()
	o.EdgeBinary, o.PeerBinary = build(t)
	o.Scenario, o.For, o.History = scenario, last, filepath.Join(t.TempDir(), "history.jsonl")
	o.Peers, o.PerMesh, o.Rate = 30, 15, 30
	o.TTL, o.Renew, o.Drain = 6*time.Second, 2*time.Second, 2*time.Second
	o.FaultEvery, o.Late, o.Slack = 3*time.Second, 20*time.Second, 3*time.Second
	o.Say = t.Output()
	o.Backend = func(ctx context.Context) (Backend, error) { return StartSingle(ctx, 8) }
	if o.Seed = *seed; o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	return o
}

// runSlice runs a scenario and fails the test for every broken promise.
func runSlice(t *testing.T, o Options) *check.Report {
	t.Helper()
	t.Logf("-seed %d repeats this", o.Seed)
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := report.Write(&table); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &table)
	if report.Broken() > 0 {
		t.Error("promises were broken")
	}
	if report.Acked == 0 || report.Delivered == 0 || report.Rosters == 0 || report.Lanes == 0 {
		t.Error("the run proves nothing")
	}
	return report
}

// TestPromisesHoldUnderMixedFaults is the slice of `make chaos` (L1–L4, Q1–Q3).
func TestPromisesHoldUnderMixedFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	r := runSlice(t, slice(t, "mixed", 30*time.Second))
	if len(r.Faults) == 0 {
		t.Error("nothing happened to the fleet")
	}
}

// TestL1_NobodyLeavesWhenAllEdgesAreReplaced is a deploy.
func TestL1_NobodyLeavesWhenAllEdgesAreReplaced(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a fleet")
	}
	o := slice(t, "rolling", time.Minute)
	o.TTL, o.Renew = 30*time.Second, 10*time.Second // nobody is to be too late to return
	if r := runSlice(t, o); r.Departures.Announced != 0 || r.Duplicated != 0 || r.Lost != 0 {
		t.Errorf("%d left, %d duplicates, %d lost; want none", r.Departures.Announced, r.Duplicated, r.Lost)
	}
}

func TestAnUnknownScenarioIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Options{Scenario: "nap"}); !errors.Is(err, ErrScenario) {
		t.Errorf("got %v, want %v", err, ErrScenario)
	}
}

// TestOptionsThatProveNothingAreRefused holds that nothing is started for them.
func TestOptionsThatProveNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Options){
		"no edges":         func(o *Options) { o.Edges = 0 },
		"too many edges":   func(o *Options) { o.Edges = maxEdges + 1 },
		"no peers":         func(o *Options) { o.Peers = 0 },
		"empty meshes":     func(o *Options) { o.PerMesh = 0 },
		"silence":          func(o *Options) { o.Rate = 0 },
		"no rate":          func(o *Options) { o.Rate = math.NaN() },
		"no lease":         func(o *Options) { o.TTL = 0 },
		"no renewals":      func(o *Options) { o.Renew = 0 },
		"faults before":    func(o *Options) { o.FaultEvery = -1 },
		"a shorter run":    func(o *Options) { o.For = -1 },
		"missing replicas": func(o *Options) { o.AckReplicas = -1 },
	} {
		o := DefaultOptions()
		o.Backend = func(context.Context) (Backend, error) { return nil, fmt.Errorf("started for %s", name) }
		o.History = filepath.Join(t.TempDir(), "history")
		spoil(&o)
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: got %v, want %v", name, err, ErrOptions)
		}
	}
}

func TestOneServerCannotFailOver(t *testing.T) {
	t.Parallel()
	b, err := StartSingle(t.Context(), 8)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.FailOver(t.Context()); b.FailsOver() || !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v, want %v", err, ErrUnsupported)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFailureOutsideOfATestIsAnError(t *testing.T) {
	t.Parallel()
	cleaned := false
	err := func() (err error) {
		s := newScope(t.Context())
		defer s.recover(&err)
		s.Cleanup(func() { cleaned = true })
		s.Fatalf("no %s", "port")
		return nil
	}()
	if err == nil || err.Error() != "chaos: no port" || !cleaned {
		t.Errorf("got %v, cleaned up: %v", err, cleaned)
	}
}

func TestASeedMakesTheSameKeys(t *testing.T) {
	t.Parallel()
	if a, b := seedFor(1, "p"), seedFor(1, "p"); a != b {
		t.Error("one seed, two keys")
	}
	if seedFor(1, "p") == seedFor(2, "p") || seedFor(1, "p") == seedFor(1, "q") {
		t.Error("two seeds or names, one key")
	}
	r := &run{o: Options{Seed: 3}}
	a, again, b := r.rng("a").Uint64(), r.rng("a").Uint64(), r.rng("b").Uint64()
	if a != again || a == b {
		t.Error("chance does not follow seed and purpose")
	}
}
