//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// programs holds dev and, as its edge, testdata/fakeedge.
var programs string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dev")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	for name, pkg := range map[string]string{"dev": ".", "edge": "./testdata/fakeedge"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, out)
			return 1
		}
	}
	return m.Run()
}

// A broker is one run of dev.
type broker struct {
	tb    testing.TB
	cmd   *exec.Cmd
	out   output
	ended chan struct{}
	err   error
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// launch starts dev on an ephemeral port; env is NAME=VALUE, the rest flags.
func launch(t *testing.T, data string, args ...string) *broker {
	t.Helper()
	b := &broker{tb: t, ended: make(chan struct{})}
	b.cmd = exec.Command(filepath.Join(programs, "dev"), "-data", data)
	b.cmd.Env = append(os.Environ(), "EDGE_ADDR=127.0.0.1:0")
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			b.cmd.Args = append(b.cmd.Args, arg)
		} else {
			b.cmd.Env = append(b.cmd.Env, arg)
		}
	}
	b.cmd.Stdout, b.cmd.Stderr = &b.out, &b.out
	b.cmd.WaitDelay = 10 * time.Second // an orphan would hold the pipe: that is a failure, not a hang
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		b.err = b.cmd.Wait()
		close(b.ended)
	}()
	t.Cleanup(b.end)
	return b
}

// end stops dev if it still runs. Being killed would orphan its children where
// the system does not end them too.
func (b *broker) end() {
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.ended:
	case <-time.After(20 * time.Second):
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
}

// ready waits until dev has said what to do next.
func (b *broker) ready() *broker {
	b.tb.Helper()
	b.says("Ctrl-C stops everything")
	return b
}

func (b *broker) says(want string) {
	b.tb.Helper()
	eventually(b.tb, func() error {
		if strings.Contains(b.out.String(), want) {
			return nil
		}
		select {
		case <-b.ended:
			b.tb.Fatalf("dev ended without saying %q: %v\n%s", want, b.err, &b.out)
		default:
		}
		return fmt.Errorf("dev does not say %q:\n%s", want, &b.out)
	})
}

func (b *broker) signal(sig syscall.Signal) {
	b.tb.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil {
		b.tb.Fatal(err)
	}
}

// endsWith waits for dev to end with this exit status.
func (b *broker) endsWith(want int) {
	b.tb.Helper()
	select {
	case <-b.ended:
	case <-time.After(60 * time.Second):
		b.tb.Fatalf("dev does not end:\n%s", &b.out)
	}
	if got := b.cmd.ProcessState.ExitCode(); got != want || errors.Is(b.err, exec.ErrWaitDelay) {
		b.tb.Fatalf("dev ended with %d (%v), want %d:\n%s", got, b.err, want, &b.out)
	}
}

func (b *broker) find(pattern string) string {
	b.tb.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(b.out.String())
	if match == nil {
		b.tb.Fatalf("no %s in:\n%s", pattern, &b.out)
	}
	return match[1]
}

func (b *broker) redis() *goredis.Client {
	b.tb.Helper()
	opt, err := goredis.ParseURL(b.find(`redis +(unix://\S+)`))
	if err != nil {
		b.tb.Fatal(err)
	}
	rdb := goredis.NewClient(opt)
	b.tb.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func (b *broker) redisPID(ctx context.Context) int {
	b.tb.Helper()
	info, err := b.redis().Info(ctx, "server").Result()
	if err != nil {
		b.tb.Fatal(err)
	}
	pid, err := strconv.Atoi(regexp.MustCompile(`process_id:(\d+)`).FindStringSubmatch(info)[1])
	if err != nil {
		b.tb.Fatal(err)
	}
	return pid
}

func eventually(tb testing.TB, check func() error) {
	tb.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for err := check(); err != nil; err = check() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatal(err)
		}
	}
}

func TestASecondRunFindsTheDataOfTheFirst(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), `it's an "odd" place`)
	first := launch(t, data).ready()
	if err := first.redis().Set(t.Context(), "left", "here", 0).Err(); err != nil {
		t.Fatal(err)
	}
	first.signal(syscall.SIGTERM)
	first.endsWith(0)

	second := launch(t, data).ready()
	if got, err := second.redis().Get(t.Context(), "left").Result(); got != "here" || err != nil {
		t.Errorf("left = %q, %v; want here", got, err)
	}
	// The edge wrote this while it drained, so Redis outlived it.
	if got, err := second.redis().Get(t.Context(), "drained").Result(); got != "yes" || err != nil {
		t.Errorf("drained = %q, %v; want yes", got, err)
	}
	second.signal(syscall.SIGINT)
	second.endsWith(0)
}

