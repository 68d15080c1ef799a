package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/chaos/history"
)

// A command is what a loadpeer process is told.
type command struct {
	Op         string `json:"op"`
	Peer       string `json:"peer"`
	URL        string `json:"url,omitempty"`
	Mesh       string `json:"mesh,omitempty"`
	MemberID   string `json:"memberId,omitempty"`
	MemberSeed string `json:"memberSeed,omitempty"`
	Seed       string `json:"seed,omitempty"`
	How        string `json:"how,omitempty"`
	ID         string `json:"id,omitempty"`
	To         string `json:"to,omitempty"`
	Lane       string `json:"lane,omitempty"`
	Old        bool   `json:"old,omitempty"`
}

// A driver is a process of real peers.
type driver struct {
	proc *process
	in   io.WriteCloser
	read sync.WaitGroup

	mu  sync.Mutex // guards in
	err error
}

// perDriver is how many peers a process is given.
const perDriver = 500

func startDriver(dir, binary, name string, hear func([]byte)) (*driver, error) {
	cmd := exec.Command(binary)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("chaos: driver: %w", err)
	}
	pr, pw := io.Pipe()
	cmd.Stdout = pw
	p, err := startProcess(dir, name, cmd)
	if err != nil {
		return nil, err
	}
	d := &driver{proc: p, in: in}
	go func() { <-p.ended; _ = pw.Close() }()
	d.read.Go(func() {
		lines := bufio.NewScanner(pr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			hear(lines.Bytes())
		}
	})
	return d, nil
}

// tell gives the process a command.
func (d *driver) tell(c command) {
	d.mu.Lock()
	defer d.mu.Unlock()
	line, err := json.Marshal(c)
	if err == nil {
		_, err = d.in.Write(append(line, '\n'))
	}
	d.err = errors.Join(d.err, err)
}

// close ends the process and returns when its last line was read.
func (d *driver) close() error {
	d.mu.Lock()
	err := errors.Join(d.err, d.in.Close())
	d.mu.Unlock()
	select {
	case <-d.proc.ended:
	case <-time.After(endWithin):
		d.proc.kill()
		err = errors.Join(err, errors.New("chaos: peers did not end"))
	}
	d.read.Wait()
	return errors.Join(err, d.proc.failure())
}

// standing is what is known of a peer while the run lasts.
type standing struct {
	run     int // the client that was started last
	wanted  bool
	greeted bool // the last client is connected
	ended   bool // it does no more
	synced  bool
	asked   bool
	leftAt  time.Time // when it was last told to leave
	seenOff bool      // somebody was told since that it has left
}

// board keeps the standing of all peers, by what their processes say.
type board struct {
	out *history.Writer

	mu      sync.Mutex // guards the following
	peers   map[string]*standing
	names   map[string]string // of peers, by key
	waiting map[string]bool   // ids of messages that were neither acked nor refused
}

func newBoard(out *history.Writer) *board {
	return &board{out: out, peers: map[string]*standing{}, names: map[string]string{}, waiting: map[string]bool{}}
}

// hear takes a line of a driver.
func (b *board) hear(line []byte) {
	b.out.Line(line)
	var r history.Record
	if json.Unmarshal(line, &r) != nil {
		return // the check will say so
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(r.Peer)
	switch r.Kind {
	case history.Started:
		s.run, s.greeted, s.ended = r.Run, false, false
	case history.Greeted, history.Closed, history.Ended:
		if r.Run == s.run {
			s.greeted, s.ended = r.Kind == history.Greeted, r.Kind == history.Ended
		}
	case history.Acked, history.Refused, history.Unsent:
		delete(b.waiting, r.ID)
	case history.Push:
		if name := b.names[r.About]; r.Event == string(wire.EventPeerLeft) && name != "" {
			off := b.of(name)
			off.seenOff = off.seenOff || time.UnixMilli(r.Created).After(off.leftAt)
		}
	case history.Synced:
		s.asked, s.synced = false, r.Err == ""
	default: // of interest to the check only
	}
}

func (b *board) of(peer string) *standing {
	s := b.peers[peer]
	if s == nil {
		s = &standing{}
		b.peers[peer] = s
	}
	return s
}

// count tells how many peers are as asked.
func (b *board) count(is func(*standing) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, s := range b.peers {
		if is(s) {
			n++
		}
	}
	return n
}

func (b *board) outstanding() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// change changes the standing of a peer and returns what it was.
func (b *board) change(peer string, change func(*standing)) standing {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(peer)
	before := *s
	change(s)
	return before
}
