package commons_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// page is something to watch, whose text a test changes.
type page struct {
	*httptest.Server
	text  atomic.Value
	looks atomic.Int64
}

func newPage(t *testing.T, text string) *page {
	t.Helper()
	p := &page{}
	p.text.Store(text)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.looks.Add(1)
		_, _ = w.Write([]byte(p.text.Load().(string)))
	}))
	t.Cleanup(p.Close)
	return p
}

// watching lets watches look at this machine.
var watching = edgetest.WithConfig(func(c *edge.Config) { c.WatchAllow = "127.0.0.1/32, ::1/128" })

// startWatch watches an address so rarely that only [lookNow] looks again, and
// waits for the first look.
func startWatch(t *testing.T, p *edgetest.Peer, w *wire.Watch) string {
	t.Helper()
	w.Interval, w.ReqID = 3600, reqID()
	id := ask[*wire.WatchAck](p, w).WatchID
	watchInfo(t, p, id, func(w *wire.WatchInfo) bool { return w.LastCheck != nil })
	return id
}

// watchInfo waits until a watch looks like this.
func watchInfo(t *testing.T, p *edgetest.Peer, id string, wanted func(*wire.WatchInfo) bool) (found wire.WatchInfo) {
	t.Helper()
	edgetest.Eventually(t, func() error {
		l := ask[*wire.WatchListResult](p, &wire.WatchList{ReqID: reqID()}).Watches
		for _, w := range l {
			if w.ID == id && wanted(&w) {
				found = w
				return nil
			}
		}
		return fmt.Errorf("watches: %+v", l)
	})
	return found
}

