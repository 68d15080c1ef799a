package admin

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/edge/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The HTTP client keeps connections for the next request.
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { HTTP.CloseIdleConnections() }))
}

const testMesh = "MESH0123456789abcdefABCDEFxyzXYZ"

// serve returns a mesh at a broker that answers like that.
func serve(t *testing.T, answer http.HandlerFunc) *Mesh {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Mesh{Client{Broker: "ws" + strings.TrimPrefix(s.URL, "http") + wire.Path, Key: key}, testMesh}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func TestARequestIsSignedWithItsQueryAndCarriesTheOperatorsTokenOnlyForWhoHasIt(t *testing.T) {
	t.Parallel()
	type seen struct{ target, signer, token string }
	heard := make(chan seen, 1)
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s := seen{target: r.RequestURI, token: r.Header.Get(wire.HeaderOperatorToken)}
		if signed, err := wire.VerifyRequest(r, body, time.Now()); err == nil {
			s.signer = signed.Key
		}
		heard <- s
		answerJSON(w, http.StatusOK, wire.InboxResponse{})
	})
	if _, err := m.Inbox(t.Context(), "a/b?c", "now", 7); err != nil {
		t.Fatal(err)
	}
	want := seen{target: "/v1/meshes/" + testMesh + "/queue/a%2Fb%3Fc?lane=now&limit=7", signer: wire.PublicKey(m.Key)}
	if got := <-heard; got != want {
		t.Errorf("heard %+v, want %+v", got, want)
	}
	m.Operator = "the token"
	if _, err := m.Backup(t.Context(), "member/x"); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got.token != "the token" || got.target != "/v1/meshes/"+testMesh+"/backup?after=member%2Fx" {
		t.Errorf("heard %+v", got)
	}
}

func TestARefusalAnOddAnswerAndNoAnswerAreDifferentErrors(t *testing.T) {
	t.Parallel()
	refused := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusForbidden, wire.NewHTTPError(wire.CodeForbidden, "not you"))
	})
	var refusal *peer.RefusedError
	if err := refused.Archive(t.Context()); !errors.As(err, &refusal) || refusal.Code != wire.CodeForbidden || refusal.Message != "not you" {
		t.Errorf("a refusal is %v", err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"another server": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hello", http.StatusTeapot) },
		"no JSON":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"a redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
	} {
		var odd *StatusError
		if _, err := serve(t, answer).Get(t.Context()); !errors.As(err, &odd) {
			t.Errorf("%s is %v", name, err)
		}
	}
	gone := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := gone.Get(t.Context()); !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("no answer is %v", err)
	}
	if err := (&Client{Broker: "nonsense"}).do(t.Context(), http.MethodGet, "/", nil, nil); !errors.Is(err, ErrAddress) {
		t.Errorf("no address is %v", err)
	}
}

// chain makes n entries of a log as a broker would.
func chain(t *testing.T, n int) []wire.AuditEntry {
	t.Helper()
	prev := wire.AuditGenesis
	out := make([]wire.AuditEntry, n)
	for i := range out {
		e := wire.AuditEntry{
			ID: strconv.Itoa(1000+i) + "-0", EventType: "member_joined", Actor: "owner",
			Payload: json.RawMessage(`{"n":` + strconv.Itoa(i) + `}`), CreatedAt: wire.At(time.UnixMilli(int64(1000 + i))),
		}
		hash, err := wire.AuditHash(prev, testMesh, e.EventType, e.Actor, e.Payload, e.CreatedAt.Time)
		if err != nil {
			t.Fatal(err)
		}
		e.Hash = hash
		prev, out[i] = hash, e
	}
	return out
}

func TestAnAlteredLogDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func([]wire.AuditEntry) []wire.AuditEntry
		want   Chain
	}{
		"as it was": {func(e []wire.AuditEntry) []wire.AuditEntry { return e }, Chain{Entries: 9, Complete: true}},
		"one taken out": {
			func(e []wire.AuditEntry) []wire.AuditEntry { return slices.Delete(e, 4, 5) },
			Chain{Entries: 4, Complete: true, BrokenAt: "1005-0"},
		},
		"one altered": {
			func(e []wire.AuditEntry) []wire.AuditEntry { e[3].Payload = json.RawMessage(`{}`); return e },
			Chain{Entries: 3, Complete: true, BrokenAt: "1003-0"},
		},
		"by somebody else": {
			func(e []wire.AuditEntry) []wire.AuditEntry { e[8].Actor = ""; return e },
			Chain{Entries: 8, Complete: true, BrokenAt: "1008-0"},
		},
		"without its beginning": {
			func(e []wire.AuditEntry) []wire.AuditEntry { return e[1:] },
			Chain{BrokenAt: "1001-0"},
		},
		"empty": {func([]wire.AuditEntry) []wire.AuditEntry { return nil }, Chain{}},
	} {
		got := Recompute(testMesh, tt.change(chain(t, 9)))
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	const kept, droppedMeanwhile = 10_000, 37
	full := chain(t, kept+1)[1+droppedMeanwhile:]
	if got := Recompute(testMesh, full); got.BrokenAt != "" || got.Complete || got.Entries != kept-droppedMeanwhile {
		t.Errorf("a full log whose beginning was dropped, some of it while it was read: %+v", got)
	}
}

func TestTheWholeLogIsReadPageByPage(t *testing.T) {
	t.Parallel()
	all := chain(t, 2*MaxPage+1)
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		end := len(all)
		if before := r.URL.Query().Get("before"); before != "" {
			end = slices.IndexFunc(all, func(e wire.AuditEntry) bool { return e.ID == before })
		}
		page := slices.Clone(all[max(0, end-MaxPage):end])
		slices.Reverse(page)
		answerJSON(w, http.StatusOK, wire.AuditResponse{Entries: page, Total: len(all)})
	})
	got, err := m.AuditAll(t.Context())
	if err != nil || len(got) != len(all) || Recompute(testMesh, got).BrokenAt != "" {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

// TestABrokerThatAnswersTheSamePageForeverIsNotAskedForever: reading would not
// end.
func TestABrokerThatAnswersTheSamePageForeverIsNotAskedForever(t *testing.T) {
	t.Parallel()
	page := chain(t, MaxPage)
	slices.Reverse(page)
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, wire.AuditResponse{Entries: page})
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var odd *StatusError
	if _, err := m.AuditAll(ctx); !errors.As(err, &odd) {
		t.Errorf("%v", err)
	}
}

func TestIDsOfEntriesAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{{"9-0", "10-0", true}, {"10-0", "9-0", false}, {"9-2", "9-10", true}, {"9-1", "9-1", false}} {
		if got := Older(tt.a, tt.b); got != tt.want {
			t.Errorf("%s before %s: %v", tt.a, tt.b, got)
		}
	}
}
