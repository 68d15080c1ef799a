package commons

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/presence"
)

// callShelf holds what peers ask of each other and wait for: id → callRecord.
// The questions and the answers themselves are not kept. A call's job is its
// deadline.
var callShelf = shelf{name: "call", fields: 2000, bytes: 4 << 20}

// maxCalls bounds what one peer may ask of others at once.
const maxCalls = 32

// openCallsShelf holds what one peer waits for: id → "1".
func openCallsShelf(peer string) shelf {
	return shelf{name: "calls-" + peer, fields: maxCalls, bytes: 16 << 10}
}

// callRecord is one question and who waits for its answer.
type callRecord struct {
	Asks   wire.Type  `json:"asks"` // type of the question
	Req    wire.ReqID `json:"req,omitempty"`
	About  string     `json:"about"`  // server or path
	Within int64      `json:"within"` // milliseconds

	Caller           string `json:"caller"`
	CallerGeneration string `json:"callerGeneration"`
	Host             string `json:"host"` // the peer that is asked, the only one that may answer
	HostGeneration   string `json:"hostGeneration"`
}

// Words that begin references to frames that found nobody.
const (
	refCall   = "call "
	refAnswer = "answer "
)

// A mishap is why a call was not answered.
type mishap int

const (
	mishapGone mishap = iota // the host has left
	mishapAway               // the host is in its grace
	mishapLate               // the host did not answer in time
	mishapLost               // the answer came while the caller was in its grace
)

func (s *Commons) registerCalls() {
	s.jobs[callShelf.name] = job{do: s.overdueCall}
	s.missed = append(s.missed, s.missedCall)
	s.gone = append(s.gone, s.goneCalls)
}

// call brings a question to r.Host. Its answer comes later, or a mishap does.
func (s *Commons) call(ctx context.Context, who *Caller, r callRecord, ask func(id string) wire.Message) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	r.Caller, r.CallerGeneration = who.Peer.ID, who.Generation
	record, err := encodeRecord(r)
	if err != nil {
		return err
	}
	mesh, id := who.Peer.Mesh, newID()
	_, _, err = s.apply(ctx, act{mesh: mesh, by: who, changes: []change{
		set(openCallsShelf(r.Caller), id, "1"),
		set(callShelf, id, record).was("").dueAt(now + r.Within),
	}})
	if errors.Is(err, errFull) {
		return s.tooManyCalls(ctx, who)
	}
	if err != nil {
		return err
	}
	there, err := s.tell(ctx, presence.Peer{Mesh: mesh, ID: r.Host}, refCall+id, ask(id))
	if err == nil && !there {
		err = s.failCall(ctx, mesh, id, record, &r, mishapGone)
	}
	if err != nil {
		return errors.Join(err, s.endCall(ctx, mesh, id, record, &r))
	}
	return errLater
}

// tooManyCalls says whose bound was reached.
func (s *Commons) tooManyCalls(ctx context.Context, who *Caller) error {
	n, err := s.count(ctx, who.Peer.Mesh, openCallsShelf(who.Peer.ID))
	if err != nil {
		return err
	}
	if n >= maxCalls {
		return refuse(wire.CodeFull, "%d of your calls wait for an answer: that many may", maxCalls)
	}
	return refuse(wire.CodeFull, "too many calls of this mesh wait for an answer: try again")
}

// endCall takes a call away, and tells what is to be told of that. Only one
// of those who try succeeds.
func (s *Commons) endCall(ctx context.Context, mesh, id, record string, r *callRecord, told ...entry) error {
	return unlessDone(s.apply(ctx, act{mesh: mesh, tidy: true, entries: told, changes: endOfCall(id, record, r)}))
}

func endOfCall(id, record string, r *callRecord) []change {
	return []change{remove(callShelf, id).was(record).done(), remove(openCallsShelf(r.Caller), id)}
}

// failCall ends a call with a mishap. The caller hears of it through the
// journal, in the same act: exactly once, also when it is in its grace.
func (s *Commons) failCall(ctx context.Context, mesh, id, record string, r *callRecord, m mishap) error {
	told, err := frameEntry(nil, r.mishap(m))
	if err != nil {
		return err
	}
	return s.endCall(ctx, mesh, id, record, r, told.only([]string{r.Caller}))
}

