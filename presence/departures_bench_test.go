package presence

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"
)

const (
	// crowd is how many leases are alive beside those that end.
	crowd = 1_000_000

	// crowdMeshes is over how many meshes they are spread.
	crowdMeshes = 2000

	leavers       = 1000
	leaverMeshes  = 100
	betweenLeaves = 5 * time.Millisecond
)

// BenchmarkDepartures reports how late departures are announced among a million
// leases that are alive, with keyspace events and without: the time from the
// end of a lease to the time of its peer_left in the journal. One run is one
// experiment: use -benchtime 1x.
func BenchmarkDepartures(b *testing.B) {
	for name, conf := range map[string]string{"events": "", "no-events": `notify-keyspace-events ""`} {
		b.Run(name, func(b *testing.B) {
			bench := newBench(b, Options{TTL: 10 * time.Second, RenewEvery: 3 * time.Second}, conf)
			bench.gather()
			for _, edge := range []string{"edgeA", "edgeB", "edgeC"} {
				w, _ := bench.watch(bench.newStore(Options{TTL: 10 * time.Second, RenewEvery: 3 * time.Second}), WatcherOptions{Edge: edge})
				bench.trusting(w)
			}
			for b.Loop() {
				report(b, bench.depart())
			}
		})
	}
}

// gather fills Redis with leases that do not end: their keys, and their entries
// in the due index, as attach writes them.
func (b *bench) gather() {
	b.Helper()
	const step = 1000
	end := b.redisNow().Add(time.Hour)
	for done := 0; done < crowd; done += step {
		pipe := b.rdb.Raw().Pipeline()
		for i := done; i < done+step; i++ {
			p := Peer{Mesh: "Crowd" + strconv.Itoa(i%crowdMeshes), ID: "p" + strconv.Itoa(i)}
			tag := b.rdb.Tag(p.Mesh)
			pipe.Do(b.Context(), "SET", leaseKey(tag, p), leaseValue("1700000000000000", "edgeX", "conn1"), "PX", time.Hour.Milliseconds())
			pipe.Do(b.Context(), "ZADD", dueKey(tag), end.UnixMilli(), dueMember(p))
		}
		_, err := pipe.Exec(b.Context())
		b.must(err)
	}
}

// depart has peers leave one after the other and returns how late each was
// announced.
func (b *bench) depart() []time.Duration {
	b.Helper()
	ends := map[string]time.Time{}
	tick := time.NewTicker(betweenLeaves)
	defer tick.Stop()
	for i := range leavers {
		<-tick.C
		b.mesh = "Leave" + strconv.Itoa(i%leaverMeshes)
		b.enrol(alice)
		h := b.attach(b.session(fmt.Sprintf("p%d", i))).Held
		ends[h.ID] = b.redisNow().Add(10 * time.Second)
		b.detach(h)
	}
	var late []time.Duration
	eventually(b, time.Minute, func() error {
		late = late[:0]
		for i := range leaverMeshes {
			b.mesh = "Leave" + strconv.Itoa(i)
			peers, at := b.departures()
			for j, p := range peers {
				late = append(late, at[j].Sub(ends[p]))
			}
		}
		if len(late) < leavers {
			return errors.New("some are still here")
		}
		return nil
	})
	return late
}

func report(b *testing.B, late []time.Duration) {
	b.Helper()
	slices.Sort(late)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	early, _ := slices.BinarySearch(late, -time.Millisecond) // times in the journal are whole milliseconds
	b.ReportMetric(ms(late[len(late)/2]), "p50-ms")
	b.ReportMetric(ms(late[len(late)*99/100]), "p99-ms")
	b.ReportMetric(ms(late[len(late)-1]), "max-ms")
	b.ReportMetric(float64(early), "early")
	b.ReportMetric(float64(len(late)), "announced")
	b.ReportMetric(0, "ns/op")
}
