package bench

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// programs builds what a bench starts.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, "../../edge/cmd/edge", "../cmd/bench")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// tiny is the least that measures anything.
func tiny(bin string, sections ...string) (Options, *bytes.Buffer) {
	var out bytes.Buffer
	return Options{Bin: bin, Sections: sections, Rounds: 1, Round: 50 * time.Millisecond, Peers: 4, Out: &out, Log: io.Discard}, &out
}

func TestEachSectionMeasuresSomething(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	for _, name := range Sections() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, out := tiny(bin, name)
			if err := Run(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			rows := 0
			for line := range strings.Lines(out.String()) {
				cells := strings.Split(line, "|")
				if len(cells) != 9 || strings.TrimSpace(cells[1]) != name {
					continue
				}
				rows++
				if measured := strings.TrimSpace(cells[3]); measured == "" || measured == "–" || strings.Contains(measured, "NaN") {
					t.Errorf("%s: nothing was measured: %s", cells[2], line)
				}
			}
			if rows == 0 {
				t.Errorf("no row:\n%s", out)
			}
		})
	}
}

func TestASectionThatDoesNotExistIsRefused(t *testing.T) {
	t.Parallel()
	o, out := tiny(t.TempDir(), "direct", "nonsense")
	if err := Run(t.Context(), o); !errors.Is(err, ErrSection) || out.Len() > 0 {
		t.Errorf("%v, and printed %q", err, out)
	}
}

func TestARowShowsTheMedianTheRangeAndWhetherGoalsAreMet(t *testing.T) {
	t.Parallel()
	r := row{
		"cost", "µs",
		series{30, 10, 20},
		"bare",
		series{10, 10, 16},
		[]goal{atMost(ratio, 1.3), atMost(value, 25)},
	}
	var out bytes.Buffer
	r.print(&out, "x")
	want := "| x | cost | 20.0 µs (10.0–30.0) | bare: 10.0 µs (10.0–16.0) | 1.25 (1.00–3.00) | ≤ 1.3 ×, ≤ 25 µs | yes |\n"
	if got := out.String(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	r.goals = []goal{atMost(ratio, 1.3), atLeast(value, 21)}
	if goals, met := r.verdict(); goals != "≤ 1.3 ×, ≥ 21 µs" || met != "NO" {
		t.Errorf("%s: %s", goals, met)
	}
}

func TestAPercentileIsOneOfWhatWasMeasured(t *testing.T) {
	t.Parallel()
	var s series
	for i := 100; i > 0; i-- {
		s = append(s, float64(i))
	}
	for p, want := range map[int]float64{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := s.percentile(p); got != want {
			t.Errorf("percentile %d is %v, want %v", p, got, want)
		}
	}
	if got := (series{}).median(); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
