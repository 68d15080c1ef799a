package local

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

const (
	exchangeWait = 30 * time.Second // for a whole exchange
	questionWait = 5 * time.Second  // for its first half: commands ask at once, and whoever does not takes a place from them
	maxLine      = 1 << 20          // a message of 64 KiB may grow sixfold as JSON
	maxExchanges = 16               // at once
)

// Request is what a command wants.
type Request struct {
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args,omitempty"`
}

type question struct {
	Token string `json:"token"`
	Request
}

type answer struct {
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result,omitempty"`
	*Refusal
}

// Refusal is why a session did not do what it was asked.
type Refusal struct {
	Message string `json:"error"`
	Hint    string `json:"hint,omitempty"`
	Code    int    `json:"code,omitempty"` // exit code for the command
}

// Error tells the session's words.
func (r *Refusal) Error() string { return r.Message }

// ErrUnknown says that the session does not know such a request: it may be of
// another version.
var ErrUnknown = &Refusal{
	Message: "the running session does not understand this request", Hint: "it may be of another version; start it anew", Code: 1,
}

// Handler does what is asked. Errors other than [Refusal] are told as text.
type Handler func(ctx context.Context, r Request) (any, error)

// Server is the socket on which a session hears commands.
type Server struct {
	listener *net.UnixListener
	path     string
	token    string
	links    []string // other names of the socket, ours to remove

	questionWait time.Duration // as the constant, shorter in tests
}

// Listen opens the socket. It is made under another name in a directory of its
// own, so that nobody meets it before its mode is right, and replaces what a
// crash left behind: the caller holds the session's lock, so nobody serves it.
func Listen(path string) (*Server, error) {
	s := &Server{path: path, token: rand.Text(), questionWait: questionWait}
	err := renameio.WriteFile(tokenPath(path), []byte(s.token), 0o600,
		renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return nil, fmt.Errorf("local: token: %w", err)
	}
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, fmt.Errorf("local: socket: %w", err)
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("local: socket: %w", err)
	}
	s.listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("local: socket: %w", err), s.listener.Close())
	}
	return s, nil
}

func tokenPath(socket string) string { return strings.TrimSuffix(socket, ".sock") + ".token" }

// Also makes the session reachable under another socket's name, unless
// somebody answers there.
func (s *Server) Also(path string) error {
	if path == s.path || alive(path) {
		return nil
	}
	for _, name := range [][2]string{{s.path, path}, {tokenPath(s.path), tokenPath(path)}} {
		if err := renameio.Symlink(name[0], name[1]); err != nil {
			return fmt.Errorf("local: %w", err)
		}
	}
	s.links = append(s.links, path)
	return nil
}

func alive(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// Serve answers commands until ctx ends.
func (s *Server) Serve(ctx context.Context, handle Handler) error {
	var exchanges sync.WaitGroup
	defer exchanges.Wait()
	defer s.remove()
	stop := context.AfterFunc(ctx, func() { s.listener.Close() })
	defer stop()
	slots := make(chan struct{}, maxExchanges)
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("local: socket: %w", err)
		}
		slots <- struct{}{}
		exchanges.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			s.exchange(ctx, conn, handle)
		})
	}
}

// remove takes the names away that lead to us.
func (s *Server) remove() {
	for _, link := range s.links {
		if to, err := os.Readlink(link); err == nil && to == s.path {
			_ = errors.Join(os.Remove(link), os.Remove(tokenPath(link)))
		}
	}
	_ = errors.Join(os.Remove(s.path), os.Remove(tokenPath(s.path)))
}

// Close closes a server that does not serve.
func (s *Server) Close() error {
	defer s.remove()
	return s.listener.Close()
}

func (s *Server) exchange(ctx context.Context, conn *net.UnixConn, handle Handler) {
	if sameUser(conn) != nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(s.questionWait)) // its failure shows in the read
	line, err := bufio.NewReader(io.LimitReader(conn, maxLine)).ReadBytes('\n')
	if err != nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(exchangeWait))
	ctx, cancel := context.WithTimeout(ctx, exchangeWait)
	defer cancel()
	_ = json.NewEncoder(conn).Encode(s.answer(ctx, line, handle)) // the command sees the loss itself
}

var errToken = &Refusal{Message: "the request carries no token of this session", Hint: "is it another user's?", Code: 1}

func (s *Server) answer(ctx context.Context, line []byte, handle Handler) answer {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return answer{Refusal: ErrUnknown}
	}
	if subtle.ConstantTimeCompare([]byte(q.Token), []byte(s.token)) != 1 {
		return answer{Refusal: errToken}
	}
	result, err := handle(ctx, q.Request)
	if err == nil {
		raw, err := json.Marshal(result)
		if err == nil {
			return answer{OK: true, Result: raw}
		}
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		refusal = &Refusal{Message: fmt.Sprint(err), Code: 1}
	}
	return answer{Refusal: refusal}
}
