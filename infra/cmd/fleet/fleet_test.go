package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// said collects what a fleet tells.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// find waits until what is told matches, and returns the first group.
func (s *said) find(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		s.mu.Lock()
		match := re.FindStringSubmatch(s.text.String())
		s.mu.Unlock()
		if match != nil {
			return match[len(match)-1]
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("nothing like %q was told", pattern)
		}
	}
}

// TestAFleetReplacesAnEdgeAndEndsCleanly runs what `make fleet` does, kills an
// edge, and stops.
func TestAFleetReplacesAnEdgeAndEndsCleanly(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a fleet")
	}
	o, err := parse([]string{"-single", "-edges", "2", "-bin", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(o.bin, "edge"), "./edge/cmd/edge")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var told said
	o.out = &told
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o) }()
	var pid int
	if _, err := fmt.Sscan(told.find(t, `pids (\d+)`), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	told.find(t, "edge0 has ended; another takes its place")
	told.find(t, `join "\$\(`)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	told.find(t, "stopping")
}

// TestCtrlCWhileAFleetStartsEndsIt stops a fleet whose edges never serve. What
// had begun by then is ended, and that is no failure.
func TestCtrlCWhileAFleetStartsEndsIt(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Redis")
	}
	o, err := parse([]string{"-single", "-edges", "2", "-bin", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(o.bin, "begun")
	edge := "#!/bin/sh\ntouch " + begun + "\nexec sleep 1000\n"
	if err := os.WriteFile(filepath.Join(o.bin, "edge"), []byte(edge), 0o700); err != nil {
		t.Fatal(err)
	}
	var told said
	o.out = &told
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o) }()
	awaitFile(t, begun)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	told.find(t, "stopping before")
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s was never made", path)
		}
	}
}

// TestAFleetWithoutEdgesIsRefused holds that nothing is started for it.
func TestAFleetWithoutEdgesIsRefused(t *testing.T) {
	t.Parallel()
	for _, edges := range []string{"0", "-1", "1000"} {
		if _, err := parse([]string{"-edges", edges}); err == nil {
			t.Errorf("a fleet of %s edges", edges)
		}
	}
}
