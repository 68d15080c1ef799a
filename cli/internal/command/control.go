package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	controlWait    = 15 * time.Second // for a whole exchange
	maxControlLine = 16 << 10
	maxControls    = 16 // exchanges at once
)

// controlRequest is one line from a command to the listener of its directory.
// Exactly one field is set.
type controlRequest struct {
	Status  *wire.Status `json:"status,omitempty"`
	Summary *string      `json:"summary,omitempty"`
}

// controlAnswer is the listener's line back.
type controlAnswer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// control is the socket on which a listener hears the commands of its
// directory. Whoever may open the identity directory may speak there.
type control struct {
	listener net.Listener
	path     string
}

// listenControl opens the socket. It is made under another name in a directory
// of its own, so that nobody meets it before its mode is right, and replaces
// what a crash left behind: we hold the session's lock, so nobody serves it.
func listenControl(path string) (*control, error) {
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	l, err := net.Listen("unix", made)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	return &control{listener: l, path: path}, nil
}

// serve answers commands until ctx ends.
func (s *control) serve(ctx context.Context, c *peer.Client) error {
	var exchanges sync.WaitGroup
	defer exchanges.Wait()
	defer os.Remove(s.path)
	stop := context.AfterFunc(ctx, func() { s.listener.Close() })
	defer stop()
	slots := make(chan struct{}, maxControls)
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("control socket: %w", err)
		}
		slots <- struct{}{}
		exchanges.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			exchange(ctx, conn, c)
		})
	}
}

// exchange reads one request and answers it.
func exchange(ctx context.Context, conn net.Conn, c *peer.Client) {
	_ = conn.SetDeadline(time.Now().Add(controlWait)) // its failure shows in the read
	line, err := bufio.NewReader(io.LimitReader(conn, maxControlLine)).ReadBytes('\n')
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, controlWait)
	defer cancel()
	answer := controlAnswer{OK: true}
	if err := obey(ctx, line, c); err != nil {
		answer = controlAnswer{Error: plainWords(err)}
	}
	_ = json.NewEncoder(conn).Encode(answer) // the command sees the loss itself
}

var errControl = errors.New("the listener does not understand this request")

func obey(ctx context.Context, line []byte, c *peer.Client) error {
	var r controlRequest
	if err := json.Unmarshal(line, &r); err != nil {
		return errControl
	}
	switch {
	case r.Status != nil && r.Status.Valid():
		return c.SetStatus(ctx, *r.Status)
	case r.Summary != nil && len(*r.Summary) <= wire.MaxSummary:
		return c.SetSummary(ctx, *r.Summary)
	}
	return errControl
}

// tellListener sends a request to the listener of a session.
func tellListener(path string, r controlRequest) error {
	conn, err := net.DialTimeout("unix", path, controlWait)
	if err != nil {
		return ui.Failf("no listener runs for this directory, so there is no presence to change").
			Hinted("claudemesh listen; where it runs with --session NAME, give the same here").Coded(ui.ExitAway)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(controlWait)) // its failure shows in the read
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return ui.Failf("the listener went away: %v", err)
	}
	var answer controlAnswer
	if err := json.NewDecoder(io.LimitReader(conn, maxControlLine)).Decode(&answer); err != nil {
		return ui.Failf("the listener went away: %v", err)
	}
	if !answer.OK {
		return ui.Failf("the listener could not do it: %s", answer.Error)
	}
	return nil
}
