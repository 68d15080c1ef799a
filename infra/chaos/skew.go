package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// skewVariable tells an edge built by [BuildSkewed] by how many seconds its
// clock is wrong.
const skewVariable = "CHAOS_CLOCK_SKEW"

// Skewed clocks are built in: a static Go program reads the clock without libc,
// so that nothing can step in between at run time. The overlay replaces one
// line of package time, for this one binary, and leaves the edge's code alone.
const (
	skewedCall = "sec, nsec, mono := runtimeNow()\n"

	skewSource = `package time

import "syscall"

var chaosSkew = func() (n int64) {
	text, _ := syscall.Getenv("` + skewVariable + `")
	sign := int64(1)
	for _, c := range text {
		if c == '-' {
			sign = -1
		} else {
			n = 10*n + int64(c-'0')
		}
	}
	return sign * n
}()
`
)

// ErrNoSkew says that the Go toolchain is not, or not as, expected.
var ErrNoSkew = errors.New("chaos: clocks cannot be skewed here")

// BuildSkewed builds an edge whose clock can be made wrong, into dir, and
// returns its path. It needs the Go toolchain and this module's source around
// it; where they are missing it returns [ErrNoSkew].
func BuildSkewed(ctx context.Context, dir, edge string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoSkew, err)
	}
	overlay, err := writeOverlay(dir, filepath.Join(strings.TrimSpace(string(root)), "src", "time"))
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "edge-skewed")
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, edge)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %w\n%s", ErrNoSkew, err, out)
	}
	return binary, nil
}

// writeOverlay writes the changed package time and returns the file that tells
// the go command of it.
func writeOverlay(dir, pkg string) (string, error) {
	clock := filepath.Join(pkg, "time.go")
	source, err := os.ReadFile(clock)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoSkew, err)
	}
	if bytes.Count(source, []byte(skewedCall)) != 1 {
		return "", fmt.Errorf("%w: this toolchain's time.Now is not the one known", ErrNoSkew)
	}
	changed := bytes.Replace(source, []byte(skewedCall), []byte(skewedCall+"\tsec += chaosSkew\n"), 1)
	replace := map[string]string{}
	for original, text := range map[string][]byte{clock: changed, filepath.Join(pkg, "chaos_skew.go"): []byte(skewSource)} {
		ours := filepath.Join(dir, filepath.Base(original))
		if err := os.WriteFile(ours, text, 0o600); err != nil {
			return "", fmt.Errorf("chaos: %w", err)
		}
		replace[original] = ours
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("chaos: %w", err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		return "", fmt.Errorf("chaos: %w", err)
	}
	return overlay, nil
}

// skewOf is by how much the clock of the n-th edge is wrong: the first is right,
// the others are ahead and behind in turn.
func skewOf(n int, skew time.Duration) string {
	seconds := int(skew / time.Second)
	switch {
	case n == 0:
		seconds = 0
	case n%2 == 0:
		seconds = -seconds
	}
	return fmt.Sprintf("%s=%d", skewVariable, seconds)
}
