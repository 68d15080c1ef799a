package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

func TestNoChildOutlivesAKilledDev(t *testing.T) {
	t.Parallel()
	b := launch(t, t.TempDir()).ready()
	edge, err := strconv.Atoi(b.find(`pid (\d+)`))
	if err != nil {
		t.Fatal(err)
	}
	redis := b.redisPID(t.Context())
	b.signal(syscall.SIGKILL)
	b.endsWith(-1)
	for _, pid := range []int{edge, redis} {
		eventually(t, func() error { return gone(pid) })
	}
}

// gone returns nil if the process has ended. One that nobody has reaped yet
// has: in a container, nobody may ever do so.
func gone(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return nil
	case err == nil && regexp.MustCompile(`\) [ZX] `).Match(stat):
		return nil
	}
	return fmt.Errorf("process %d is still there: %s (%w)", pid, stat, err)
}
