package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// gathered waits until that many commands wait for a lane.
func gathered(t *testing.T, c *redis.Client, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for c.Gathered() != n {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d commands wait, want %d", c.Gathered(), n)
		}
	}
}

// reads is how often the server has read from its clients.
func reads(t *testing.T, c *redis.Client) int {
	t.Helper()
	text, err := c.Raw().Info(t.Context(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(text, "total_reads_processed:")
	n, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// busy has the lanes taken by commands that a paused server does not answer.
func busy(t *testing.T, c *redis.Client, calls *sync.WaitGroup) {
	t.Helper()
	for i := range redis.Lanes + 1 {
		calls.Go(func() {
			if err := c.Do(t.Context(), "INCR", "first").Err(); err != nil {
				t.Error(i, err)
			}
		})
	}
	gathered(t, c, 1)
}

func TestConcurrentScriptsShareRoundTrips(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := server.Client(t)
	if _, err := counted(c, t.Context(), "m"); err != nil { // the script is known
		t.Fatal(err)
	}
	const callers = 400
	before := reads(t, c)
	var calls sync.WaitGroup
	server.Pause()
	busy(t, c, &calls)
	got := make([]int, callers)
	for i := range callers {
		calls.Go(func() {
			n, err := counted(c, t.Context(), "m")
			if err != nil {
				t.Error(err)
			}
			got[i] = n
		})
	}
	gathered(t, c, 1+callers)
	server.Resume()
	calls.Wait()
	if n := reads(t, c) - before; n > callers/4 {
		t.Errorf("%d scripts took %d reads", callers, n)
	}
	seen := map[int]bool{}
	for _, n := range got {
		seen[n] = true
	}
	if len(seen) != callers {
		t.Errorf("%d callers have %d answers", callers, len(seen))
	}
}

func TestACallerThatGivesUpLeavesNothingToRun(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := server.Client(t)
	var calls sync.WaitGroup
	server.Pause()
	busy(t, c, &calls)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- c.Do(ctx, "INCR", "gone").Err() }()
	gathered(t, c, 2)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up got %v", err)
	}
	server.Resume()
	calls.Wait()
	if n, err := c.Do(t.Context(), "EXISTS", "gone").Int(); err != nil || n != 0 {
		t.Errorf("its command ran: %d, %v", n, err)
	}
}

func TestEachOfAPipelineHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := server.Client(t)
	var calls sync.WaitGroup
	server.Pause()
	busy(t, c, &calls)
	for i := range 20 {
		calls.Go(func() {
			if i%2 == 0 { // it fails, and its neighbours do not
				if err := c.Do(t.Context(), "INCR").Err(); err == nil || !strings.Contains(err.Error(), "wrong number") {
					t.Errorf("got %v", err)
				}
				return
			}
			want := fmt.Sprint(i)
			if got, err := c.Do(t.Context(), "ECHO", want).Text(); err != nil || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
	gathered(t, c, 21)
	server.Resume()
	calls.Wait()
}
