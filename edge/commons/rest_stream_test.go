package commons_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// reader is a program that reads a stream of server-sent events.
type reader struct {
	t      *testing.T
	events chan sseEvent // closed at the end of the stream
	stop   context.CancelFunc
}

type sseEvent struct{ id, event, data string }

// readStream opens the stream of a topic and waits until it is ready.
func readStream(t *testing.T, e *edgetest.Edge, key, topic, after string) *reader {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.HTTP+"/api/v1/topics/"+topic+"/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if after != "" {
		r.Header.Set(wire.HeaderLastEventID, after)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %d %v", resp.StatusCode, resp.Header)
	}
	out := &reader{t: t, events: make(chan sseEvent, 100), stop: stop}
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	t.Cleanup(stop)
	go func() {
		defer close(done)
		defer close(out.events)
		defer resp.Body.Close()
		parseEvents(bufio.NewScanner(resp.Body), out.events)
	}()
	var ready wire.APIStreamReady
	out.next(wire.StreamReady, &ready)
	if ready.TopicID == "" || ready.ConnectedAt.IsZero() {
		t.Errorf("ready: %+v", ready)
	}
	return out
}

func parseEvents(lines *bufio.Scanner, out chan<- sseEvent) {
	lines.Buffer(nil, 1<<20)
	var e sseEvent
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.event = value
		case "data":
			e.data = value
		case "":
			out <- e
			e = sseEvent{}
		}
	}
}

// next waits for the next event, which must be of that name, and reads its
// data.
func (r *reader) next(event string, into any) sseEvent {
	r.t.Helper()
	var got sseEvent
	var over bool
	edgetest.Eventually(r.t, func() error {
		select {
		case e, open := <-r.events:
			got, over = e, !open
			return nil
		default:
			return errNotYet
		}
	})
	if over || got.event != event {
		r.t.Fatalf("event %+v (over: %v), want %s", got, over, event)
	}
	if err := json.Unmarshal([]byte(got.data), into); err != nil {
		r.t.Fatal(err)
	}
	return got
}

func (r *reader) message(id, ciphertext string) {
	r.t.Helper()
	var m wire.APIMessage
	if e := r.next(wire.StreamMessage, &m); e.id != id || m.ID != id || m.Ciphertext != ciphertext || m.SenderName == "" {
		r.t.Errorf("event %s: %+v, want %s", e.id, m, id)
	}
}

// ends waits for the error that ends the stream.
func (r *reader) ends(code wire.Code) {
	r.t.Helper()
	var got wire.APIError
	r.next(wire.StreamError, &got)
	if got.Error != code {
		r.t.Errorf("ended with %+v, want %s", got, code)
	}
	edgetest.Eventually(r.t, func() error {
		select {
		case e, open := <-r.events:
			if open {
				r.t.Errorf("event after the end: %+v", e)
			}
			return nil
		default:
			return errNotYet
		}
	})
}

func sayRaw(p *edgetest.Peer, ref wire.TopicRef, raw string) string {
	return p.Send("#"+ref.ID, "", func(s *wire.Send) { s.Ciphertext = raw })
}

func TestAStreamTellsWhatIsSaidAndGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	ref, noise := newTopic(ana, "it's"), newTopic(ana, "noise")
	key := newKey(m.Session(one, "bob"), both).Secret
	sayRaw(ana, ref, "before")
	r := readStream(t, other, key, "it's", "")
	sayRaw(ana, noise, "not this")
	first := sayRaw(ana, ref, "it's \"one\"\nid: x")
	r.message(first, "it's \"one\"\nid: x")
	r.stop()
	var missed []string
	for i := range 5 {
		missed = append(missed, sayRaw(ana, ref, fmt.Sprint(i)))
	}
	again := readStream(t, one, key, ref.ID, first)
	last := sayRaw(ana, ref, "last")
	for i, id := range missed {
		again.message(id, fmt.Sprint(i))
	}
	again.message(last, "last")
}

func TestAStreamEndsWithItsKey(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	newTopic(ana, "t")
	key, banned := newKey(ana, both), newKey(m.Session(one, "bob"), both)
	r, r2 := readStream(t, other, key.Secret, "t", ""), readStream(t, other, banned.Secret, "t", "")
	ask[*wire.APIKeyRevokeResponse](ana, &wire.APIKeyRevoke{ID: key.ID, ReqID: reqID()})
	if err := m.Registry.Ban(t.Context(), m.ID, m.Member("bob").Pub()); err != nil {
		t.Fatal(err)
	}
	r.ends(wire.CodeAPIKeyInvalid)
	r2.ends(wire.CodeAPIKeyHasNoIssuer)
}

func TestAStreamEndsWhenItsEdgeStopsAndGoesOnAtAnother(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	ana := one.NewMesh().Session(one, "ana")
	ref := newTopic(ana, "t")
	key := newKey(ana, both).Secret
	r := readStream(t, other, key, "t", "")
	id := sayRaw(ana, ref, "1")
	r.message(id, "1")
	other.Stop()
	r.ends(wire.CodeUnavailable)
	missed := sayRaw(ana, ref, "2")
	readStream(t, one, key, "t", id).message(missed, "2")
}

func TestAnAPIKeyHasSoManyStreamsAndTheyComeBack(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	newTopic(ana, "t")
	key := newKey(ana, both).Secret
	var open []*reader
	for range 8 {
		open = append(open, readStream(t, e, key, "t", ""))
	}
	refused(t, e, key, "GET", "/api/v1/topics/t/stream", "", http.StatusTooManyRequests, wire.CodeRateLimited)
	open[0].stop()
	edgetest.Eventually(t, func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.HTTP+"/api/v1/topics/t/stream", http.NoBody)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errNotYet
		}
		return nil
	})
}

func TestAStreamRefusesAPlaceThatIsNone(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	newTopic(ana, "t")
	status, body := call(t, e, newKey(ana, both).Secret, "GET", "/api/v1/topics/t/stream", "", wire.HeaderLastEventID, "it's none")
	if status != http.StatusBadRequest || !strings.Contains(body, "invalid_argument") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAReaderThatIsTooSlowIsLetGo(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	ana := one.NewMesh().Session(one, "ana")
	ref := newTopic(ana, "t")
	key := newKey(ana, both).Secret
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, other.HTTP+"/api/v1/topics/t/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	const said = 400
	for range said {
		sayRaw(ana, ref, strings.Repeat("x", 60_000))
	}
	events := make(chan sseEvent, said+10)
	parseEvents(bufio.NewScanner(resp.Body), events) // until the edge ends it
	if n := len(events); n >= said {
		t.Errorf("%d events were waiting for a reader that reads nothing", n)
	}
	readStream(t, other, key, "t", "")
}
