package presence

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// scopes are the worlds that every test run explores to the end. Each asks for
// one kind of trouble, for the number of states grows with the product.
var scopes = []scope{
	{name: "sockets", peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 2, crash: 1, bye: 1}},
	{name: "stall", peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 1, stall: 1}},
	{name: "outage", peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 1, outage: 1}},
	{name: "fail-over", peers: 2, faults: faults{attach: [maxPeers]int8{1, 1}, drop: 1, rollback: 1}},
	{name: "flush", peers: 2, faults: faults{attach: [maxPeers]int8{1, 1}, drop: 1, flush: 1}},
	{name: "ban", peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 1, ban: 1, flush: 1}},
	{name: "clock", peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 1, slow: 1}},
}

func TestExplore(t *testing.T) {
	for _, s := range scopes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			x := newExplorer(s, newOracle(t, Options{}, luaSource), DefaultTTL+DefaultRenewEvery)
			max, _ := strconv.Atoi(os.Getenv("MAXS"))
			f := x.run(func(n int) bool { return n > max })
			t.Logf("%v; complete %v; %v", x, f.complete, time.Since(begin))
			if f.broken != "" {
				t.Error(f)
			}
		})
	}
}
