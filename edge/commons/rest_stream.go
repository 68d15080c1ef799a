package commons

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/queue"
)

const (
	// These bound the streams that one edge serves. A member may have many
	// keys, and must not take what is there for other meshes.
	streamsPerKey    = 8
	streamsPerMember = 32
	streamsPerMesh   = 64
	streamsPerEdge   = 512

	// heartbeatEvery shows both ends that a stream is alive.
	heartbeatEvery = 30 * time.Second

	// recheckEvery is how soon a stream ends whose key has ended, or that is
	// about a topic which its member has left, while nobody speaks; where
	// somebody does, it is recheckAfter.
	recheckEvery = 2 * time.Second
	recheckAfter = time.Second

	// writeWithin is how long one event may take: a slower reader is dropped.
	writeWithin = 10 * time.Second
)

// audiences counts the streams of this edge, and ends them.
type audiences struct {
	mu  sync.Mutex
	all int
	of  map[string]int // by key, by member and by mesh

	once   sync.Once
	ending chan struct{}
}

func newAudiences() *audiences {
	return &audiences{of: map[string]int{}, ending: make(chan struct{})}
}

// sharesOf are the names under which a key's streams are counted, and bounds.
func sharesOf(key *bearer) map[string]int {
	return map[string]int{
		"key " + key.mesh + " " + key.id: streamsPerKey, "member " + key.mesh + " " + key.Owner: streamsPerMember, "mesh " + key.mesh: streamsPerMesh,
	}
}

func (a *audiences) enter(key *bearer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all >= streamsPerEdge {
		return false
	}
	for name, most := range sharesOf(key) {
		if a.of[name] >= most {
			return false
		}
	}
	a.all++
	for name := range sharesOf(key) {
		a.of[name]++
	}
	return true
}

func (a *audiences) leave(key *bearer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	for name := range sharesOf(key) {
		if a.of[name]--; a.of[name] == 0 {
			delete(a.of, name)
		}
	}
}

// EndStreams ends all streams, now and later, so that their readers go on at
// another edge.
func (s *Commons) EndStreams() { s.audiences.once.Do(func() { close(s.audiences.ending) }) }

var (
	errStreams    = refuse(wire.CodeRateLimited, "too many streams are open")
	errRestarting = refuse(wire.CodeUnavailable, "this edge is stopping: connect again")
	errTooSlow    = refuse(wire.CodeUnavailable, "messages may have been missed: connect again")
)

// apiStream serves server-sent events until the reader goes, its key ends, or
// it is too slow.
func (s *Commons) apiStream(ctx context.Context, c *apiCall) (any, error) {
	t, err := s.apiTopic(ctx, c)
	if err != nil {
		return nil, err
	}
	last := c.r.Header.Get(wire.HeaderLastEventID)
	if last != "" {
		if _, err := seqOf(last); err != nil {
			return nil, err
		}
	}
	if s.opt.Listen == nil {
		return nil, refuse(wire.CodeUnavailable, "streams are not served here")
	}
	if !s.audiences.enter(c.key) {
		return nil, errStreams
	}
	defer s.audiences.leave(c.key)
	// Whatever comes in between is heard twice rather than never.
	entries, stop, err := s.opt.Listen(ctx, c.key.mesh)
	if err != nil {
		return nil, err
	}
	defer stop()
	st := &sse{s: s, call: c, topic: t, out: http.NewResponseController(c.w), replayed: map[string]bool{}, checked: time.Now()}
	if err := st.open(ctx, last); err != nil {
		return nil, nil //nolint:nilerr,nilnil // the reader is gone, or was told
	}
	heartbeat, recheck := time.NewTicker(heartbeatEvery), time.NewTicker(recheckEvery)
	defer heartbeat.Stop()
	defer recheck.Stop()
	st.follow(c.r.Context(), entries, heartbeat.C, recheck.C)
	return nil, nil //nolint:nilnil // answered
}

// sse is one stream of server-sent events.
type sse struct {
	s        *Commons
	call     *apiCall
	topic    *topic
	out      *http.ResponseController
	replayed map[string]bool // ids of what was told from the history
	checked  time.Time
}

// open says that the stream listens, and tells what was said after last.
func (st *sse) open(ctx context.Context, last string) error {
	// The limits of a request are not those of a stream.
	if err := st.out.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	h := st.call.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	ready := wire.APIStreamReady{Topic: st.topic.Name, TopicID: st.topic.id, ConnectedAt: wire.At(time.Now())}
	if err := st.tell(wire.StreamReady, "", ready); err != nil || last == "" {
		return err
	}
	missed, err := st.s.saidAfter(ctx, st.call.key.mesh, st.topic.id, last)
	if err != nil {
		st.end(ctx, err)
		return err
	}
	for i := range missed {
		st.replayed[missed[i].ID] = true
		if err := st.tell(wire.StreamMessage, missed[i].ID, missed[i].API()); err != nil {
			return err
		}
	}
	return nil
}

// follow tells what is said from now on.
func (st *sse) follow(ctx context.Context, entries <-chan queue.JournalEntry, heartbeat, recheck <-chan time.Time) {
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-st.s.audiences.ending:
			err = errRestarting
		case e, open := <-entries:
			if err = errTooSlow; open {
				err = st.heard(ctx, &e)
			}
		case <-recheck:
			err = st.check(ctx)
		case now := <-heartbeat:
			if st.tell(wire.StreamHeartbeat, "", wire.APIHeartbeat{At: wire.At(now)}) != nil {
				return
			}
		}
		if err != nil {
			st.end(ctx, err)
			return
		}
	}
}

// heard passes a message of the topic on.
func (st *sse) heard(ctx context.Context, e *queue.JournalEntry) error {
	if e.Kind != queue.KindTopic || !strings.Contains(e.Body, `"targetSpec":"#`+st.topic.id+`"`) || st.replayed[e.ID] {
		return nil
	}
	m, err := topicMessage(e.ID, e.At, e.Body)
	if err != nil {
		return err
	}
	if time.Since(st.checked) > recheckAfter {
		if err := st.check(ctx); err != nil {
			return err
		}
	}
	return st.tell(wire.StreamMessage, m.ID, m.API())
}

// check ends a stream that would not be granted any more.
func (st *sse) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, apiWithin)
	defer cancel()
	key, err := st.s.holder(ctx, st.call.key.mesh, st.call.key.id, st.call.key.Hash)
	if err != nil {
		return err
	}
	if _, err := st.s.readableTopic(ctx, key.mesh, key.Owner, st.topic.id); err != nil {
		return err
	}
	st.checked = time.Now()
	return nil
}

// tell writes one event. Its data are JSON, which has no line breaks.
func (st *sse) tell(event, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("commons: event of a stream: %w", err)
	}
	if err := st.out.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	if _, err := fmt.Fprintf(st.call.w, "%sevent: %s\ndata: %s\n\n", id, event, text); err != nil {
		return err
	}
	return st.out.Flush()
}

// end tells why the stream ends. A reader that is gone does not hear it.
func (st *sse) end(ctx context.Context, err error) {
	refused := st.s.asRefusal(ctx, err)
	_ = st.tell(wire.StreamError, "", wire.APIError{Error: refused.Code, Message: refused.Message})
}
