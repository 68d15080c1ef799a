package wire

import (
	"math"
	"strconv"
	"time"
)

// Bounds of a clock's speed, and how far one tick moves simulated time.
const (
	MinSpeed  Speed = 1
	MaxSpeed  Speed = 100
	ClockTick       = 60 * time.Second
)

// Speed is how much faster than time a mesh's clock runs. 0 means no clock.
type Speed float64

// UnmarshalJSON accepts any JSON value. What is not a number becomes 0.
func (s *Speed) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		f = 0
	}
	*s = Speed(f)
	return nil
}

// Clamp is the speed that a clock runs at when s is asked for.
func (s Speed) Clamp() Speed { return min(max(s, MinSpeed), MaxSpeed) }

// SetClock starts the mesh's clock, or changes its speed.
type SetClock struct {
	Speed Speed `json:"speed"`
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeSetClock.
func (SetClock) FrameType() Type { return TypeSetClock }

// RequestID returns the _reqId.
func (m SetClock) RequestID() ReqID { return m.ReqID }

// PauseClock stops the clock for a while.
type PauseClock struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypePauseClock.
func (PauseClock) FrameType() Type { return TypePauseClock }

// RequestID returns the _reqId.
func (m PauseClock) RequestID() ReqID { return m.ReqID }

// ResumeClock has the clock run on.
type ResumeClock struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeResumeClock.
func (ResumeClock) FrameType() Type { return TypeResumeClock }

// RequestID returns the _reqId.
func (m ResumeClock) RequestID() ReqID { return m.ReqID }

// GetClock asks what the clock shows.
type GetClock struct {
	ReqID ReqID `json:"_reqId,omitempty"`
}

// FrameType returns TypeGetClock.
func (GetClock) FrameType() Type { return TypeGetClock }

// RequestID returns the _reqId.
func (m GetClock) RequestID() ReqID { return m.ReqID }

// ClockStatus says what the clock shows. Without a clock the speed is 0.
type ClockStatus struct {
	Speed     Speed       `json:"speed"`
	Paused    bool        `json:"paused"`
	Tick      int64       `json:"tick"`
	SimTime   TimeOrEmpty `json:"simTime"`
	StartedAt TimeOrEmpty `json:"startedAt"`
	ReqID     ReqID       `json:"_reqId,omitempty"`
}

// FrameType returns TypeClockStatus.
func (ClockStatus) FrameType() Type { return TypeClockStatus }

// InReplyTo returns the _reqId of what was asked.
func (m ClockStatus) InReplyTo() ReqID { return m.ReqID }
