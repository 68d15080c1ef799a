package presence

import (
	"strconv"
	"sync/atomic"
	"testing"
)

// used is the CPU time that Redis has spent so far, in microseconds.
func (b *bench) used() float64 {
	b.Helper()
	info := b.rdb.Raw().InfoMap(b.Context(), "cpu").Item("CPU", "used_cpu_user")
	sys := b.rdb.Raw().InfoMap(b.Context(), "cpu").Item("CPU", "used_cpu_sys")
	u, _ := strconv.ParseFloat(info, 64)
	s, _ := strconv.ParseFloat(sys, 64)
	return (u + s) * 1e6
}

// BenchmarkRenew reports what one renewal costs Redis: twice a minute, it is
// what an idle peer costs.
func BenchmarkRenew(b *testing.B) {
	bench := newBench(b, Options{})
	rs := make([]Renewal, 1000)
	for i := range rs {
		a := bench.attach(bench.session("p" + strconv.Itoa(i)))
		rs[i] = Renewal{Held: a.Held, Cursor: a.Start.String()}
	}
	b.ReportAllocs()
	before, n := bench.used(), 0
	for b.Loop() {
		if _, err := bench.store.Renew(b.Context(), rs); err != nil {
			b.Fatal(err)
		}
		n += len(rs)
	}
	b.ReportMetric((bench.used()-before)/float64(n), "redis-µs/lease")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/lease")
}

// BenchmarkReattach reports what a peer that comes back costs Redis.
func BenchmarkReattach(b *testing.B) {
	bench := newBench(b, Options{})
	before := bench.used()
	var n atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = bench.store.Attach(b.Context(), bench.session("p"+strconv.Itoa(int(n.Add(1)%1000))))
		}
	})
	b.ReportMetric((bench.used()-before)/float64(n.Load()), "redis-µs/attach")
}
