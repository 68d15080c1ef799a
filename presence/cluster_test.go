package presence

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// clusterBench is a bench on a cluster.
func clusterBench(t *testing.T, server *redistest.Cluster, o Options) *bench {
	t.Helper()
	b := &bench{TB: t, rdb: server.Client(t), mesh: "Mesh1"}
	b.store = b.newStore(o)
	return b
}

// populate makes a mesh in each partition, and returns them.
func (b *bench) populate() (meshes []string) {
	b.Helper()
	seen := map[int]bool{}
	for i := 0; len(meshes) < b.rdb.Partitions(); i++ {
		mesh := "Mesh" + strconv.Itoa(i)
		if p := b.rdb.Partition(mesh); !seen[p] {
			seen[p], meshes = true, append(meshes, mesh)
			b.mesh = mesh
			b.enrol(alice)
		}
	}
	return meshes
}

func TestL2_DeparturesAreAnnouncedOnEveryMasterOfACluster(t *testing.T) {
	t.Parallel()
	// Long enough leases that a moment without the processor is no departure.
	o := Options{TTL: 1500 * time.Millisecond, RenewEvery: 500 * time.Millisecond}
	server := redistest.StartCluster(t, 3, 0)
	b := clusterBench(t, server, o)
	var seen witness
	var watchers []*Watcher
	for _, edge := range []string{"edgeA", "edgeB"} {
		w, _ := b.watch(b.newStore(o), seen.options(edge))
		watchers = append(watchers, w)
	}
	meshes := b.populate()
	b.trusting(watchers...)
	owners := map[int]bool{}
	notBefore := map[string]time.Time{}
	for i, mesh := range meshes {
		b.mesh = mesh
		owners[server.Owner(b.rdb.Tag(mesh))] = true
		h := b.attach(b.session("p" + strconv.Itoa(i))).Held
		if got := b.renew(h, nil); got != Renewed {
			t.Fatalf("renewal: %q", got)
		}
		notBefore[h.ID] = time.Now().Add(o.TTL)
		b.detach(h)
	}
	for _, mesh := range meshes {
		b.mesh = mesh
		b.awaitDepartures(1)
		b.wantNobodyEarly(notBefore)
	}
	if len(owners) != 3 {
		t.Errorf("only masters %v were tested", owners)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	t.Logf("lateness: worst %v of %d", slices.Max(seen.late), len(seen.late))
	if worst := slices.Max(seen.late); worst > time.Second {
		t.Errorf("a departure was %v late", worst)
	}
}

func TestL1_OneMastersFailoverHoldsItsPartitionsAlone(t *testing.T) {
	t.Parallel()
	o := Options{TTL: 3 * time.Second, RenewEvery: time.Second}
	server := redistest.StartCluster(t, 3, 1)
	b := clusterBench(t, server, o)
	var seen witness
	w, _ := b.watch(b.store, seen.options("edgeA"))
	meshes := b.populate()
	b.trusting(w)
	hurt := server.Owner(b.rdb.Tag(meshes[0]))
	whole := slices.IndexFunc(meshes, func(mesh string) bool { return server.Owner(b.rdb.Tag(mesh)) != hurt })
	server.Kill(hurt)
	server.AwaitNewOwner(b.rdb.Tag(meshes[0]), hurt)
	eventually(t, patience, func() error {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if len(seen.holds) == 0 {
			return errors.New("nobody was told to renew")
		}
		return nil
	})
	standing := w.trustIn(t.Context())
	if got := standing(b.rdb.Partition(meshes[0])); got == trusted {
		t.Error("a new master is believed at once")
	}
	if got := standing(b.rdb.Partition(meshes[whole])); got != trusted {
		t.Error("a master that is well is not believed")
	}
	b.mesh = meshes[whole]
	b.detach(b.attach(b.session("p1")).Held)
	b.awaitDepartures(1)
	b.trusting(w)
	b.mesh = meshes[0]
	b.detach(b.attach(b.session("p2")).Held)
	b.awaitDepartures(1)
}

func TestL1_APeerStaysWhileItsSlotMoves(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t, 3, 0)
	o := Options{TTL: 2 * time.Second, RenewEvery: time.Second}
	b := clusterBench(t, server, o)
	b.enrol(alice)
	w, _ := b.watch(b.store, WatcherOptions{Edge: "edgeA"})
	b.trusting(w)
	h := b.attach(b.session("p1"))
	tag := b.rdb.Tag(b.mesh)
	from := server.Owner(tag)
	for i := range 6 {
		server.Reshard(tag, (from+1+i)%3, func() { server.Node((from + i) % 3).Ping(t.Context()) })
		if got := b.renewFrom(h.Held, h.Start.String(), snapshotOf(h)); got != Renewed {
			t.Fatalf("renewal %d: %q", i, got)
		}
	}
	b.wantEvents("peer_joined p1")
	b.detach(h.Held)
	eventually(t, patience, func() error {
		if ids, _ := b.departures(); len(ids) != 1 {
			return fmt.Errorf("departures: %q", ids)
		}
		return nil
	})
}
