package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"
)

// flushEvery bounds how long a record may wait in our buffer.
const flushEvery = 20 * time.Millisecond

// A record is one line of the history.
type record struct {
	At      int64    `json:"at"` // nanoseconds since 1970
	Kind    string   `json:"kind"`
	Peer    string   `json:"peer"`
	Run     int      `json:"run,omitempty"` // which client of the peer, from 1
	ID      string   `json:"id,omitempty"`
	Message string   `json:"message,omitempty"`
	To      string   `json:"to,omitempty"`
	From    string   `json:"from,omitempty"`
	Lane    string   `json:"lane,omitempty"`
	Event   string   `json:"event,omitempty"`
	About   string   `json:"about,omitempty"`
	Created int64    `json:"created,omitempty"` // milliseconds, by the broker's clock
	Cursor  string   `json:"cursor,omitempty"`
	Edge    string   `json:"edge,omitempty"`
	Resumed bool     `json:"resumed,omitempty"`
	Resync  bool     `json:"resync,omitempty"`
	Err     string   `json:"err,omitempty"`
	Keys    []string `json:"keys,omitempty"`
}

// A recorder writes records. A reader that is slow slows us down; nothing
// grows.
type recorder struct {
	stop chan struct{}
	done chan struct{}

	mu  sync.Mutex // guards the following
	w   *bufio.Writer
	err error
}

func newRecorder(w io.Writer) *recorder {
	r := &recorder{w: bufio.NewWriterSize(w, 1<<16), stop: make(chan struct{}), done: make(chan struct{})}
	go r.flush()
	return r
}

// write stamps a record and writes it.
func (r *recorder) write(rec record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec.At == 0 {
		rec.At = time.Now().UnixNano()
	}
	line, err := json.Marshal(rec)
	if err == nil {
		_, err = r.w.Write(append(line, '\n'))
	}
	r.err = errors.Join(r.err, err)
}

func (r *recorder) flush() {
	defer close(r.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
			r.mu.Lock()
			if r.err == nil {
				r.err = r.w.Flush()
			}
			r.mu.Unlock()
		}
	}
}

// close writes what is left and tells what went wrong on the way.
func (r *recorder) close() error {
	close(r.stop)
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	return r.w.Flush()
}
