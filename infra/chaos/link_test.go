package chaos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// echo answers every connection with what it says.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().String()
}

func linked(t *testing.T) (*Link, net.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ln") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := NewLink(filepath.Join(dir, "s"), "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c, err := net.Dial("unix", strings.TrimPrefix(l.URL(), "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return l, c
}

// say says a word and returns the answer, or why there is none.
func say(c net.Conn, patience time.Duration) (string, error) {
	if _, err := c.Write([]byte("word")); err != nil {
		return "", err
	}
	return hear(c, patience)
}

func hear(c net.Conn, patience time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 4)
	_, err := io.ReadFull(c, b)
	return string(b), err
}

const long = 20 * time.Second

func TestALinkPassesOnWhatItIsGiven(t *testing.T) {
	t.Parallel()
	_, c := linked(t)
	if got, err := say(c, long); got != "word" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestABlockedLinkKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	l, c := linked(t)
	l.Block()
	l.Block() // twice is as good
	if got, err := say(c, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %q, %v through a blocked link", got, err)
	}
	l.Unblock()
	if got, err := hear(c, long); got != "word" || err != nil {
		t.Errorf("got %q, %v once it was open again", got, err)
	}
}

func TestADelayedLinkIsSlow(t *testing.T) {
	t.Parallel()
	l, c := linked(t)
	const late = 50 * time.Millisecond
	l.Delay(late)
	began := time.Now()
	if _, err := say(c, long); err != nil || time.Since(began) < 2*late {
		t.Errorf("the answer took %v (%v), want %v each way", time.Since(began), err, late)
	}
}

func TestAResetLinkEndsItsConnections(t *testing.T) {
	t.Parallel()
	l, c := linked(t)
	if _, err := say(c, long); err != nil {
		t.Fatal(err)
	}
	l.Reset()
	if got, err := hear(c, long); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q, %v; want the end", got, err)
	}
}

// TestTheFallBackOffersConnectionsToReadyEdges: one edge is ready, one is not,
// and one is nothing at all.
func TestTheFallBackOffersConnectionsToReadyEdges(t *testing.T) {
	t.Parallel()
	serve := func(status int, name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, name)
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	addrs, err := freeAddrs(2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newPlainBalancer(t.Context(), addrs[0], []string{addrs[1], serve(http.StatusServiceUnavailable, "draining"), serve(http.StatusOK, "ready")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	for range 6 {
		err := eventually(t.Context(), long, func() error {
			got, err := get(t.Context(), "http://"+b.Addr())
			if err == nil && got != "ready" {
				t.Errorf("sent to %q", got)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	return b.String(), err
}

func TestTheBalancerAsksWhetherEdgesAreReady(t *testing.T) {
	t.Parallel()
	conf := haproxyConf("127.1.2.3:7900", []string{"127.1.2.4:7900", "127.1.2.5:7900"})
	for _, want := range []string{
		"bind 127.1.2.3:7900\n", "server edge0 127.1.2.4:7900\n", "server edge1 127.1.2.5:7900\n",
		"GET /health/ready", "option redispatch", "inter 200ms",
	} {
		if !strings.Contains(conf, want) {
			t.Errorf("the configuration lacks %q:\n%s", want, conf)
		}
	}
}
