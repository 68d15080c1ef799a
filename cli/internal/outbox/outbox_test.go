package outbox

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/edge/wire"
)

const testMesh = "MESH0123456789abcdefABCDEFxyzXYZ"

func newKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

var ours, theirs = newKey(1), newKey(2)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), testMesh)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func add(t *testing.T, s *Store, e Entry) Entry {
	t.Helper()
	if e.ID == "" {
		e.ID = receipt.NewID()
	}
	e, err := s.Add(e)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// line is a courier: it sends, or fails.
type line struct {
	err  error
	sent []peer.Message
}

func (l *line) Pubkey() string { return wire.PublicKey(ours) }

func (l *line) Resolve(_ context.Context, typed string) (Recipient, error) {
	if typed == "nobody" {
		return Recipient{}, errors.New("nobody is called that")
	}
	return Recipient{Key: wire.PublicKey(theirs), Name: typed}, l.err
}

func (l *line) Send(_ context.Context, m peer.Message) (peer.Receipt, error) {
	if l.err != nil {
		return peer.Receipt{}, l.err
	}
	l.sent = append(l.sent, m)
	return peer.Receipt{ID: m.ID, MessageID: "d0000001xyz", Queued: true}, nil
}

func TestWhatWasAcceptedIsOnDiskForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	s := open(t)
	e := add(t, s, Entry{Typed: "bob", Text: "hello"})
	info, err := os.Stat(filepath.Join(s.dir, e.ID+".json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again := &Store{dir: s.dir}
	if got, err := again.Get(e.ID); err != nil || got.Text != "hello" || got.State != Waiting {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAMessageWaitsUnderOneIDUntilTheBrokerHasIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	e := add(t, s, Entry{Typed: "bob", Text: "hello", Priority: wire.LaneNow, ReplyTo: "d1"})
	for _, away := range []error{peer.ErrUnreachable, peer.ErrNoAck, peer.ErrRateLimited, peer.ErrInboxFull, context.DeadlineExceeded} {
		got, err := s.Send(t.Context(), &line{err: fmt.Errorf("try: %w", away)}, e.ID)
		if !errors.Is(err, away) || got.State != Waiting || got.Reason == "" {
			t.Errorf("%v: %+v, %v", away, got, err)
		}
	}
	l := &line{}
	got, err := s.Send(t.Context(), l, e.ID)
	if err != nil || got.State != Stored || got.MessageID != "d0000001xyz" || got.Text != "" || got.Reason != "" {
		t.Errorf("%+v, %v", got, err)
	}
	want := peer.Message{ID: e.ID, To: wire.PublicKey(theirs), Typed: "bob", Text: "hello", Priority: wire.LaneNow, ReplyTo: "d1"}
	if len(l.sent) != 1 || l.sent[0] != want {
		t.Errorf("sent %+v", l.sent)
	}
	if _, err := s.Send(t.Context(), l, e.ID); err != nil || len(l.sent) != 1 {
		t.Errorf("sent again: %v", err)
	}
}

func TestWhatCannotBeSentIsGivenUpWithAReason(t *testing.T) {
	t.Parallel()
	s := open(t)
	unknown := add(t, s, Entry{Typed: "nobody", Text: "x"})
	blocked := add(t, s, Entry{Typed: "bob", Text: "x"})
	old := add(t, s, Entry{Typed: "bob", Text: "x", AcceptedAt: time.Now().Add(-GiveUp - time.Minute)})
	for id, c := range map[string]*line{unknown.ID: {}, blocked.ID: {err: peer.ErrBlocked}, old.ID: {}} {
		got, err := s.Send(t.Context(), c, id)
		if err == nil || got.State != Failed || got.Reason == "" || got.Text != "" || len(c.sent) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if due, err := s.Due(""); err != nil || len(due) != 0 {
		t.Errorf("due are %v, %v", due, err)
	}
}

func TestWhatWaitsBehindAnotherMessageSaysSo(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := add(t, s, Entry{ID: "first", Session: "s", Typed: "bob", Text: "1"})
	if all, err := s.List(); err != nil || all[0].Reason != "" {
		t.Errorf("the only one waits behind %q: %v", all[0].Reason, err)
	}
	add(t, s, Entry{ID: "second", Session: "s", Typed: "eve", Text: "2"})
	add(t, s, Entry{ID: "elsewhere", Session: "t", Typed: "bob", Text: "3"})
	add(t, s, Entry{ID: "third", Session: "s", Typed: "bob", Text: "4"})
	if _, err := s.Send(t.Context(), &line{err: peer.ErrDisconnected}, first.ID); !errors.Is(err, peer.ErrDisconnected) {
		t.Fatal(err)
	}
	reasons := func() map[string]string {
		got := make(map[string]string)
		all, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			got[e.ID] = e.Reason
		}
		return got
	}
	got, lost := reasons(), peer.ErrDisconnected.Error()
	if got["first"] != lost || got["second"] != "it waits behind an older one: "+lost || got["third"] != "it waits behind an older one: "+lost {
		t.Errorf("%q", got)
	}
	if got["elsewhere"] != "" {
		t.Errorf("another session's message waits behind ours: %q", got["elsewhere"])
	}
	if e, err := s.Find("third"); err != nil || e.Reason == "" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := s.Send(t.Context(), &line{}, first.ID); err != nil {
		t.Fatal(err)
	}
	if got := reasons(); got["first"] != "" || got["second"] != "" || got["third"] != "it waits behind an older one" {
		t.Errorf("after the first was sent: %q", got)
	}
}

// overtaken is a courier whose message another process gets through meanwhile.
type overtaken struct {
	line
	s *Store
}

func (o *overtaken) Send(ctx context.Context, m peer.Message) (peer.Receipt, error) {
	if _, err := o.s.Send(ctx, &o.line, m.ID); err != nil {
		return peer.Receipt{}, err
	}
	return peer.Receipt{}, peer.ErrDisconnected
}

func TestAnAttemptThatFailsSaysNothingOfAMessageThatIsStored(t *testing.T) {
	t.Parallel()
	s := open(t)
	id := add(t, s, Entry{Typed: "bob", Text: "x"}).ID
	if e, _ := s.Send(t.Context(), &overtaken{s: s}, id); e.State != Stored || e.Reason != "" {
		t.Errorf("it is %s for %q", e.State, e.Reason)
	}
}

func TestOnlyWhatWaitsCanBeCancelled(t *testing.T) {
	t.Parallel()
	s := open(t)
	e := add(t, s, Entry{Typed: "bob", Text: "x"})
	if _, err := s.Cancel(""); !errors.Is(err, ErrNotFound) {
		t.Errorf("cancels one that nobody named: %v", err)
	}
	short := strings.TrimPrefix(e.ID, ShortPrefix)[:12]
	if got, err := s.Cancel(short); err != nil || got.State != Cancelled || got.Text != "" {
		t.Errorf("%+v, %v", got, err)
	}
	l := &line{}
	if _, err := s.Send(t.Context(), l, e.ID); err != nil || len(l.sent) != 0 {
		t.Errorf("sent nevertheless: %v", err)
	}
	sent := add(t, s, Entry{Typed: "bob", Text: "y"})
	if _, err := s.Send(t.Context(), l, sent.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel("d0000001"); !errors.Is(err, ErrSent) {
		t.Errorf("cancels what was sent: %v", err)
	}
	if _, err := s.Cancel("unheard-of"); !errors.Is(err, ErrNotFound) {
		t.Errorf("cancels the unknown: %v", err)
	}
}

func TestOnlyTheRecipientsSignatureCounts(t *testing.T) {
	t.Parallel()
	s := open(t)
	e := add(t, s, Entry{Typed: "bob", Text: "hello"})
	if _, err := s.Send(t.Context(), &line{}, e.ID); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1767225600000)
	sign := func(text string, state receipt.State, key ed25519.PrivateKey) receipt.Receipt {
		return receipt.Sign(testMesh, wire.PublicKey(ours), e.ID, receipt.Digest(text), state, at, key)
	}
	forged := []receipt.Receipt{
		sign("hello", receipt.Delivered, newKey(9)), sign("another text", receipt.Delivered, theirs), {ID: "unknown"}, {ID: "../../x"},
	}
	if err := s.Receive(testMesh, forged); err != nil {
		t.Error(err)
	}
	if got, _ := s.Get(e.ID); got.DeliveredAt != nil {
		t.Error("a forged receipt counts")
	}
	if err := s.Receive(testMesh, []receipt.Receipt{sign("hello", receipt.Surfaced, theirs)}); err != nil {
		t.Error(err)
	}
	if got, _ := s.Get(e.ID); got.SurfacedAt == nil || got.DeliveredAt == nil || !got.SurfacedAt.Equal(at) {
		t.Errorf("%+v", got)
	}
}

func TestTheOutboxIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range maxWaiting {
		e := Entry{ID: receipt.NewID(), State: Waiting, AcceptedAt: time.Now()}
		if err := s.write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Add(Entry{ID: receipt.NewID()}); !errors.Is(err, ErrFull) {
		t.Errorf("takes one more: %v", err)
	}
}

func TestFinishedMessagesAreForgottenAfterAWeekWaitingOnesAreNot(t *testing.T) {
	t.Parallel()
	s := open(t)
	old := time.Now().Add(-keepFor - time.Hour)
	for id, state := range map[string]State{"stored": Stored, "waiting": Waiting} {
		if err := s.write(&Entry{ID: id, State: state, AcceptedAt: old}); err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, Entry{Typed: "bob"})
	if _, err := s.Get("stored"); !errors.Is(err, ErrNotFound) {
		t.Errorf("still known: %v", err)
	}
	if _, err := s.Get("waiting"); err != nil {
		t.Error(err)
	}
}

func TestSeveralProcessesDoNotLoseEachOthersChanges(t *testing.T) {
	t.Parallel()
	s := open(t)
	e := add(t, s, Entry{Typed: "bob"})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			other := &Store{dir: s.dir}
			if _, err := other.Update(e.ID, func(e *Entry) error {
				e.Reason += "x"
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := s.Get(e.ID); err != nil || len(got.Reason) != 20 {
		t.Errorf("%q, %v", got.Reason, err)
	}
}
