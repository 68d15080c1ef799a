package presence

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scopes are the worlds that every test run explores, most of them to the end.
// Each is about one kind of trouble, since the number of states grows with the
// product.
var scopes = map[string]scope{
	"sockets":        {peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 2, crash: 1, bye: 1}},
	"stall":          {peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 1, stall: 1}},
	"outage":         {peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 1, outage: 1}},
	"fail-over":      {peers: 1, faults: faults{attach: [maxPeers]int8{2}, drop: 1, rollback: 1}, nearest: 12000},
	"fail-over of 2": {peers: 2, faults: faults{attach: [maxPeers]int8{1, 1}, rollback: 1}, nearest: 4000},
	"flush":          {peers: 1, faults: faults{attach: [maxPeers]int8{2}, flush: 1}},
	"ban":            {peers: 1, faults: faults{attach: [maxPeers]int8{1}, drop: 1, ban: 1, stall: 1}},
	"clock":          {peers: 1, faults: faults{attach: [maxPeers]int8{2}, slow: 1}},
}

// wideScopes take minutes each, or longer than anybody waits; see the target
// explore of the Makefile.
var wideScopes = map[string]scope{
	"three sockets, crashes": {peers: 1, faults: faults{attach: [maxPeers]int8{4}, drop: 2, crash: 2, bye: 1}},
	"stalls and crashes":     {peers: 1, faults: faults{attach: [maxPeers]int8{4}, drop: 2, crash: 1, stall: 2}},
	"outages and stalls":     {peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, stall: 1, outage: 2}},
	"fail-over of two peers": {peers: 2, faults: faults{attach: [maxPeers]int8{3, 1}, drop: 2, rollback: 1}},
	"fail-over and stall":    {peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, stall: 1, rollback: 1}},
	"fail-over and outage":   {peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, outage: 1, rollback: 1, crash: 1}},
	"flush of two peers":     {peers: 2, faults: faults{attach: [maxPeers]int8{3, 1}, drop: 1, flush: 1, stall: 1}},
	"ban under trouble":      {peers: 1, faults: faults{attach: [maxPeers]int8{3}, drop: 1, ban: 1, outage: 1, stall: 1}},
	"two peers":              {peers: 2, faults: faults{attach: [maxPeers]int8{2, 2}, drop: 2, crash: 1, bye: 1}},
}

// hold is how long watchers mistrust Redis after an outage.
const hold = DefaultTTL + DefaultRenewEvery

// TestL1_L2_L3_InEveryStateThatFaultsCanLeadTo explores every interleaving of
// the real scripts with crashes, stalls, lost sockets and bells, outages,
// fail-overs and time, within bounds.
func TestL1_L2_L3_InEveryStateThatFaultsCanLeadTo(t *testing.T) {
	t.Parallel()
	for name, s := range scopes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newExplorer(s, newOracle(t, Options{}, luaSource), hold)
			f := x.run(x.nearby)
			t.Logf("%v; everything: %v", x, f.complete)
			if f.broken != "" || !f.complete && s.nearest == 0 {
				t.Error(f)
			}
		})
	}
}

// TestExploreWide is the long run. It takes the time that EXPLORE_MINUTES
// says, shared among its worlds, and says how much of each it has seen.
func TestExploreWide(t *testing.T) {
	minutes, err := strconv.ParseFloat(os.Getenv("EXPLORE_MINUTES"), 64)
	if err != nil {
		t.Skip("only with EXPLORE_MINUTES, see make explore")
	}
	share := time.Duration(minutes * float64(time.Minute) / float64(len(wideScopes)))
	for name, s := range wideScopes {
		t.Run(name, func(t *testing.T) {
			until := time.Now().Add(share)
			x := newExplorer(s, newOracle(t, Options{}, luaSource), hold)
			f := x.run(func(states int) bool {
				return states > maxStates || states%64 == 0 && time.Now().After(until)
			})
			t.Logf("%v; everything: %v", x, f.complete)
			if f.broken != "" {
				t.Error(f)
			}
		})
	}
}

// maxStates bounds the memory of a long run: a state takes some 400 bytes.
const maxStates = 6_000_000

// TestExploreMeetsAllThereIs makes sure that the worlds are not empty: the
// outcomes that the promises are about do come up.
func TestExploreMeetsAllThereIs(t *testing.T) {
	t.Parallel()
	words := map[string]bool{}
	for _, name := range []string{"sockets", "ban"} {
		x := newExplorer(scopes[name], newOracle(t, Options{}, luaSource), hold)
		x.met = func(m move) {
			word, _, _ := strings.Cut(m.word, " ")
			words[strings.TrimSpace(m.what+" "+word)] = true
		}
		x.run(x.nearby)
	}
	for _, want := range []string{
		"attach joined", "attach resumed", "attach took_over", "attach banned", "resume resumed",
		"resume took_over", "resume passed", "renew renewed", "renew restored",
		"renew superseded", "detach ok", "detach lost", "settle true", "stall",
	} {
		if !words[want] {
			t.Errorf("never seen: %s", want)
		}
	}
}
