package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// count returns how often it ran; a repeat would show. Its keys are two, as
// only those of more than one wait for a slot that moves.
var count = redis.NewScript("#!lua flags=allow-oom\nredis.call('INCR', KEYS[2])\nreturn redis.call('INCR', KEYS[1])")

func counted(c *redis.Client, ctx context.Context, mesh string) (int, error) {
	return c.Run(ctx, count, []string{"a:" + c.Tag(mesh), "b:" + c.Tag(mesh)}).Int()
}

// meshes gives a mesh in each partition.
func meshes(c *redis.Client) []string {
	out := make([]string, c.Partitions())
	for i, left := 0, len(out); left > 0; i++ {
		mesh := fmt.Sprint("mesh", i)
		if p := c.Partition(mesh); out[p] == "" {
			out[p], left = mesh, left-1
		}
	}
	return out
}

func TestScriptsBatchesAndSingleCommandsFindTheirNode(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 0)
	c := server.Client(t)
	if masters, err := c.Masters(t.Context()); err != nil || len(masters) != 3 || !c.Clustered() {
		t.Fatalf("masters %v, %v", masters, err)
	}
	var wg sync.WaitGroup
	for _, mesh := range meshes(c) {
		for range 20 {
			wg.Go(func() {
				if _, err := counted(c, t.Context(), mesh); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	var calls []redis.Call
	for _, mesh := range meshes(c) {
		for range 100 {
			calls = append(calls, redis.Call{Script: count, Keys: []string{"a:" + c.Tag(mesh), "b:" + c.Tag(mesh)}})
		}
	}
	for i, cmd := range c.RunAll(t.Context(), calls) {
		if n, err := cmd.Int(); err != nil || n != 21+i%100 {
			t.Fatalf("call %d: %d, %v", i, n, err)
		}
	}
	pipe := c.Raw().Pipeline()
	for _, mesh := range meshes(c) {
		pipe.Get(t.Context(), "a:"+c.Tag(mesh))
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOneAddressIsEnoughToFindACluster(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 0)
	first, _, _ := strings.Cut(server.URL(), ",")
	c, err := redis.Open(t.Context(), redis.Options{URL: first})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.Clustered() {
		t.Fatal("taken for a single node")
	}
	if remedies, err := c.Check(t.Context()); err != nil || len(remedies) != 0 {
		t.Fatalf("got %q, %v", remedies, err)
	}
	server.Node(1).ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru")
	if remedies, err := c.Check(t.Context()); err != nil || len(remedies) != 1 {
		t.Fatalf("got %q, %v; want one remedy", remedies, err)
	}
}

func TestScriptsArePausedWhileTheirSlotMovesAndRunOnce(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 0)
	c := server.Client(t)
	mesh := "mesh0"
	from := server.Owner(c.Tag(mesh))
	stop, ran := make(chan struct{}), make(chan int, 4)
	for range cap(ran) {
		go func() { ran <- keepCounting(t, c, mesh, stop) }()
	}
	for i := range 4 {
		server.Reshard(c.Tag(mesh), (from+1+i)%3, func() {
			server.Node(from).Del(t.Context(), "b:"+c.Tag(mesh)) // one key here, one not: TRYAGAIN
		})
	}
	close(stop)
	total := 0
	for range cap(ran) {
		total += <-ran
	}
	if got, err := c.Raw().Get(t.Context(), "a:"+c.Tag(mesh)).Int(); err != nil || got != total || total == 0 {
		t.Fatalf("%d runs were answered, %d took place: %v", total, got, err)
	}
}

func keepCounting(t *testing.T, c *redis.Client, mesh string, stop <-chan struct{}) int {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return n
		default:
		}
		if _, err := counted(c, t.Context(), mesh); err != nil {
			t.Error(err)
			return n
		}
	}
}

func TestAMasterThatDiesIsReplacedWhileCallersWait(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 1)
	c := server.Client(t)
	mesh := "mesh0"
	if _, err := counted(c, t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	owner := server.Owner(c.Tag(mesh))
	server.Kill(owner)
	_, _ = counted(c, t.Context(), mesh) // may meet the broken connection, which nobody repeats
	began := time.Now()
	if _, err := counted(c, t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	t.Logf("away for %v", time.Since(began))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	next := server.Owner(c.Tag(mesh))
	server.Kill(next) // and now nobody is left
	for range 3 {
		if _, err := counted(c, ctx, mesh); err == nil {
			t.Fatal("a script ran without a master")
		}
	}
}

func TestAFailoverIsNoticedByNobody(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 1)
	c := server.Client(t)
	stop, ran := make(chan struct{}), make(chan int)
	go func() { ran <- keepCounting(t, c, "mesh0", stop) }()
	server.Failover(server.Owner(c.Tag("mesh0")))
	close(stop)
	want := <-ran
	if got, err := c.Raw().Get(t.Context(), "a:"+c.Tag("mesh0")).Int(); err != nil || got != want {
		t.Fatalf("%d runs were answered, %d took place: %v", want, got, err)
	}
}

func TestADurableScriptWaitsForAReplica(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 1)
	c := server.Client(t)
	keys := []string{"a:" + c.Tag("mesh0"), "b:" + c.Tag("mesh0")}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := c.RunDurable(t.Context(), 1, count, keys).Err(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	owner := server.Owner(c.Tag("mesh0"))
	replica := server.Failover(owner)
	if got, err := c.Raw().Get(t.Context(), keys[0]).Int(); err != nil || got != 50 {
		t.Fatalf("%d, %v", got, err)
	}
	if err := c.RunDurable(t.Context(), 2, count, keys).Err(); !errors.Is(err, redis.ErrUnconfirmed) {
		t.Fatalf("two replicas where one is: %v", err)
	}
	server.Pause(owner) // a replica now
	if err := c.RunDurable(t.Context(), 1, count, keys).Err(); !errors.Is(err, redis.ErrUnconfirmed) {
		t.Fatalf("a replica that stands still: %v", err)
	}
	server.Resume(owner)
	if got, err := server.Node(replica).Get(t.Context(), keys[0]).Int(); err != nil || got != 52 {
		t.Fatalf("%d, %v", got, err)
	}
}
