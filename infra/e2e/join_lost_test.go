package e2e

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/claudemesh/claudemesh/infra/redistest"
)

// TestAnInviteForOneIsNotLostWithTheBrokersAnswer has a broker enrol somebody
// who never hears of it. The same link lets him in afterwards, and nobody else.
func TestAnInviteForOneIsNotLostWithTheBrokersAnswer(t *testing.T) {
	t.Parallel()
	edge := startEdge(t, redistest.Start(t))
	for _, kind := range []string{"", "--short"} {
		t.Run("invite"+kind, func(t *testing.T) {
			t.Parallel()
			broker, swallowed := swallower(t, edge.Addr)
			alice, bob := newUser(t, broker), newUser(t, broker)
			alice.run("create", "lost"+strings.Trim(kind, "-"), "--display-name", "alice")
			args := []string{"invite"}
			if kind != "" {
				args = append(args, kind)
			}
			link := strings.TrimSpace(alice.run(args...))
			bob.refused(1, "cannot be reached", "join", link, "--name", "bob")
			if swallowed.Load() != 1 {
				t.Fatalf("%d answers were swallowed", swallowed.Load())
			}
			bob.run("join", link, "--name", "bob")
			bob.run("peers")
			newUser(t, broker).refused(1, "used up", "join", link)
			if members := alice.run("member", "list"); strings.Count(members, "bob") != 1 {
				t.Errorf("bob is a member not once:\n%s", members)
			}
		})
	}
}

// swallower is a way to a broker on which the first answer to who joins is lost.
func swallower(t *testing.T, addr string) (broker string, swallowed *atomic.Int32) {
	t.Helper()
	swallowed = new(atomic.Int32)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	proxy.ModifyResponse = func(r *http.Response) error {
		joins := r.Request.URL.Path == "/join" || strings.HasSuffix(r.Request.URL.Path, "/claim")
		if joins && swallowed.CompareAndSwap(0, 1) {
			return errors.New("lost on its way")
		}
		return nil
	}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/ws", swallowed
}