// lookNow makes a watch look that looks at nothing just now, and waits until it
// has.
func lookNow(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, id string) {
	t.Helper()
	record := func() (r map[string]any) {
		text, err := e.Client.Raw().HGet(t.Context(), key(e, m, "watch"), id).Result()
		if err == nil {
			err = json.Unmarshal([]byte(text), &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := record()
	r["next"], r["checked"] = 0, 1
	b, _ := json.Marshal(r)
	if err := e.Client.Raw().HSet(t.Context(), key(e, m, "watch"), id, b).Err(); err != nil {
		t.Fatal(err)
	}
	overdue(t, e, m, "watch", id)
	edgetest.Eventually(t, func() error {
		if r := record(); r["checked"].(float64) == 1 {
			return fmt.Errorf("record: %v", r)
		}
		return nil
	})
}

func notice(t *testing.T, p *edgetest.Peer) wire.WatchEvent {
	t.Helper()
	push := p.Event(wire.EventWatchTriggered)
	var e wire.WatchEvent
	if err := json.Unmarshal(push.EventData, &e); err != nil || push.Priority != wire.LaneNow {
		t.Errorf("notice: %+v %v", push, err)
	}
	return e
}

// expectNoNotice fails if a notice has come.
func expectNoNotice(t *testing.T, peers ...*edgetest.Peer) {
	t.Helper()
	for _, p := range peers {
		for _, m := range p.Pushes() {
			if m.Event == wire.EventWatchTriggered {
				t.Errorf("a notice too many: %s", m.EventData)
			}
		}
	}
}

func TestTheWatchingPeerHearsOfAChangeOnce(t *testing.T) {
	t.Parallel()
	one, other := edges(t, watching)
	m := one.NewMesh()
	ana, sibling, bob := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob")
	p := newPage(t, `{"state":"it's \"on\""}`)
	id := startWatch(t, ana, &wire.Watch{URL: p.URL, Mode: wire.WatchJSON, Extract: "$.state", Label: "the 'switch'"})
	if w := watchInfo(t, ana, id, func(*wire.WatchInfo) bool { return true }); w.URL != p.URL || *w.Label != "the 'switch'" ||
		*w.LastValue != `it's "on"` || w.LastHash != nil || w.Interval != 3600 || w.LastError != "" {
		t.Errorf("listed: %+v", w)
	}
	lookNow(t, one, m, id) // nothing has changed
	expectNoNotice(t, ana)
	p.text.Store(`{"state":"off"}`)
	lookNow(t, one, m, id)
	lookNow(t, one, m, id)
	want := wire.WatchEvent{
		WatchID: id, URL: p.URL, Label: "the 'switch'", Mode: wire.WatchJSON, OldValue: `it's "on"`, NewValue: "off",
	}
	if got := notice(t, ana); got != want {
		t.Errorf("notice: %+v", got)
	}
	expectNoNotice(t, ana, sibling, bob)
	if p.looks.Load() != 4 {
		t.Errorf("%d looks", p.looks.Load())
	}
	if l := ask[*wire.WatchListResult](sibling, &wire.WatchList{ReqID: reqID()}).Watches; len(l) != 0 {
		t.Errorf("another peer's list: %+v", l)
	}
}

func TestAWatchLooksAtItsInterval(t *testing.T) {
	t.Parallel()
	one, _ := edges(t, watching)
	ana := one.NewMesh().Session(one, "ana")
	p := newPage(t, "one")
	ack := ask[*wire.WatchAck](ana, &wire.Watch{URL: p.URL, Interval: 0.001, ReqID: reqID()})
	if ack.Interval != 5 || ack.Mode != wire.WatchHash || ack.URL != p.URL {
		t.Errorf("ack: %+v", ack)
	}
	seen := watchInfo(t, ana, ack.WatchID, func(w *wire.WatchInfo) bool { return w.LastHash != nil })
	p.text.Store("two")
	if e := notice(t, ana); e.OldValue != *seen.LastHash || e.NewValue == "" || e.NewValue == e.OldValue {
		t.Errorf("notice: %+v", e)
	}
	if n := p.looks.Load(); n != 2 {
		t.Errorf("%d looks", n)
	}
}

func TestANoticeReachesAPeerInItsGraceOnce(t *testing.T) {
	t.Parallel()
	one, other := edges(t, watching)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	p := newPage(t, "one")
	id := startWatch(t, ana, &wire.Watch{URL: p.URL, Mode: wire.WatchHash})
	cut(t, one, ana)
	p.text.Store("two")
	lookNow(t, other, m, id)
	ana = ana.Again(other)
	first := ana.Event(wire.EventWatchTriggered).MessageID
	expectNoNotice(t, ana)
	cut(t, other, ana)
	ana = ana.Again(one)
	for _, m := range ana.Pushes() { // what may not have arrived is repeated as what it is
		if m.Event == wire.EventWatchTriggered && m.MessageID != first {
			t.Errorf("a notice too many: %s", m.EventData)
		}
	}
	watchInfo(t, ana, id, func(w *wire.WatchInfo) bool { return w.LastError == "" })
}

func TestTheWatchOfADeadEdgeIsTakenOver(t *testing.T) {
	t.Parallel()
	one, other := edges(t, watching)
	m := one.NewMesh()
	ana := m.Session(other, "ana")
	p := newPage(t, "one")
	hang, hung := make(chan struct{}), make(chan struct{}, 4)
	var stall atomic.Bool
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stall.Load() {
			hung <- struct{}{}
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
		_, _ = w.Write([]byte(p.text.Load().(string)))
	}))
	t.Cleanup(slow.Close)
	id := startWatch(t, ana, &wire.Watch{URL: slow.URL})
	p.text.Store("two")
	stall.Store(true)
	text, err := one.Client.Raw().HGet(t.Context(), key(one, m, "watch"), id).Result()
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	r["next"] = 0
	b, _ := json.Marshal(r)
	if err := one.Client.Raw().HSet(t.Context(), key(one, m, "watch"), id, b).Err(); err != nil {
		t.Fatal(err)
	}
	overdue(t, one, m, "watch", id)
	<-hung // one of them looks; it is not known which, so both are stopped
	one.Kill()
	other.Kill()
	stall.Store(false)
	close(hang)
	third := edgetest.Start(t, watching, edgetest.WithRedis(one.Redis))
	ana = ana.Again(third)
	if e := notice(t, ana); e.WatchID != id {
		t.Errorf("notice: %+v", e)
	}
	expectNoNotice(t, ana)
	if len(hung) != 0 {
		t.Errorf("%d edges looked at once", len(hung)+1)
	}
}

func TestWatchesFollowTheLease(t *testing.T) {
	t.Parallel()
	one, other := edges(t, watching, edgetest.WithLease(briefLease))
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	p := newPage(t, "one")
	ask[*wire.WatchAck](ana, &wire.Watch{URL: p.URL, Interval: 3600, ReqID: reqID()})
	kept := startWatch(t, bob, &wire.Watch{URL: p.URL})
	one.Kill()
	bob.Event(wire.EventPeerLeft)
	raw, jobs := other.Client.Raw(), "jobs:"+other.Client.Tag(m.ID)
	edgetest.Eventually(t, func() error {
		left := raw.HKeys(t.Context(), key(other, m, "watch")).Val()
		due := raw.ZRange(t.Context(), jobs, 0, -1).Val()
		if len(left) != 1 || left[0] != kept || len(due) != 1 ||
			raw.Exists(t.Context(), key(other, m, "watches-"+ana.Key())).Val() != 0 {
			return fmt.Errorf("left: %v, due: %v", left, due)
		}
		return nil
	})
}

func TestAWatchIsItsMembersToEnd(t *testing.T) {
	t.Parallel()
	one, other := edges(t, watching)
	m := one.NewMesh()
	ana, sibling, bob := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob")
	p := newPage(t, "one")
	first, second := startWatch(t, ana, &wire.Watch{URL: p.URL}), startWatch(t, ana, &wire.Watch{URL: p.URL})
	refusal(t, bob, &wire.Unwatch{WatchID: first, ReqID: reqID()}, wire.CodeForbidden)
	for _, c := range []struct {
		by *edgetest.Peer
		id string
	}{{sibling, first}, {m.Session(one, "founder"), second}} {
		if ack := ask[*wire.WatchAck](c.by, &wire.Unwatch{WatchID: c.id, ReqID: reqID()}); ack.WatchID != c.id || ack.URL != p.URL ||
			ack.Mode != wire.WatchHash || ack.Interval != 0 {
			t.Errorf("ack: %+v", ack)
		}
	}
	if ack := ask[*wire.WatchAck](bob, &wire.Unwatch{WatchID: first, ReqID: reqID()}); ack.WatchID != "" || ack.URL != "" {
		t.Errorf("ack: %+v", ack)
	}
	if l := ask[*wire.WatchListResult](ana, &wire.WatchList{ReqID: reqID()}).Watches; len(l) != 0 {
		t.Errorf("left: %+v", l)
	}
}

func TestAFailureIsShownAndIsNoChange(t *testing.T) {
	t.Parallel()
	one, other := edges(t, watching)
	m := one.NewMesh()
	ana := m.Session(other, "ana")
	p := newPage(t, `{"a":1}`)
	id := startWatch(t, ana, &wire.Watch{URL: p.URL, Mode: wire.WatchJSON, Extract: "a"})
	p.text.Store("<html>")
	lookNow(t, one, m, id)
	w := watchInfo(t, ana, id, func(w *wire.WatchInfo) bool { return w.LastError != "" })
	if *w.LastValue != "1" || !strings.HasPrefix(w.LastError, "no JSON") {
		t.Errorf("listed: %+v", w)
	}
	p.text.Store(`{"a":1}`)
	lookNow(t, one, m, id)
	watchInfo(t, ana, id, func(w *wire.WatchInfo) bool { return w.LastError == "" })
	expectNoNotice(t, ana)
}

func TestWatchesReachNothingInside(t *testing.T) {
	t.Parallel()
	secret := newPage(t, "secret")
	e := edgetest.Start(t) // allows nothing
	ana := e.NewMesh().Session(e, "ana")
	port := secret.URL[strings.LastIndex(secret.URL, ":"):]
	for _, address := range []string{
		secret.URL, "http://localhost" + port, "http://[::1]" + port, "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/",
		"http://[::ffff:127.0.0.1]" + port, "ftp://example.com/", "unix:///tmp/x",
	} {
		refusal(t, ana, &wire.Watch{URL: address, ReqID: reqID()}, wire.CodeAddressRefused)
	}
	if secret.looks.Load() != 0 {
		t.Error("it was asked")
	}
	for _, address := range []string{"", "a\x00b", "http://a\nb", strings.Repeat("x", 64<<10), "http:///x"} {
		refusal(t, ana, &wire.Watch{URL: address, ReqID: reqID()}, wire.CodeInvalidArgument)
	}
}

func TestAWatchDoesNotFollowARedirectInside(t *testing.T) {
	t.Parallel()
	one, _ := edges(t, watching)
	ana := one.NewMesh().Session(one, "ana")
	for to, want := range map[string]string{
		"http://169.254.169.254/latest/meta-data/": "the address is not on the public internet",
		"http://[64:ff9b::a9fe:a9fe]/":             "the address is not on the public internet",
	} {
		s := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
		t.Cleanup(s.Close)
		id := ask[*wire.WatchAck](ana, &wire.Watch{URL: s.URL, ReqID: reqID()}).WatchID
		if w := watchInfo(t, ana, id, func(w *wire.WatchInfo) bool { return w.LastCheck != nil }); w.LastError != want || w.LastValue != nil {
			t.Errorf("to %s: %+v", to, w)
		}
	}
}

func TestWatchesAreBounded(t *testing.T) {
	t.Parallel()
	one, _ := edges(t, watching)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(one, "bob")
	p := newPage(t, "one")
	var last string
	for range 20 {
		last = ask[*wire.WatchAck](ana, &wire.Watch{URL: p.URL, Interval: 3600, ReqID: reqID()}).WatchID
	}
	one1 := func() *wire.Watch { return &wire.Watch{URL: p.URL, Interval: 1e12, ReqID: reqID()} }
	refusal(t, ana, one1(), wire.CodeFull)
	ask[*wire.WatchAck](ana, &wire.Unwatch{WatchID: last, ReqID: reqID()})
	if ack := ask[*wire.WatchAck](ana, one1()); ack.Interval != wire.MaxWatchInterval {
		t.Errorf("ack: %+v", ack)
	}
	sizes := "sizes:" + one.Client.Tag(m.ID) + ":" + m.ID
	if err := one.Client.Raw().HSet(t.Context(), sizes, "watch", 4<<20).Err(); err != nil {
		t.Fatal(err)
	}
	refusal(t, bob, one1(), wire.CodeFull)
	for _, name := range []string{
		"Host", "content-length", "Transfer-Encoding", "Connection", "Proxy-Authorization", "X-Forwarded-For", "a b", "a:b", "ü",
	} {
		w := one1()
		w.Headers = map[string]string{name: "x"}
		refusal(t, bob, w, wire.CodeInvalidArgument)
	}
	for _, w := range []*wire.Watch{
		{URL: p.URL, Mode: "xpath"}, {URL: p.URL, Mode: wire.WatchJSON}, {URL: p.URL, Headers: map[string]string{"A": "b\r\nC: d"}},
	} {
		w.ReqID = reqID()
		refusal(t, bob, w, wire.CodeInvalidArgument)
	}
}
