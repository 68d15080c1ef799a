package wire

import "time"

// Status is what a peer is doing.
type Status string

// The statuses. Who is not idle gets urgent messages only.
const (
	StatusIdle    Status = "idle"
	StatusWorking Status = "working"
	StatusDND     Status = "dnd"
)

// Valid reports whether s is one of the three.
func (s Status) Valid() bool { return s == StatusIdle || s == StatusWorking || s == StatusDND }

// Source is who said so.
type Source string

// The sources, most credible first.
const (
	SourceHook   Source = "hook"   // a hook of the peer's program
	SourceManual Source = "manual" // the peer itself
	SourceJSONL  Source = "jsonl"  // a guess
)

// Rank orders sources by credibility. An unknown source has none.
func (s Source) Rank() int {
	switch s {
	case SourceHook:
		return 3
	case SourceManual:
		return 2
	case SourceJSONL:
		return 1
	}
	return 0
}

// Windows of the status rules.
const (
	StatusFresh = 30 * time.Second // how long a source outranks a lesser one, inclusive
	WorkingTTL  = 60 * time.Second // how long working lasts without a new word
	HookPending = 10 * time.Second // how long a hook's word waits for its peer
)

// StatusRecord is a status, who said so, and when, in milliseconds.
type StatusRecord struct {
	Status Status
	Source Source
	At     int64
}

// Write returns the record after somebody said status at now. A change always
// counts. A repetition by a lesser source keeps a fresh record alive without
// taking it over, so that a guess does not weaken what a hook has said.
func (r StatusRecord) Write(status Status, source Source, now int64) StatusRecord {
	lesser := source.Rank() < r.Source.Rank()
	if status == r.Status && lesser && now-r.At <= StatusFresh.Milliseconds() {
		source = r.Source
	}
	return StatusRecord{Status: status, Source: source, At: now}
}

// LanesFor returns the lanes that a recipient of that status is read, in order.
func LanesFor(s Status) []Lane {
	if s == StatusIdle {
		return []Lane{LaneNow, LaneNext, LaneLow}
	}
	return []Lane{LaneNow}
}
