package commons_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// nextTick returns the number of the next tick that p hears.
func nextTick(t *testing.T, p *edgetest.Peer) wire.TickEvent {
	t.Helper()
	var e wire.TickEvent
	if err := json.Unmarshal(p.Event(wire.EventTick).EventData, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAClockTicksOnceForTheWholeMesh(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	if st := ask[*wire.ClockStatus](bob, &wire.GetClock{ReqID: reqID()}); st.Speed != 0 || !st.Paused || st.Tick != 0 {
		t.Errorf("no clock: %+v", st)
	}
	refusal(t, ana, &wire.PauseClock{ReqID: reqID()}, wire.CodeNoClock)
	if st := ask[*wire.ClockStatus](ana, &wire.SetClock{Speed: 1000, ReqID: reqID()}); st.Speed != 100 || st.Paused {
		t.Errorf("set: %+v", st)
	}
	for _, p := range []*edgetest.Peer{ana, bob} {
		first := nextTick(t, p)
		for n := int64(2); n <= 4; n++ {
			e := nextTick(t, p)
			if e.Tick != n || e.SimTime.Sub(first.SimTime.Time) != time.Duration(n-1)*time.Minute || e.Speed != 100 {
				t.Errorf("tick %d: %+v", n, e)
			}
		}
	}
	paused := ask[*wire.ClockStatus](bob, &wire.PauseClock{ReqID: reqID()})
	if !paused.Paused || paused.Tick < 4 {
		t.Errorf("paused: %+v", paused)
	}
	if st := ask[*wire.ClockStatus](ana, &wire.ResumeClock{ReqID: reqID()}); st.Paused || st.Tick != paused.Tick {
		t.Errorf("resumed: %+v", st)
	}
	edgetest.NextIf(bob.Conn, func(p *wire.Push) bool {
		var e wire.TickEvent
		return p.Event == wire.EventTick && json.Unmarshal(p.EventData, &e) == nil && e.Tick == paused.Tick+1
	})
}

func TestTheClockOfADeadEdgeGoesOn(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ask[*wire.ClockStatus](ana, &wire.SetClock{Speed: 100, ReqID: reqID()})
	nextTick(t, bob)
	one.Kill()
	last := nextTick(t, bob).Tick
	for range 5 {
		if e := nextTick(t, bob); e.Tick != last+1 {
			t.Fatalf("tick %d after %d", e.Tick, last)
		}
		last++
	}
}

func TestTheClockOfAnEmptyMeshIsPaused(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ask[*wire.ClockStatus](ana, &wire.SetClock{Speed: 100, ReqID: reqID()})
	ana.Write(&wire.Goodbye{})
	bob.Event(wire.EventPeerLeft)
	nextTick(t, bob) // somebody is still here
	bob.Write(&wire.Goodbye{})
	key := "commons:" + one.Client.Tag(m.ID) + ":" + m.ID + ":clock"
	edgetest.Eventually(t, func() error {
		text, err := one.Client.Raw().HGet(t.Context(), key, "clock").Result()
		var r struct{ Paused bool }
		if err == nil {
			err = json.Unmarshal([]byte(text), &r)
		}
		if err == nil && !r.Paused {
			err = fmt.Errorf("runs: %s", text)
		}
		return err
	})
	again := m.Session(other, "bob")
	if st := ask[*wire.ClockStatus](again, &wire.GetClock{ReqID: reqID()}); !st.Paused || st.Tick == 0 {
		t.Errorf("status: %+v", st)
	}
}

func TestTheMeshAtAGlance(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Member("ana").Session(e, func(h *wire.SessionHello) { h.Groups = []wire.Group{{Name: "dev"}} })
	m.Session(e, "bob")
	ask[*wire.OK](ana, &wire.SetState{Key: "k", Value: json.RawMessage("1"), ReqID: reqID()})
	ask[*wire.MemoryStored](ana, &wire.Remember{Content: "c", ReqID: reqID()})
	ask[*wire.TaskCreated](ana, &wire.CreateTask{Title: "t", ReqID: reqID()})
	ask[*wire.StreamCreated](ana, &wire.CreateStream{Name: "s", ReqID: reqID()})
	got := ask[*wire.MeshInfoResult](ana, &wire.MeshInfo{ReqID: reqID()})
	if got.Mesh != m.ID || got.Peers != 2 || fmt.Sprint(got.Groups, got.StateKeys, got.Streams) != "[@dev] [k] [s]" ||
		got.MemoryCount != 1 || got.Tasks.Open != 1 || got.YourName != "ana" || len(got.YourGroups) != 1 {
		t.Errorf("info: %+v", got)
	}
}
