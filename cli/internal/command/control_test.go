package command

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/local"
	"github.com/claudemesh/claudemesh/cli/internal/mailbox"
	"github.com/claudemesh/claudemesh/cli/internal/outbox"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/receipt"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// newHost is a session of a mesh whose connection has ended.
func newHost(t *testing.T) *host {
	t.Helper()
	h := newUnreachableHost(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.client.Run(ended); err != nil {
		t.Fatal(err)
	}
	return h
}

// newUnreachableHost is a session of a mesh that never gets a connection.
func newUnreachableHost(t *testing.T) *host {
	t.Helper()
	env := map[string]string{identity.EnvConfigDir: t.TempDir()}
	store, err := identity.Open(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	a := &app{env: Env{Getenv: func(name string) string { return env[name] }, Dir: "/somewhere"}}
	a.out = ui.New(io.Discard, io.Discard, a.env.Getenv)
	m := &membership{store: store, out: a.out, mesh: identity.Mesh{MeshID: testMesh, Slug: "acme"}}
	h, err := a.openHost(m, identity.SessionID("/somewhere", ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.close() })
	h.client = peer.New(peer.Options{Member: key, Session: h.session.Key, URL: "x"})
	return h
}

const someKey = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"

func request(t *testing.T, op string, args any) local.Request {
	t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return local.Request{Op: op, Args: raw}
}

func TestASessionRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for name, r := range map[string]local.Request{
		"an unknown wish":           request(t, "dance", nil),
		"a status that is none":     request(t, opStatus, "busy"),
		"arguments of a wrong kind": request(t, opSummary, 7),
		"a summary too long":        request(t, opSummary, strings.Repeat("x", wire.MaxSummary+1)),
		"a target that is none":     request(t, opSend, draft{Target: "#", Text: "x"}),
		"no priority":               request(t, opSend, draft{Target: "bob", Text: "x", Priority: "soon"}),
	} {
		var refusal *local.Refusal
		if _, err := h.obey(t.Context(), r); !errors.As(err, &refusal) || refusal.Message == "" || refusal.Code == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatASessionCannotSendNowItKeeps(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	got, err := h.obey(t.Context(), request(t, opSend, draft{Target: someKey, Text: "x"}))
	a, ok := got.(postAnswer)
	if err != nil || !ok || a.Entry.State != outbox.Waiting || a.Refusal == nil || !receipt.Asked(a.Entry.ID) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = h.obey(t.Context(), request(t, opMessageStatus, a.Entry.ID))
	if s, ok := got.(messageState); err != nil || !ok || s.State != string(outbox.Waiting) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGroupsAreNotAskedForReceipts(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]bool{"*": false, "@all": false, "@team": false, "bob": true, strings.Repeat("a", 64): true} {
		if got := receipt.Asked(draft{Target: target}.entry("s", true).ID); got != want {
			t.Errorf("%s: asks %v", target, got)
		}
	}
	if receipt.Asked(draft{Target: "bob"}.entry("s", false).ID) {
		t.Error("a member without a session asks")
	}
}

func TestTheInboxHandsOverOnceAndTakesBackWhatWasNotShown(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, key := range []string{"1", "2"} {
		if _, err := h.box.Add(t.Context(), mailbox.Message{Key: key, Text: "text " + key}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := h.obey(t.Context(), request(t, opInbox, nil))
	a, ok := got.(inboxAnswer)
	if err != nil || !ok || len(a.Messages) != 2 || h.box.Unread() != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := h.obey(t.Context(), request(t, opShown, []string{"1"})); err != nil {
		t.Fatal(err)
	}
	h.box.Release(a.Messages) // as after a while
	if again, _ := h.box.Claim(9, 1<<20); len(again) != 1 || again[0].Key != "2" {
		t.Errorf("left is %+v", again)
	}
}

// full is a courier for whom one recipient's inbox is full.
type full struct{ sent []string }

func (full) Pubkey() string { return "" }

func (full) Resolve(_ context.Context, typed string) (outbox.Recipient, error) {
	return outbox.Recipient{Key: typed}, nil
}

func (f *full) Send(_ context.Context, m peer.Message) (peer.Receipt, error) {
	if m.To == "full" {
		return peer.Receipt{}, peer.ErrInboxFull
	}
	f.sent = append(f.sent, m.Text)
	return peer.Receipt{MessageID: "d"}, nil
}

func TestAFullInboxHoldsUpItsOwnMessagesOnly(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var last outbox.Entry
	for _, d := range []draft{{Target: "full", Text: "1"}, {Target: "bob", Text: "2"}, {Target: "full", Text: "3"}, {Target: "bob", Text: "4"}} {
		var err error
		if last, err = h.posts.Add(d.entry("s", true)); err != nil {
			t.Fatal(err)
		}
	}
	due, err := h.posts.Due("s")
	if err != nil {
		t.Fatal(err)
	}
	f := &full{}
	if got, err := sendAll(t.Context(), h.posts, f, due, last.ID); err != nil || got.State != outbox.Stored {
		t.Errorf("%+v, %v", got, err)
	}
	if got := strings.Join(f.sent, ","); got != "2,4" {
		t.Errorf("sent %s", got)
	}
}