func TestRedisIsPrivate(t *testing.T) {
	t.Parallel()
	b := launch(t, t.TempDir()).ready()
	conf, err := b.redis().ConfigGet(t.Context(), "port").Result()
	if err != nil || conf["port"] != "0" {
		t.Errorf("port = %v, %v; want no TCP port", conf, err)
	}
	info, err := os.Stat(b.redis().Options().Addr)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("socket: %v, %v; want it closed to others", info.Mode(), err)
	}
}

func TestALongPathStillHasASocket(t *testing.T) {
	t.Parallel()
	b := launch(t, filepath.Join(t.TempDir(), strings.Repeat("long", 30))).ready()
	if err := b.redis().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestTheEmbeddedRedisSaysThatNothingSurvives(t *testing.T) {
	t.Parallel()
	b := launch(t, t.TempDir(), "-embedded").ready()
	b.says("NOTHING SURVIVES A RESTART")
	b.says("redis   redis://127.0.0.1:") // and no password is shown
	b.signal(syscall.SIGTERM)
	b.endsWith(0)
}

func TestTheEdgeRunsOnEitherRedis(t *testing.T) {
	t.Parallel()
	edge := filepath.Join(t.TempDir(), "edge")
	if out, err := exec.Command("go", "build", "-o", edge, "../../../edge/cmd/edge").CombinedOutput(); err != nil {
		t.Fatalf("build the edge: %v\n%s", err, out)
	}
	for _, embedded := range []string{"-embedded=false", "-embedded"} {
		t.Run(embedded, func(t *testing.T) {
			t.Parallel()
			b := launch(t, t.TempDir(), "-edge="+edge, embedded).ready()
			b.signal(syscall.SIGTERM)
			b.endsWith(0)
		})
	}
}

func TestATakenPortIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	b := launch(t, t.TempDir(), "EDGE_ADDR="+ln.Addr().String())
	b.endsWith(1)
	b.says(ln.Addr().String() + " is taken by another program\nhint: ")
}

func TestTwoRunsOnOneDirectoryAreRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := launch(t, data).ready()
	second := launch(t, data)
	second.endsWith(1)
	second.says("is in use by another run\nhint: ")
	first.signal(syscall.SIGTERM)
	first.endsWith(0)
}

func TestADyingEdgeStopsEverything(t *testing.T) {
	t.Parallel()
	b := launch(t, t.TempDir()).ready()
	rdb := b.redis()
	if resp, err := http.Get("http://" + b.find(`ws://(\S+)/ws`) + "/crash"); err == nil {
		_ = resp.Body.Close()
	}
	b.endsWith(1)
	b.says("these are my last words")
	b.says("dev: the edge ended by itself: exit status 4")
	if err := rdb.Ping(t.Context()).Err(); err == nil {
		t.Error("Redis still answers")
	}
}

func TestADyingRedisStopsEverything(t *testing.T) {
	t.Parallel()
	b := launch(t, t.TempDir()).ready()
	if err := syscall.Kill(b.redisPID(t.Context()), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.endsWith(1)
	b.says("dev: redis ended by itself: signal: killed")
	b.says("fakeedge: draining")
}

func TestARedisThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "appendonlydir"), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := launch(t, data)
	b.endsWith(1)
	b.says("dev: redis does not start: exit status 1\nredis: ")
}

func TestASecondInterruptIsImpatient(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	b := launch(t, data, "FAKE_EDGE=stubborn").ready()
	if err := b.redis().Set(t.Context(), "left", "here", 0).Err(); err != nil {
		t.Fatal(err)
	}
	b.signal(syscall.SIGINT)
	b.says("fakeedge: draining")
	b.signal(syscall.SIGINT)
	b.endsWith(1)
	b.says("dev: killed edge: told to hurry")

	again := launch(t, data).ready()
	if got, err := again.redis().Get(t.Context(), "left").Result(); got != "here" || err != nil {
		t.Errorf("left = %q, %v; want here: haste is no reason to lose data", got, err)
	}
}

func TestCtrlCReachesOnlyDev(t *testing.T) {
	t.Parallel()
	b := launch(t, t.TempDir()).ready()
	edge, err := strconv.Atoi(b.find(`pid (\d+)`))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{edge, b.redisPID(t.Context())} {
		if group, err := syscall.Getpgid(pid); group != pid || err != nil {
			t.Errorf("process %d is in group %d (%v), want its own", pid, group, err)
		}
	}
}

func TestTheDrainIsShortUnlessTheUserSaysOtherwise(t *testing.T) {
	t.Parallel()
	launch(t, t.TempDir()).ready().says("drain within 2s")
	launch(t, t.TempDir(), "EDGE_DRAIN_WITHIN=7s").ready().says("drain within 7s")
}
