package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

func TestScriptsRunWhetherOrNotTheServerKnowsThem(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	s := redis.NewScript("#!lua flags=allow-oom\nreturn ARGV[1] .. KEYS[1]", "-- a fragment")
	for range 2 {
		if got, err := c.Run(t.Context(), s, []string{"k"}, "v").Text(); err != nil || got != "vk" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestManyCallersAndBatchesKeepTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	s := redis.NewScript("#!lua\nreturn ARGV[1]")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			want := fmt.Sprint(i)
			if got, err := c.Run(t.Context(), s, nil, want).Text(); err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	}
	wg.Wait()
	calls := make([]redis.Call, 450)
	for i := range calls {
		calls[i] = redis.Call{Script: s, Args: []any{i}}
	}
	for i, cmd := range c.RunAll(t.Context(), calls) {
		if got, err := cmd.Int(); err != nil || got != i {
			t.Fatalf("call %d: got %d, %v", i, got, err)
		}
	}
}

func TestTheNumberOfPartitionsIsFixedAtTheFirstStart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	first := server.Client(t)
	_, err := redis.Open(t.Context(), redis.Options{URL: server.URL(), Partitions: first.Partitions() + 1})
	if !errors.Is(err, redis.ErrPartitions) {
		t.Fatalf("got %v, want ErrPartitions", err)
	}
	c, err := redis.Open(t.Context(), redis.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Partitions() != first.Partitions() {
		t.Fatalf("got %d partitions, want the stored %d", c.Partitions(), first.Partitions())
	}
}

func TestATagNamesThePartitionOfItsMesh(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	for _, mesh := range []string{"a", "b", "Qm3", ""} {
		n, ok := redis.ParsePartitionTag(c.Tag(mesh))
		if !ok || n != c.Partition(mesh) {
			t.Errorf("mesh %q: tag %q gives %d, %v", mesh, c.Tag(mesh), n, ok)
		}
	}
	for _, bad := range []string{"", "{p}", "{p-1}", "{p01}", "p1", "{p1"} {
		if _, ok := redis.ParsePartitionTag(bad); ok {
			t.Errorf("%q was taken for a tag", bad)
		}
	}
}

func TestTheProductionConfigurationHasNothingToMend(t *testing.T) {
	t.Parallel()
	remedies, err := redistest.Start(t).Client(t).Check(t.Context())
	if err != nil || len(remedies) != 0 {
		t.Fatalf("got %q, %v", remedies, err)
	}
}

func TestAServerWithoutEventsOrWithEvictionIsToldSo(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, `notify-keyspace-events ""`, "maxmemory-policy allkeys-lru", "appendonly no")
	remedies, err := server.Client(t).Check(t.Context())
	if err != nil || len(remedies) != 3 {
		t.Fatalf("got %q, %v; want three remedies", remedies, err)
	}
	for i, word := range []string{"keyspace", "noeviction", "appendonly"} {
		if !strings.Contains(remedies[i], word) {
			t.Errorf("remedy %d %q does not speak of %s", i, remedies[i], word)
		}
	}
}

func TestAServerThatIsGoneIsAnErrorNotAHang(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := server.Client(t)
	server.Kill()
	if err := c.Run(t.Context(), redis.NewScript("return 1"), nil).Err(); err == nil {
		t.Fatal("a script ran on a dead server")
	}
	server.Restart()
	var err error
	for range 3 { // the first calls may meet a connection of the dead server
		if err = c.Run(t.Context(), redis.NewScript("return 1"), nil).Err(); err == nil {
			return
		}
	}
	t.Fatal(err)
}
