package presence

import (
	"testing"
	"time"
)

var scopes = []scope{
	{name: "two sockets, two edges", peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 2, crash: 1, bye: 1}},
	{name: "stalls", peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, stall: 1, crash: 1}},
	{name: "outage", peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, outage: 1, crash: 1}},
	{name: "fail-over", peers: 2, faults: faults{attach: [maxPeers]int8{2, 1}, drop: 1, rollback: 1}},
	{name: "flush", peers: 2, faults: faults{attach: [maxPeers]int8{2, 1}, drop: 1, flush: 1}},
	{name: "ban", peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, ban: 1, stall: 1}},
	{name: "clock", peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, slow: 1}},
}

func TestExplore(t *testing.T) {
	for _, s := range scopes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			f, x := explore(t, s, luaSource, begin.Add(60*time.Second))
			t.Logf("%v; complete %v; %v", x, f.complete, time.Since(begin))
			if f.broken != "" {
				t.Error(f)
			}
		})
	}
}
