package local

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server that answers echo, and refuses everything else.
func serve(t *testing.T, path string) *Server {
	t.Helper()
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, s)
	return s
}

func serveOn(t *testing.T, s *Server) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx, func(_ context.Context, r Request) (any, error) {
			switch r.Op {
			case "echo":
				return r.Args, nil
			case "refuse":
				return nil, &Refusal{Message: "no", Hint: "ask nicely", Code: 4}
			case "fail":
				return nil, errors.New("broken")
			}
			return nil, ErrUnknown
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(filepath.Dir(s.path)); len(left) != 0 {
			t.Errorf("%v are left behind", left)
		}
	})
}

func socket(t *testing.T) string { return filepath.Join(t.TempDir(), "s.sock") }

func TestARequestIsAnswered(t *testing.T) {
	t.Parallel()
	path := socket(t)
	serve(t, path)
	var got map[string]string
	if err := Call(t.Context(), path, "echo", map[string]string{"a": strings.Repeat("x", 100_000)}, &got); err != nil || len(got["a"]) != 100_000 {
		t.Errorf("%d, %v", len(got["a"]), err)
	}
	var refusal *Refusal
	if err := Call(t.Context(), path, "refuse", nil, nil); !errors.As(err, &refusal) || refusal.Hint != "ask nicely" || refusal.Code != 4 {
		t.Errorf("refuses with %v", err)
	}
	for _, op := range []string{"fail", "nonsense"} {
		if err := Call(t.Context(), path, op, nil, nil); !errors.As(err, &refusal) || refusal.Code != 1 {
			t.Errorf("%s: %v", op, err)
		}
	}
}

func TestSocketAndTokenAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	path := socket(t)
	serve(t, path)
	for _, p := range []string{path, tokenPath(path)} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p, info, err)
		}
	}
}

func TestWhoDoesNotKnowTheTokenGetsNowhere(t *testing.T) {
	t.Parallel()
	path := socket(t)
	serve(t, path)
	for _, line := range []string{`{"op":"echo"}`, `{"token":"AAAA","op":"echo"}`, "GET / HTTP/1.1\r"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.NewDecoder(conn).Decode(&a); err != nil || a.OK {
			t.Errorf("%s: %+v, %v", line, a, err)
		}
		conn.Close()
	}
}

func TestASocketThatACrashLeftIsReplaced(t *testing.T) {
	t.Parallel()
	path := socket(t)
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	if err := Call(t.Context(), path, "echo", nil, nil); !errors.Is(err, ErrNobody) {
		t.Errorf("a dead socket: %v", err)
	}
	serve(t, path)
	if err := Call(t.Context(), path, "echo", 1, nil); err != nil {
		t.Error(err)
	}
}

func TestWhoSaysNothingDoesNotKeepCommandsWaiting(t *testing.T) {
	t.Parallel()
	path := socket(t)
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s.questionWait = 10 * time.Millisecond
	serveOn(t, s)
	for range maxExchanges {
		idle, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), exchangeWait/2)
	defer cancel()
	if err := Call(ctx, path, "echo", 1, nil); err != nil {
		t.Error(err)
	}
}

func TestASessionAnswersUnderItsDirectorysNameUnlessAnotherDoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own, shared := filepath.Join(dir, "own.sock"), filepath.Join(dir, "shared.sock")
	s := serve(t, own)
	if err := s.Also(shared); err != nil {
		t.Fatal(err)
	}
	if err := Call(t.Context(), shared, "echo", 1, nil); err != nil {
		t.Error(err)
	}
	other, err := Listen(filepath.Join(dir, "other.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Also(shared); err != nil || len(other.links) != 0 {
		t.Errorf("took a name away that is in use: %v", err)
	}
}
