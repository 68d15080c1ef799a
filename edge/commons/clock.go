package commons

import (
	"context"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// clockShelf holds the mesh's clock: clockField → clockRecord.
var clockShelf = shelf{name: "clock", fields: 1, bytes: 1 << 10}

const clockField = "clock"

// clockRecord is what the clock shows. Times are milliseconds.
type clockRecord struct {
	Speed   wire.Speed `json:"speed"`
	Paused  bool       `json:"paused"`
	Tick    int64      `json:"tick"`
	Sim     int64      `json:"sim"`     // simulated time
	Started int64      `json:"started"` // when it was set first
	Next    int64      `json:"next"`    // when the next tick is due
}

// interval is the real time between two ticks, in milliseconds.
func (r *clockRecord) interval() int64 {
	return int64(float64(wire.ClockTick.Milliseconds()) / float64(r.Speed.Clamp()))
}

func (s *Commons) registerClock() {
	on(s.table, s.setClock)
	on(s.table, s.pauseClock)
	on(s.table, s.resumeClock)
	on(s.table, s.getClock)
	s.jobs[clockShelf.name] = job{do: s.tick}
	s.gone = append(s.gone, s.pauseEmpty)
}

func (s *Commons) clock(ctx context.Context, mesh string) (text string, r clockRecord, err error) {
	text, err = s.get(ctx, mesh, clockShelf, clockField)
	if err == nil && text != "" {
		r, err = decodeRecord[clockRecord](text)
	}
	return text, r, err
}

// changeClock changes the clock as f wants it. It counts on from now.
func (s *Commons) changeClock(ctx context.Context, who *Caller, req wire.ReqID, f func(r *clockRecord, now int64) error) (wire.Message, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	var r clockRecord
	err = retry(ctx, func() error {
		var old string
		if old, r, err = s.clock(ctx, who.Peer.Mesh); err != nil {
			return err
		}
		if err := f(&r, now); err != nil {
			return err
		}
		due := int64(0)
		if !r.Paused {
			r.Next = now + r.interval()
			due = r.Next
		}
		record, err := encodeRecord(r)
		if err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{
			mesh: who.Peer.Mesh, by: who, changes: []change{set(clockShelf, clockField, record).was(old).dueAt(due)},
		})
		return err
	})
	return r.status(req), err
}

func (r *clockRecord) status(req wire.ReqID) *wire.ClockStatus {
	st := &wire.ClockStatus{Speed: r.Speed, Paused: r.Paused, Tick: r.Tick, ReqID: req}
	if r.Speed == 0 {
		st.Paused = true // no clock
		return st
	}
	st.SimTime, st.StartedAt = wire.TimeOrEmpty{Time: moment(r.Sim)}, wire.TimeOrEmpty{Time: moment(r.Started)}
	return st
}

func (s *Commons) setClock(ctx context.Context, who *Caller, m *wire.SetClock) (wire.Message, error) {
	return s.changeClock(ctx, who, m.ReqID, func(r *clockRecord, now int64) error {
		if r.Speed == 0 {
			r.Started, r.Sim = now, now
		}
		r.Speed, r.Paused = m.Speed.Clamp(), false
		return nil
	})
}

func (s *Commons) pauseClock(ctx context.Context, who *Caller, m *wire.PauseClock) (wire.Message, error) {
	return s.changeClock(ctx, who, m.ReqID, func(r *clockRecord, _ int64) error { return r.pause(true) })
}

func (s *Commons) resumeClock(ctx context.Context, who *Caller, m *wire.ResumeClock) (wire.Message, error) {
	return s.changeClock(ctx, who, m.ReqID, func(r *clockRecord, _ int64) error { return r.pause(false) })
}

func (r *clockRecord) pause(paused bool) error {
	if r.Speed == 0 {
		return refuse(wire.CodeNoClock, "this mesh has no clock: set_clock starts one")
	}
	r.Paused = paused
	return nil
}

func (s *Commons) getClock(ctx context.Context, who *Caller, m *wire.GetClock) (wire.Message, error) {
	_, r, err := s.clock(ctx, who.Peer.Mesh)
	return r.status(m.ReqID), err
}

// tick moves the clock on once, and tells everybody, in one script: of several
// edges that try, one does it. Ticks that were due while no edge ran are not
// made up for.
func (s *Commons) tick(ctx context.Context, mesh, _ string) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	old, r, err := s.clock(ctx, mesh)
	if err != nil || old == "" || r.Paused {
		return s.endTicks(ctx, mesh, old, err)
	}
	if now < r.Next {
		return nil // somebody was quicker
	}
	r.Tick++
	r.Sim += wire.ClockTick.Milliseconds()
	if r.Next += r.interval(); r.Next <= now {
		r.Next = now + r.interval()
	}
	record, err := encodeRecord(r)
	if err != nil {
		return err
	}
	told, err := eventEntry(nil, wire.EventTick, wire.TickEvent{Tick: r.Tick, SimTime: moment(r.Sim), Speed: r.Speed})
	if err != nil {
		return err
	}
	return unlessDone(s.apply(ctx, act{
		mesh:    mesh,
		changes: []change{set(clockShelf, clockField, record).was(old).dueAt(r.Next)}, entries: []entry{told},
	}))
}

// endTicks takes away the job of a clock that does not run.
func (s *Commons) endTicks(ctx context.Context, mesh, old string, err error) error {
	if err != nil {
		return err
	}
	c := change{shelf: clockShelf, field: clockField}
	return unlessDone(s.apply(ctx, act{mesh: mesh, tidy: true, changes: []change{c.was(old).done()}}))
}

// pauseEmpty pauses the clock of a mesh that its last peer has left.
func (s *Commons) pauseEmpty(ctx context.Context, l presence.Left) error {
	old, r, err := s.clock(ctx, l.Mesh)
	if err != nil || old == "" || r.Paused {
		return err
	}
	peers, err := s.presence.Roster(ctx, l.Mesh)
	if err != nil {
		return err
	}
	for _, p := range peers {
		if !p.Transient {
			return nil
		}
	}
	r.Paused = true
	record, err := encodeRecord(r)
	if err != nil {
		return err
	}
	// A conflict is a tick or a new setting: looked at again.
	_, _, err = s.apply(ctx, act{
		mesh: l.Mesh, tidy: true, changes: []change{set(clockShelf, clockField, record).was(old).done()},
	})
	return err
}
