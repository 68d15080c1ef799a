package check

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

var config = Config{
	TTL: 90 * time.Second, Renew: 30 * time.Second, Gap: 5 * time.Second, Slack: time.Second, Late: time.Second,
}

// A script is a history in the making. Its clock is in seconds.
type script struct{ all []history.Record }

const noon = 1_700_000_000

func (s *script) at(second float64, r history.Record) {
	r.At = int64((noon + second) * 1e9)
	s.all = append(s.all, r)
}

// key is the session key of a peer.
func key(name string) string { return strings.Repeat(name[:1], 64) }

// begin declares three peers, who are in contact through edge e1 from second 1 on.
func begin() *script {
	s := &script{}
	for _, name := range []string{"ana", "bob", "eve"} {
		s.at(0, history.Record{Kind: history.Declared, Peer: name, Mesh: "m", About: key(name)})
	}
	for _, edge := range []string{"e1", "e2"} {
		s.at(-1000, history.Record{Kind: history.EdgeUp, Edge: edge})
	}
	for _, name := range []string{"ana", "bob", "eve"} {
		s.in(1, name, 1, "e1", false)
	}
	return s
}

func (s *script) in(second float64, name string, run int, edge string, resumed bool) {
	s.at(second-0.1, history.Record{Kind: history.Dialing, Peer: name, Run: run})
	s.at(second, history.Record{Kind: history.Greeted, Peer: name, Run: run, Edge: edge, Resumed: resumed})
}

func (s *script) out(second float64, name string, run int) {
	s.at(second, history.Record{Kind: history.Closed, Peer: name, Run: run})
}

// event is one that ana's client is shown and surfaces.
func (s *script) event(second float64, event, about, id, cursor string) {
	r := history.Record{
		Kind: history.Push, Peer: "ana", Run: 1, Event: event, About: key(about), Message: id, Cursor: cursor,
		Created: int64((noon + second) * 1e3),
	}
	s.at(second, r)
	r.Kind = history.Surfaced
	s.at(second, r)
}

func (s *script) left(second float64, about, id string) {
	s.event(second, "peer_left", about, id, fmt.Sprintf("EPOCH/%d/%s", int(second), id))
}

// sent is a message from bob to ana, from its send to its surfacing; a second
// of 0 leaves a step out.
func (s *script) sent(id string, send, ack, surface float64) {
	s.at(send, history.Record{Kind: history.Send, Peer: "bob", Run: 1, ID: id, To: key("ana"), Lane: "next"})
	if ack > 0 {
		s.at(ack, history.Record{Kind: history.Acked, Peer: "bob", Run: 1, ID: id, Message: "d" + id})
	}
	if surface > 0 {
		s.surfaced(surface, "ana", id)
	}
}

func (s *script) surfaced(second float64, name, id string) {
	s.at(second, history.Record{Kind: history.Push, Peer: name, Run: 1, ID: id, Message: "d" + id, From: key("bob"), Lane: "next"})
	s.at(second, history.Record{Kind: history.Surfaced, Peer: name, Run: 1, ID: id, Message: "d" + id, From: key("bob"), Lane: "next"})
}

func (s *script) fault(from, to float64, what, edge string, forgive time.Duration) {
	id := fmt.Sprint("f", len(s.all))
	s.at(from, history.Record{Kind: history.Fault, ID: id, Event: what, Edge: edge, Forgive: int64(forgive)})
	if to > 0 {
		s.at(to, history.Record{Kind: history.Healed, ID: id, Event: what, Edge: edge})
	}
}

func (s *script) roster(second float64, names ...string) {
	var keys []string
	for _, n := range names {
		keys = append(keys, key(n))
	}
	s.at(second, history.Record{Kind: history.Roster, Peer: "ana", Run: 1, Keys: keys})
}

func (s *script) check() *Report {
	s.at(2000, history.Record{Kind: history.Over})
	history.Sort(s.all)
	return Check(config, s.all)
}

