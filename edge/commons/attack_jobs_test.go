package commons

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/semaphore"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redistest"
)

// A mesh has its watches look at a server that is slow on purpose, and
// schedules more than anybody else.
func TestAMeshWithThousandsOfSlowJobsDoesNotHoldUpTheOthersOfItsPartition(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	greedy, modest := wire.NewID(wire.LongID), wire.NewID(wire.LongID)
	for c.Partition(modest) != c.Partition(greedy) {
		modest = wire.NewID(wire.LongID)
	}
	slow, done := make(chan struct{}), make(chan string, 1)
	var held atomic.Int32
	do := func(_ context.Context, mesh, field string) error {
		if mesh == modest {
			done <- field
			return nil
		}
		held.Add(1)
		<-slow
		return nil
	}
	s := &Commons{redis: c, log: slog.New(slog.DiscardHandler), jobs: map[string]job{
		watchShelf.name: {do: do}, scheduleShelf.name: {do: do, inOrder: true},
	}}
	s.opt.Rank = func(int) int { return 0 }
	var jobs []goredis.Z
	for _, sh := range []shelf{watchShelf, scheduleShelf} {
		for i := range sh.fields {
			jobs = append(jobs, goredis.Z{Score: 1, Member: fmt.Sprintf("%s:%s:%d", greedy, sh.name, i)})
		}
	}
	jobs = append(jobs, goredis.Z{Score: 2, Member: modest + ":" + watchShelf.name + ":mine"})
	if err := c.Raw().ZAdd(t.Context(), jobsKey(c.Tag(greedy)), jobs...).Err(); err != nil {
		t.Fatal(err)
	}
	r := newRunner(s)
	defer r.group.Wait()
	defer close(slow)
	for range 3 {
		r.look(t.Context(), []int{c.Partition(greedy)})
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("the other mesh's job was not begun")
	}
	if n := held.Load(); n > 2*jobsOfMesh {
		t.Errorf("one mesh has %d jobs under way", n)
	}
}

// Jobs without room are not what every look finds first.
func TestJobsWithoutRoomGoBehindWhatIsDue(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	mesh := wire.NewID(wire.LongID)
	name := mesh + ":" + watchShelf.name + ":a"
	jobs := jobsKey(c.Tag(mesh))
	if err := c.Raw().ZAdd(t.Context(), jobs, goredis.Z{Score: 1, Member: name}).Err(); err != nil {
		t.Fatal(err)
	}
	s := &Commons{redis: c, log: slog.New(slog.DiscardHandler), jobs: map[string]job{watchShelf.name: {}}}
	r := newRunner(s)
	r.slots[watchShelf.name] = semaphore.NewWeighted(0)
	if r.begin(t.Context(), []string{name}) {
		t.Error("there was room")
	}
	if due, err := c.Raw().ZScore(t.Context(), jobs, name).Result(); err != nil || due < 1e12 {
		t.Errorf("still due at %v (%v)", due, err)
	}
	if len(r.busy) != 0 || len(r.ofMesh) != 0 {
		t.Errorf("still claimed: %v, %v", r.busy, r.ofMesh)
	}
}

// A member makes a hundred keys and opens eight streams with each.
func TestOneMeshCannotTakeAllStreamsOfAnEdge(t *testing.T) {
	t.Parallel()
	a := newAudiences()
	var open []*bearer
	enter := func(mesh, owner, id string) bool {
		key := &bearer{mesh: mesh, id: id, apiKeyRecord: apiKeyRecord{Owner: owner}}
		if !a.enter(key) {
			return false
		}
		open = append(open, key)
		return true
	}
	for i := range 1000 {
		enter("greedy", fmt.Sprint("member", i%4), fmt.Sprint(i%200))
	}
	if len(open) != streamsPerMesh {
		t.Errorf("one mesh has %d streams", len(open))
	}
	for i := range 1000 {
		enter("other", "member", fmt.Sprint(i))
	}
	if got := len(open) - streamsPerMesh; got != streamsPerMember {
		t.Errorf("one member has %d streams", got)
	}
	if !enter("third", "member", "key") {
		t.Error("another mesh finds no room")
	}
	for _, key := range open {
		a.leave(key)
	}
	if a.all != 0 || len(a.of) != 0 {
		t.Errorf("left over: %d, %v", a.all, a.of)
	}
}

// A member says something in a topic while its other connection ends it: the
// history would belong to no topic and count for no bound.
func TestWhatIsSaidInATopicThatEndsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	c := redistest.Start(t).Client(t)
	s := &Commons{redis: c}
	mesh := wire.NewID(wire.LongID)
	for _, id := range []string{"ended", "running"} {
		if err := c.Raw().XAdd(t.Context(), &goredis.XAddArgs{Stream: s.historyKey(mesh, id), Values: []string{"b", "x"}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Raw().HSet(t.Context(), s.key(mesh, topicShelf), "running", "{}").Err(); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int64{"ended": 0, "running": 1} {
		if err := s.forgetIfEnded(t.Context(), mesh, id); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Raw().Exists(t.Context(), s.historyKey(mesh, id)).Result(); err != nil || n != want {
			t.Errorf("%s: %d histories, want %d (%v)", id, n, want, err)
		}
	}
}
