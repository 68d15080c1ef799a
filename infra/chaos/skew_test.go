package chaos

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAClockIsWrongAsTold builds a program that tells the time.
func TestAClockIsWrongAsTold(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the standard library")
	}
	dir := t.TempDir()
	const program = "package main\n\nimport \"time\"\n\nfunc main() { println(time.Now().Unix()) }\n"
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := BuildSkewed(t.Context(), dir, main)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []time.Duration{0, time.Hour, -time.Hour} {
		cmd := exec.Command(binary)
		cmd.Env = append(os.Environ(), skewOf(n, time.Hour))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		told, err := time.ParseDuration(strings.TrimSpace(string(out)) + "s")
		off := told - time.Duration(time.Now().Unix())*time.Second
		if err != nil || (off-want).Abs() > time.Minute {
			t.Errorf("edge %d is wrong by %v (%v), want %v", n, off, err, want)
		}
	}
}

func TestAnUnknownToolchainIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "time.go"), []byte("package time\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := writeOverlay(t.TempDir(), dir); !errors.Is(err, ErrNoSkew) {
		t.Errorf("got %v, want %v", err, ErrNoSkew)
	}
}
