package history

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// MaxRecords bounds a history, which is held in memory to be checked.
const MaxRecords = 5_000_000

// ErrTooLong says that a history has more than [MaxRecords] lines.
var ErrTooLong = errors.New("history: too long")

// Kind is what a line tells.
type Kind string

// What peers do and see.
const (
	Started  Kind = "started"  // a new client of the peer runs
	Ended    Kind = "ended"    // it does no more
	Dialing  Kind = "dialing"  // a connection is tried
	Greeted  Kind = "greeted"  // hello_ack arrived
	Closed   Kind = "closed"   // the connection, or the try, is over
	Leaving  Kind = "leaving"  // the client was told to; Event says how
	Send     Kind = "send"     // a message was given to a client
	Acked    Kind = "acked"    // the broker has it
	Refused  Kind = "refused"  // the broker never will
	Unsent   Kind = "unsent"   // too many waited already
	Forgone  Kind = "forgone"  // the end of a send through a client that was taken over
	Push     Kind = "push"     // a push arrived, for the first time or again
	Surfaced Kind = "surfaced" // a client handed it to its program
	Roster   Kind = "roster"   // the answer to list_peers
	Synced   Kind = "synced"   // all that waited was handled
	Restart  Kind = "restarting"
)

// What the run itself tells.
const (
	Declared Kind = "peer"   // the keys of a peer
	Fault    Kind = "fault"  // one begins
	Healed   Kind = "healed" // it is over
	EdgeUp   Kind = "edge"   // an edge serves
	EdgeDown Kind = "gone"   // it has ended by itself or as told
	Quiet    Kind = "quiet"  // there are no more faults
	Judged   Kind = "judged" // from here on rosters must be right
	Over     Kind = "over"   // the end
)

// The ways to leave, in Event of [Leaving].
const (
	Goodbye = "goodbye"
	Away    = "away"
	Vanish  = "vanish"
)

// Beside, in Event of [Send], marks what went through a client that had been
// taken over, next to the messages of its successor.
const Beside = "old"

// The faults, in Event of [Fault] and [Healed].
const (
	KillEdge    = "edge killed"
	StopEdge    = "edge stopped"  // SIGSTOP
	DrainEdge   = "edge drained"  // SIGTERM
	IsolateEdge = "edge isolated" // nothing between it and Redis gets through
	DelayEdge   = "edge delayed"  // what gets through comes late
	ResetEdge   = "edge reset"    // its connections to Redis were cut
	Deafen      = "subscriptions cut"
	PauseRedis  = "redis paused"
	KillRedis   = "redis killed"
	StopRedis   = "redis restarted"
	FailOver    = "redis failed over"
	Flush       = "redis flushed"
)

// Record is one line.
type Record struct {
	At      int64    `json:"at"` // nanoseconds since 1970
	Kind    Kind     `json:"kind"`
	Peer    string   `json:"peer,omitempty"`
	Run     int      `json:"run,omitempty"` // which client of the peer, from 1
	ID      string   `json:"id,omitempty"`  // a client message id, or that of a fault
	Message string   `json:"message,omitempty"`
	Mesh    string   `json:"mesh,omitempty"`
	To      string   `json:"to,omitempty"`   // a session key or *
	From    string   `json:"from,omitempty"` // a session key
	Lane    string   `json:"lane,omitempty"`
	Event   string   `json:"event,omitempty"`
	About   string   `json:"about,omitempty"`   // the session key that an event tells about
	Created int64    `json:"created,omitempty"` // milliseconds, by Redis's clock
	Cursor  string   `json:"cursor,omitempty"`
	Edge    string   `json:"edge,omitempty"`
	Resumed bool     `json:"resumed,omitempty"`
	Resync  bool     `json:"resync,omitempty"`
	Err     string   `json:"err,omitempty"`
	Keys    []string `json:"keys,omitempty"`

	// Forgive is how many nanoseconds before a fault Redis may have forgotten
	// what it acknowledged; negative for everything.
	Forgive int64 `json:"forgive,omitempty"`
}

// Time is when it happened.
func (r Record) Time() time.Time { return time.Unix(0, r.At) }

// String is the line as written.
func (r Record) String() string {
	b, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return r.Time().Format("15:04:05.000") + " " + string(b)
}

// Read reads a history and puts it in the order of time.
func Read(in io.Reader) ([]Record, error) {
	var all []Record
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(all) == MaxRecords {
			return nil, ErrTooLong
		}
		var r Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("history: line %d: %w", len(all)+1, err)
		}
		all = append(all, r)
	}
	Sort(all)
	return all, lines.Err()
}

// maxLine bounds a line: the roster of a mesh of ten thousand.
const maxLine = 1 << 20

// Sort puts records in the order of time.
func Sort(all []Record) {
	slices.SortStableFunc(all, func(a, b Record) int { return cmp.Compare(a.At, b.At) })
}

// Writer writes a history. Its methods may be called from several goroutines.
type Writer struct {
	mu    sync.Mutex
	w     *bufio.Writer
	lines int
	err   error
}

// NewWriter returns a writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 1<<16)} }

// Write writes a record, which happened now if it does not say when.
func (w *Writer) Write(r Record) Record {
	if r.At == 0 {
		r.At = time.Now().UnixNano()
	}
	line, err := json.Marshal(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
	w.line(line)
	return r
}

// Line copies a line that another process wrote.
func (w *Writer) Line(line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line(line)
}

func (w *Writer) line(line []byte) {
	if w.err != nil {
		return
	}
	if w.lines++; w.lines > MaxRecords {
		w.err = ErrTooLong
		return
	}
	if _, w.err = w.w.Write(line); w.err == nil {
		w.err = w.w.WriteByte('\n')
	}
}

// Flush writes what is left and tells what went wrong since the beginning.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	return w.w.Flush()
}