// answerCall takes an answer to the caller, wherever it is by now. It is
// accepted from the peer that was asked, and once.
func (s *Commons) answerCall(
	ctx context.Context, who *Caller, id string, asked wire.Type, answer func(r *callRecord) wire.Message,
) error {
	mesh := who.Peer.Mesh
	record, err := s.get(ctx, mesh, callShelf, id)
	if err != nil || record == "" {
		return err // answered, overdue, or the caller has left
	}
	r, err := decodeRecord[callRecord](record)
	if err != nil {
		return err
	}
	if r.Host != who.Peer.ID || r.Asks != asked {
		return refuse(wire.CodeForbidden, "this was not asked of you")
	}
	_, _, err = s.apply(ctx, act{mesh: mesh, by: who, free: true, tidy: true, changes: endOfCall(id, record, &r)})
	if errors.Is(err, errConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.tell(ctx, presence.Peer{Mesh: mesh, ID: r.Caller}, refAnswer+record, answer(&r))
	return err
}

// overdueCall is the job of a call's deadline.
func (s *Commons) overdueCall(ctx context.Context, mesh, id string) error {
	record, err := s.get(ctx, mesh, callShelf, id)
	if err != nil {
		return err
	}
	if record == "" {
		_, _, err = s.apply(ctx, act{mesh: mesh, tidy: true, changes: []change{(change{shelf: callShelf, field: id}).done()}})
		return err
	}
	r, err := decodeRecord[callRecord](record)
	if err != nil {
		return err
	}
	return s.failCall(ctx, mesh, id, record, &r, mishapLate)
}

// missedCall is called when a question or an answer found its peer away.
func (s *Commons) missedCall(ctx context.Context, mesh, ref string) error {
	if id, ok := strings.CutPrefix(ref, refCall); ok {
		record, err := s.get(ctx, mesh, callShelf, id)
		if err != nil || record == "" {
			return err
		}
		r, err := decodeRecord[callRecord](record)
		if err != nil {
			return err
		}
		return s.failCall(ctx, mesh, id, record, &r, mishapAway)
	}
	record, ok := strings.CutPrefix(ref, refAnswer)
	if !ok {
		return nil
	}
	r, err := decodeRecord[callRecord](record)
	if err != nil {
		return err
	}
	told, err := frameEntry(nil, r.mishap(mishapLost))
	if err != nil {
		return err
	}
	_, _, err = s.apply(ctx, act{mesh: mesh, tidy: true, entries: []entry{told.only([]string{r.Caller})}})
	return err
}

// goneCalls ends the calls of a peer that has left, and those to it.
func (s *Commons) goneCalls(ctx context.Context, l presence.Left) error {
	all, err := s.all(ctx, l.Mesh, callShelf)
	if err != nil {
		return err
	}
	var errs []error
	for id, record := range all {
		r, err := decodeRecord[callRecord](record)
		switch {
		case err != nil:
			errs = append(errs, err)
		case owned(r.Caller, r.CallerGeneration, l):
			errs = append(errs, s.endCall(ctx, l.Mesh, id, record, &r))
		case owned(r.Host, r.HostGeneration, l):
			errs = append(errs, s.failCall(ctx, l.Mesh, id, record, &r, mishapGone))
		}
	}
	return errors.Join(errs...)
}

// mishap is what the caller gets instead of an answer.
func (r *callRecord) mishap(m mishap) wire.Message {
	switch r.Asks {
	case wire.TypePeerFileRequest:
		return &wire.PeerFileResponseForward{FilePath: r.About, Error: r.sentence(m), ReqID: r.Req}
	case wire.TypePeerDirRequest:
		return &wire.PeerDirResponseForward{DirPath: r.About, Error: r.sentence(m), ReqID: r.Req}
	default:
		return &wire.MCPCallResult{Error: r.ofServer(m), ReqID: r.Req}
	}
}

func (r *callRecord) ofServer(m mishap) string {
	switch m {
	case mishapGone:
		return wire.MCPHostGone(r.About)
	case mishapAway:
		return wire.MCPHostAway(r.About)
	case mishapLate:
		return wire.MCPTimedOut()
	case mishapLost:
	}
	return r.sentence(m)
}

func (r *callRecord) sentence(m mishap) string {
	switch m {
	case mishapGone:
		return "the peer has left"
	case mishapAway:
		return "the peer is reconnecting: try again in a moment"
	case mishapLate:
		return "the peer did not answer within " + (time.Duration(r.Within) * time.Millisecond).String()
	case mishapLost:
	}
	return "the answer came while you were reconnecting: ask again"
}
