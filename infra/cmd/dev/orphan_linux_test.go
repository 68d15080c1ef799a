package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	goredis "github.com/redis/go-redis/v9"
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

func TestARunAfterAKilledOneWaitsForItsRedis(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := launch(t, data).ready()
	if err := first.redis().Set(t.Context(), "left", "here", 0).Err(); err != nil {
		t.Fatal(err)
	}
	goOn := occupy(t, first.redis())
	first.signal(syscall.SIGKILL)
	first.endsWith(-1)

	second := launch(t, data)
	second.says("waiting for it")
	if strings.Contains(second.out.String(), "Ctrl-C stops everything") {
		t.Fatalf("two servers write one file:\n%s", &second.out)
	}
	goOn()
	if got, err := second.ready().redis().Get(t.Context(), "left").Result(); got != "here" || err != nil {
		t.Errorf("left = %q, %v; want here", got, err)
	}
	second.signal(syscall.SIGTERM)
	second.endsWith(0)
}

// occupy keeps a Redis from ending, as writing a large file would, until the
// function that it returns is called.
func occupy(t *testing.T, rdb *goredis.Client) (goOn func()) {
	t.Helper()
	if err := rdb.ConfigSet(t.Context(), "busy-reply-threshold", "1").Err(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	busy := goredis.NewClient(&goredis.Options{Network: "unix", Addr: rdb.Options().Addr, MaxRetries: -1, ReadTimeout: -1})
	go func() {
		defer close(ended)
		_ = busy.Eval(context.WithoutCancel(t.Context()), "while true do end", nil).Err() // it is killed
	}()
	goOn = sync.OnceFunc(func() {
		_ = rdb.ScriptKill(context.WithoutCancel(t.Context())).Err()
		<-ended
		_ = busy.Close()
	})
	t.Cleanup(goOn)
	eventually(t, func() error {
		if err := rdb.Ping(t.Context()).Err(); err == nil || !strings.HasPrefix(err.Error(), "BUSY") {
			return fmt.Errorf("redis is not busy: %w", err)
		}
		return nil
	})
	return goOn
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
