package commons

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// watchShelf holds what is watched: id → watchRecord. A watch's job is its next
// look.
var watchShelf = shelf{name: "watch", fields: 200, bytes: 4 << 20}

// maxWatches bounds the watches of one peer.
const maxWatches = 20

// watchesShelf holds the watches of one peer: id → generation.
func watchesShelf(peer string) shelf {
	return shelf{name: "watches-" + peer, fields: maxWatches, bytes: 16 << 10}
}

// WatchOptions says what URL watches may reach.
type WatchOptions struct {
	// Allow lists networks that may be watched, on any port, although they are
	// not public.
	Allow []netip.Prefix
}

// watchRecord is one watch, and what it saw last.
type watchRecord struct {
	URL      string            `json:"url"`
	Mode     wire.WatchMode    `json:"mode"`
	Extract  string            `json:"extract,omitempty"`
	Every    int64             `json:"every"` // milliseconds
	NotifyOn string            `json:"notifyOn,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Label    string            `json:"label,omitempty"`
	At       int64             `json:"at"` // milliseconds, as all times

	Peer       string `json:"peer"`
	Generation string `json:"generation"`
	Member     string `json:"member"`

	// Next is when it is to be looked at; while an edge looks, when another
	// one may.
	Next     int64  `json:"next"`
	Checked  int64  `json:"checked,omitempty"`
	Seen     bool   `json:"seen,omitempty"` // there is a value to compare with
	Value    string `json:"value,omitempty"`
	Failed   string `json:"failed,omitempty"`
	Failures int    `json:"failures,omitempty"` // in a row
}

func (s *Commons) registerWatches() {
	on(s.table, s.watch)
	on(s.table, s.unwatch)
	on(s.table, s.watchList)
	s.left = append(s.left, s.leftWatches)
	s.jobs[watchShelf.name] = job{do: s.look}
}

func (s *Commons) watched(ctx context.Context, mesh, id string) (text string, r watchRecord, err error) {
	text, err = s.get(ctx, mesh, watchShelf, id)
	if err == nil && text != "" {
		r, err = decodeRecord[watchRecord](text)
	}
	return text, r, err
}

func (s *Commons) watch(ctx context.Context, who *Caller, m *wire.Watch) (wire.Message, error) {
	if err := s.fetcher.check(ctx, m.URL); err != nil {
		return nil, err
	}
	if err := checkHeaders(m.Headers); err != nil {
		return nil, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	record, err := encodeRecord(watchRecord{
		URL: m.URL, Mode: m.Compares(), Extract: m.Extract, Every: m.Every().Milliseconds(), NotifyOn: m.NotifyOn,
		Headers: m.Headers, Label: m.Label, At: now, Next: now,
		Peer: who.Peer.ID, Generation: who.Generation, Member: who.Member.Key,
	})
	if err != nil {
		return nil, err
	}
	id := newID()
	_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: []change{
		set(watchesShelf(who.Peer.ID), id, who.Generation),
		set(watchShelf, id, record).was("").dueAt(now),
		owning(who),
	}})
	if errors.Is(err, errFull) {
		return nil, s.tooManyWatches(ctx, who)
	}
	return &wire.WatchAck{
		WatchID: id, URL: m.URL, Mode: m.Compares(), Interval: m.Every().Seconds(), ReqID: m.ReqID,
	}, err
}

func (s *Commons) tooManyWatches(ctx context.Context, who *Caller) error {
	n, err := s.count(ctx, who.Peer.Mesh, watchesShelf(who.Peer.ID))
	if err == nil && n >= maxWatches {
		err = refuse(wire.CodeFull, "a peer may have %d watches: end one first", maxWatches)
	}
	if err == nil {
		err = errFull
	}
	return err
}

// unwatch ends a watch of the caller's member, or of anybody for an admin.
func (s *Commons) unwatch(ctx context.Context, who *Caller, m *wire.Unwatch) (wire.Message, error) {
	reply := &wire.WatchAck{ReqID: m.ReqID}
	err := retry(ctx, func() error {
		old, r, err := s.watched(ctx, who.Peer.Mesh, m.WatchID)
		if err != nil || old == "" {
			return err
		}
		refusal := refuse(wire.CodeForbidden, "this watch is another member's: only they or an admin may end it")
		if err := s.mayChange(ctx, who, r.Member, refusal); err != nil {
			return err
		}
		reply.WatchID, reply.URL, reply.Mode = m.WatchID, r.URL, r.Mode
		_, _, err = s.apply(ctx, act{mesh: who.Peer.Mesh, by: who, changes: endOfWatch(m.WatchID, old, &r)})
		return err
	})
	return reply, err
}

func endOfWatch(id, old string, r *watchRecord) []change {
	return []change{remove(watchShelf, id).was(old).done(), remove(watchesShelf(r.Peer), id)}
}

func (s *Commons) watchList(ctx context.Context, who *Caller, m *wire.WatchList) (wire.Message, error) {
	mine, err := s.all(ctx, who.Peer.Mesh, watchesShelf(who.Peer.ID))
	if err != nil {
		return nil, err
	}
	records := map[string]watchRecord{}
	for id := range mine {
		text, r, err := s.watched(ctx, who.Peer.Mesh, id)
		if err != nil {
			return nil, err
		}
		if text != "" {
			records[id] = r
		}
	}
	reply := &wire.WatchListResult{Watches: []wire.WatchInfo{}, ReqID: m.ReqID}
	for _, id := range oldestFirst(records, func(r watchRecord) int64 { return r.At }) {
		r := records[id]
		reply.Watches = append(reply.Watches, r.shown(id))
	}
	return reply, nil
}

func (r *watchRecord) shown(id string) wire.WatchInfo {
	w := wire.WatchInfo{
		ID: id, URL: r.URL, Mode: r.Mode, Label: orNull(r.Label), Interval: float64(r.Every) / 1000,
		CreatedAt: moment(r.At), LastError: r.Failed,
	}
	if r.Checked > 0 {
		at := moment(r.Checked)
		w.LastCheck = &at
	}
	if r.Seen {
		w.LastValue = &r.Value
		if r.Mode == wire.WatchHash {
			w.LastHash = &r.Value
		}
	}
	return w
}

// leftWatches ends what a leaver watched.
func (s *Commons) leftWatches(ctx context.Context, l presence.Left) error {
	mine, err := s.all(ctx, l.Mesh, watchesShelf(l.ID))
	if err != nil {
		return err
	}
	var errs []error
	for id, generation := range mine {
		if owned(l.ID, generation, l) {
			errs = append(errs, s.endWatch(ctx, l, id))
		}
	}
	return errors.Join(errs...)
}

func (s *Commons) endWatch(ctx context.Context, l presence.Left, id string) error {
	return retry(ctx, func() error {
		old, _, err := s.watched(ctx, l.Mesh, id)
		if err != nil {
			return err
		}
		_, _, err = s.apply(ctx, act{mesh: l.Mesh, tidy: true, changes: endOfWatch(id, old, &watchRecord{Peer: l.ID})})
		return err
	})
}

// look is the job of a watch. Whichever edge moves its next look first does
// this one; should it die meanwhile, another looks when that time has come.
func (s *Commons) look(ctx context.Context, mesh, id string) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	old, r, err := s.watched(ctx, mesh, id)
	if err != nil {
		return err
	}
	if old == "" {
		ended := change{shelf: watchShelf, field: id}.was("").done()
		return unlessDone(s.apply(ctx, act{mesh: mesh, tidy: true, changes: []change{ended}}))
	}
	if now < r.Next {
		return nil // somebody was quicker
	}
	r.Next = now + lookAgainAfter.Milliseconds()
	claimed, err := encodeRecord(r)
	if err != nil {
		return err
	}
	mine := set(watchShelf, id, claimed).was(old).dueAt(r.Next)
	if _, _, err = s.apply(ctx, act{mesh: mesh, tidy: true, changes: []change{mine}}); err != nil {
		return unlessDone(0, nil, err)
	}
	seen, err := s.fetcher.fetch(ctx, &r)
	return s.looked(ctx, mesh, id, claimed, r, now, seen, err)
}

// looked writes down what was seen, and tells the watching peer in the same
// act: once, and also if it is in its grace.
func (s *Commons) looked(
	ctx context.Context, mesh, id, claimed string, r watchRecord, now int64, value string, failed error,
) error {
	if ctx.Err() != nil && failed != nil {
		return nil // this edge is stopping: another one will look
	}
	var told []entry
	if failed == nil && r.Seen && r.triggers(value) {
		e, err := eventEntry(nil, wire.EventWatchTriggered, wire.WatchEvent{
			WatchID: id, URL: r.URL, Label: r.Label, Mode: r.Mode, OldValue: r.Value, NewValue: value,
		})
		if err != nil {
			return err
		}
		told = append(told, e.only([]string{r.Peer}).urgent())
	}
	r.note(now, value, failed)
	record, err := encodeRecord(r)
	if err != nil {
		return err
	}
	return unlessDone(s.apply(ctx, act{mesh: mesh, entries: told, changes: []change{
		set(watchShelf, id, record).was(claimed).dueAt(r.Next),
	}}))
}

// note takes in what a look saw. Failures slow it down.
func (r *watchRecord) note(now int64, value string, failed error) {
	r.Checked = now
	if failed == nil {
		r.Seen, r.Value, r.Failed, r.Failures = true, value, "", 0
		r.Next = now + r.Every
		return
	}
	r.Failed = reason(failed)
	r.Failures++
	slower := min(r.Every<<min(r.Failures-1, maxDoublings), maxSlow.Milliseconds())
	r.Next = now + max(r.Every, slower)
}

const (
	// maxDoublings and maxSlow bound how much less often is looked at what
	// fails.
	maxDoublings = 10
	maxSlow      = 15 * time.Minute

	// maxReason bounds what is kept of an error.
	maxReason = 300
)

// reason is a failure as the watching peer reads it: nothing of this edge's own
// network is in it.
func reason(err error) string {
	var refused *Refusal
	var name *net.DNSError
	var op *net.OpError
	text := err.Error()
	switch {
	case errors.As(err, &refused):
		text = refused.Message
	case errors.As(err, &name):
		text = "the name " + name.Name + " cannot be looked up"
	case errors.As(err, &op) && op.Err != nil:
		text = op.Err.Error()
	}
	text = strings.ToValidUTF8(strings.TrimPrefix(text, "commons: "), "?")
	return strings.ToValidUTF8(text[:min(len(text), maxReason)], "")
}

// triggers reports whether a new value is what the watch waits for. All
// conditions are about a change: what stays as it was is told once.
func (r *watchRecord) triggers(value string) bool {
	if x, ok := strings.CutPrefix(r.NotifyOn, wire.WatchMatch); ok {
		return value == x && r.Value != x
	}
	if x, ok := strings.CutPrefix(r.NotifyOn, wire.WatchNotMatch); ok {
		return value != x && r.Value == x
	}
	return value != r.Value
}

// reserved are headers that say how a request travels, not what it asks.
var reserved = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "Forwarded", "Host", "Keep-Alive", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Via",
}

func checkHeaders(headers map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical := http.CanonicalHeaderKey(name)
		if slices.Contains(reserved, canonical) || strings.HasPrefix(canonical, "Proxy-") || strings.HasPrefix(canonical, "X-Forwarded-") {
			return refuse(wire.CodeInvalidArgument, "a watch may not set the header %s", canonical)
		}
		if strings.ContainsFunc(name, func(c rune) bool { return !strings.ContainsRune(headerCharacters, c) }) {
			return refuse(wire.CodeInvalidArgument, "%q is no name of a header", name)
		}
	}
	return nil
}

const headerCharacters = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