// TestAHistoryIsJudged holds the checker to histories made by hand: good ones,
// and for each kind of violation one that shows it.
func TestAHistoryIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tell   func(s *script)
		broken []string // the promises, in any order; none for a good history
		says   string
	}{
		"nothing happens": {tell: func(*script) {}},
		"a cut and a return within the lease": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.in(160, "bob", 1, "e2", true)
		}},
		"a departure in time": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.left(190.2, "bob", "l1")
		}},
		"a silent death is announced a renewal later": {tell: func(s *script) {
			s.fault(100, 0, history.KillEdge, "e1", 0)
			for _, name := range []string{"ana", "bob", "eve"} {
				s.out(100, name, 1)
			}
			s.in(101, "ana", 1, "e2", true)
			s.in(101, "eve", 1, "e2", true)
			s.left(219.9, "bob", "l1")
		}},
		"a goodbye is announced at once": {tell: func(s *script) {
			s.at(100, history.Record{Kind: history.Leaving, Peer: "bob", Run: 1, Event: history.Goodbye})
			s.out(100.1, "bob", 1)
			s.left(100.05, "bob", "l1")
		}},
		"left while in contact": {tell: func(s *script) { s.left(100, "bob", "l1") }, broken: []string{"L1"}, says: "while it was in contact"},
		"left inside the lease": {
			tell:   func(s *script) { s.out(100, "bob", 1); s.left(150, "bob", "l1") },
			broken: []string{"L1"}, says: "50s after it fell silent",
		},
		"left although it came back in time": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.in(160, "bob", 1, "e2", true)
			s.left(195, "bob", "l1")
		}, broken: []string{"L1"}, says: "in contact"},
		"announced late": {
			tell:   func(s *script) { s.out(100, "bob", 1); s.left(195, "bob", "l1") },
			broken: []string{"L2"}, says: "5s after its lease ended",
		},
		"never announced": {
			tell:   func(s *script) { s.out(100, "bob", 1) },
			broken: []string{"L2"}, says: "never announced",
		},
		"announced twice": {
			tell:   func(s *script) { s.out(100, "bob", 1); s.left(190.2, "bob", "l1"); s.left(190.4, "bob", "l2") },
			broken: []string{"L2", "L2"}, says: "2 times in one absence",
		},
		"appended twice under one id": {
			tell: func(s *script) {
				s.out(100, "bob", 1)
				s.left(190.2, "bob", "l1")
				s.event(190.3, "peer_left", "bob", "l1", "EPOCH/999/l1")
			},
			broken: []string{"L2", "L2"}, says: "appended twice",
		},
		"an outage holds departures back": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.fault(150, 200, history.PauseRedis, "", 0)
			s.left(320.5, "bob", "l1")
		}},
		"a departure inside the hold": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.fault(150, 200, history.PauseRedis, "", 0)
			s.left(230, "bob", "l1")
		}, broken: []string{"L1"}, says: "fell silent"},
		"a Redis that was emptied holds nothing back": {tell: func(s *script) {
			s.fault(150, 165, history.Flush, "", -1) // till what no edge can write back was restored
			s.out(152, "bob", 1)
			s.left(242.2, "bob", "l1")
		}},
		"a departure inside the lease of an emptied Redis": {tell: func(s *script) {
			s.fault(150, 165, history.Flush, "", -1)
			s.out(152, "bob", 1)
			s.left(230, "bob", "l1")
		}, broken: []string{"L1"}, says: "fell silent"},
		"a stopped edge is no contact": {tell: func(s *script) {
			s.out(90, "ana", 1)
			s.in(91, "ana", 1, "e2", true)
			s.fault(100, 240, history.StopEdge, "e1", 0)
			s.out(240.1, "bob", 1)
			s.out(240.1, "eve", 1)
			s.left(220, "bob", "l1")
			s.left(220, "eve", "l2")
			s.in(241, "eve", 1, "e2", false)
		}},
		"a try may have taken the lease": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.at(150, history.Record{Kind: history.Dialing, Peer: "bob", Run: 1})
			s.at(155, history.Record{Kind: history.Closed, Peer: "bob", Run: 1, Err: "EOF"})
			s.left(245, "bob", "l1")
		}},
		"joined while there": {tell: func(s *script) {
			s.event(5, "peer_joined", "bob", "j1", "EPOCH/1/j1")
			s.event(9, "peer_joined", "bob", "j2", "EPOCH/2/j2")
		}, broken: []string{"L1"}, says: "saw a peer join that was there"},
		"left before the join": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.left(190.2, "bob", "l1")
			s.in(200, "bob", 2, "e1", false)
			s.out(210, "bob", 2)
			s.left(300.2, "bob", "l2")
			s.in(400, "bob", 2, "e1", false)
		}, broken: []string{"L2"}, says: "leave that was not there"},
		"a message arrives": {tell: func(s *script) { s.sent("a", 10, 11, 12) }},
		"it may arrive before its ack, or without one": {tell: func(s *script) {
			s.sent("a", 10, 14, 12)
			s.sent("b", 15, 0, 16)
		}},
		"what was not acked may be gone":  {tell: func(s *script) { s.sent("a", 10, 0, 0) }},
		"an acked message is lost":        {tell: func(s *script) { s.sent("a", 10, 11, 0) }, broken: []string{"Q1"}, says: "was lost"},
		"acked just before Redis's death": {tell: func(s *script) { s.sent("a", 10, 11, 0); s.fault(12, 13, history.KillRedis, "", 3*time.Second) }},
		"acked long before Redis's death": {tell: func(s *script) {
			s.sent("a", 10, 11, 0)
			s.fault(20, 21, history.KillRedis, "", 3*time.Second)
		}, broken: []string{"Q1"}, says: "was lost"},
		"surfaced twice": {
			tell:   func(s *script) { s.sent("a", 10, 11, 12); s.surfaced(13, "ana", "a") },
			broken: []string{"Q2"}, says: "surfaced a message twice",
		},
		"two message ids for one client id": {tell: func(s *script) {
			s.sent("a", 10, 11, 12)
			s.at(13, history.Record{Kind: history.Acked, Peer: "bob", Run: 1, ID: "a", Message: "dOTHER"})
		}, broken: []string{"Q2"}, says: "two message ids"},
		"an ack for nothing": {tell: func(s *script) {
			s.at(13, history.Record{Kind: history.Acked, Peer: "bob", Run: 1, ID: "a", Message: "da"})
		}, broken: []string{"Q2"}, says: "never sent"},
		"out of order": {tell: func(s *script) {
			s.sent("a", 10, 11, 16)
			s.sent("b", 12, 13, 15)
		}, broken: []string{"Q3", "Q3"}, says: "out of order"},
		"priorities overtake": {tell: func(s *script) {
			s.sent("a", 10, 11, 16)
			s.at(12, history.Record{Kind: history.Send, Peer: "bob", Run: 1, ID: "b", To: key("ana"), Lane: "now"})
			s.at(13, history.Record{Kind: history.Acked, Peer: "bob", Run: 1, ID: "b", Message: "db"})
			s.surfaced(14, "ana", "b")
		}},
		"delivered before it was sent": {tell: func(s *script) {
			s.at(10, history.Record{Kind: history.Send, Peer: "bob", Run: 1, ID: "a", To: key("ana"), Lane: "next"})
			s.surfaced(9, "ana", "a")
		}, broken: []string{"Q1"}, says: "nobody sent"},
		"given to somebody else": {tell: func(s *script) {
			s.sent("a", 10, 11, 12)
			s.surfaced(13, "eve", "a")
		}, broken: []string{"S3"}, says: "somebody else"},
		"an older client has a say": {tell: func(s *script) {
			s.in(20, "bob", 2, "e2", true)
			s.sent("a", 21, 22, 23)
		}, broken: []string{"L3"}, says: "taken over"},
		"an older client had a say": {tell: func(s *script) {
			s.sent("a", 19, 22, 23)
			s.in(20, "bob", 2, "e2", true)
		}},
		"everybody gets a broadcast": {tell: func(s *script) { s.broadcast("a", "ana", "eve") }},
		"somebody misses a broadcast": {
			tell:   func(s *script) { s.broadcast("a", "ana") },
			broken: []string{"L4"}, says: "eve missed a broadcast",
		},
		"somebody misses it and is told so": {tell: func(s *script) {
			s.broadcast("a", "ana")
			s.at(30, history.Record{Kind: history.Surfaced, Peer: "eve", Run: 1, Event: "resync"})
		}},
		"the roster is right": {tell: func(s *script) {
			s.at(20, history.Record{Kind: history.Judged})
			s.roster(21, "ana", "bob", "eve")
		}},
		"somebody is not on the roster": {tell: func(s *script) {
			s.at(20, history.Record{Kind: history.Judged})
			s.roster(21, "ana", "eve")
		}, broken: []string{"roster"}, says: "bob is here"},
		"a ghost is on the roster": {tell: func(s *script) {
			s.out(100, "bob", 1)
			s.left(190.5, "bob", "l1")
			s.at(500, history.Record{Kind: history.Judged})
			s.roster(501, "ana", "bob", "eve")
		}, broken: []string{"roster"}, says: "long gone"},
		"a stranger is on the roster": {tell: func(s *script) {
			s.at(20, history.Record{Kind: history.Judged})
			s.roster(21, "ana", "bob", "eve", "zoe")
		}, broken: []string{"roster"}, says: "unknown"},
		"nobody was given a roster": {
			tell:   func(s *script) { s.at(20, history.Record{Kind: history.Judged}) },
			broken: []string{"roster"}, says: "nobody",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin()
			c.tell(s)
			r := s.check()
			var broken []string
			for _, v := range r.Violations {
				broken = append(broken, v.Promise)
			}
			slices.Sort(broken)
			if !slices.Equal(broken, c.broken) {
				t.Fatalf("broken: %q, want %q\n%v", broken, c.broken, r.Violations)
			}
			if c.says != "" && !strings.Contains(fmt.Sprint(r.Violations), c.says) {
				t.Errorf("no violation says %q\n%v", c.says, r.Violations)
			}
		})
	}
}

// broadcast is one of bob's, surfaced by the named.
func (s *script) broadcast(id string, names ...string) {
	s.at(10, history.Record{Kind: history.Send, Peer: "bob", Run: 1, ID: id, To: "*", Lane: "next"})
	s.at(11, history.Record{Kind: history.Acked, Peer: "bob", Run: 1, ID: id, Message: "j" + id})
	for _, n := range names {
		s.surfaced(12, n, id)
	}
}

func TestTheTableCounts(t *testing.T) {
	t.Parallel()
	s := begin()
	s.fault(5, 6, history.Deafen, "", 0)
	s.sent("a", 10, 11, 12)
	s.surfaced(12.5, "ana", "a")
	s.sent("b", 13, 14, 0)
	s.out(100, "bob", 1)
	s.left(190.2, "bob", "l1")
	var b bytes.Buffer
	if err := s.check().Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"subscriptions cut 1", "sent 2", "acked 2", "delivered 1", "repeated 1", "duplicated 1", "lost 1",
		"due 1", "announced 1", "early 0", "late 0", "worst lateness 200ms", "2 BROKEN PROMISES",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &b)
		}
	}
}
