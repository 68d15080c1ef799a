package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/identity"
	"github.com/claudemesh/claudemesh/cli/internal/peer"
	"github.com/claudemesh/claudemesh/cli/internal/seal"
	"github.com/claudemesh/claudemesh/cli/internal/ui"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func newApp(json bool) (*app, *bytes.Buffer, *bytes.Buffer) {
	var out, talk bytes.Buffer
	a := &app{out: ui.New(&out, &talk, func(string) string { return "" }), began: true}
	a.out.JSON = json
	return a, &out, &talk
}

var arrived = peer.Delivery{
	MessageID: "d1", From: key("abc"), Name: "Bob", Member: key("def"), Target: key("123"), Text: "hi",
	Priority: wire.LaneNext, CreatedAt: time.UnixMilli(1767225600000), Verified: true,
}

func with(change func(*peer.Delivery)) peer.Delivery {
	d := arrived
	change(&d)
	return d
}

func TestMessagesAreShownAsLinesOfTabsInAPipe(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]peer.Delivery{
		"Bob\tyou\thi":                arrived,
		"Bob\t@ops\thi":               with(func(d *peer.Delivery) { d.Target = "@ops" }),
		"Bob (unverified)\t*\thi":     with(func(d *peer.Delivery) { d.Target, d.Verified = "*", false }),
		`Bob` + "\tyou\t" + `a\nb\tc`: with(func(d *peer.Delivery) { d.Text = "a\nb\tc" }),
		"B ob[31m\tyou\t]0;x":         with(func(d *peer.Delivery) { d.Name, d.Text = "B\n ob\x1b[31m", "\x1b]0;x\a" }),
		key("abc") + "\tyou\thi":      with(func(d *peer.Delivery) { d.Name = "" }),
		"Bob\tyou\t(a message that could not be opened: it is sealed for another key)": with(func(d *peer.Delivery) {
			d.Text, d.Verified, d.Err = "", false, fmt.Errorf("x: %w", seal.ErrNotForUs)
		}),
	} {
		a, out, _ := newApp(false)
		if err := a.show(d); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "2026-01-01T00:00:00.000Z\t"+want+"\n" {
			t.Errorf("shown as %q, want %q", got, want)
		}
	}
}

func TestJSONShowsMessagesWithAllThatPromises(t *testing.T) {
	t.Parallel()
	a, out, _ := newApp(true)
	unopened := with(func(d *peer.Delivery) { d.Text, d.Verified, d.Err = "", false, seal.ErrTampered })
	left := peer.Delivery{
		Event: wire.EventPeerLeft, MessageID: "e", From: "system", CreatedAt: arrived.CreatedAt,
		Data: json.RawMessage(`{"name":"Bob","pubkey":"` + key("abc") + `"}`),
	}
	for _, d := range []peer.Delivery{arrived, unopened, left} {
		if err := a.show(d); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var shown []map[string]any
	for _, line := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		shown = append(shown, m)
	}
	for i, want := range []map[string]any{
		{"event": "message", "messageId": "d1", "from": key("abc"), "fromName": "Bob", "text": "hi", "priority": "next", "verified": true, "createdAt": "2026-01-01T00:00:00.000Z"},
		{"event": "message", "text": "", "verified": false, "error": "it was altered, or is not from its sender"},
		{"event": "peer_left", "from": key("abc"), "fromName": "Bob"},
	} {
		for field, value := range want {
			if shown[i][field] != value {
				t.Errorf("line %d: %s is %v, want %v", i, field, shown[i][field], value)
			}
		}
	}
	if _, ok := shown[2]["text"]; ok {
		t.Error("an event has a text")
	}
}

func TestEveryErrorHasWordsAndACode(t *testing.T) {
	t.Parallel()
	a, _, _ := newApp(false)
	for _, tt := range []struct {
		err  error
		code int
		hint bool
	}{
		{identity.ErrNoMesh, ui.ExitNotMember, true},
		{identity.ErrManyMeshes, ui.ExitUsage, true},
		{identity.ErrHeld, ui.ExitFailed, true},
		{&identity.LooseModeError{Path: "/x", Mode: 0o644}, ui.ExitFailed, true},
		{&peer.RefusedError{Code: wire.CodeUnauthorized}, ui.ExitNotMember, true},
		{fmt.Errorf("%w: %w", peer.ErrUnreachable, &peer.RefusedError{Code: wire.CodeTimestampSkew}), ui.ExitFailed, true},
		{fmt.Errorf("%w: %w", peer.ErrBanned, &peer.RefusedError{Code: wire.CodeRevoked}), ui.ExitNotMember, true},
		{peer.ErrNoRecipient, ui.ExitAway, true},
		{peer.ErrInboxFull, ui.ExitAway, true},
		{peer.ErrBlocked, ui.ExitFailed, true},
		{&peer.SendError{Text: "strange"}, ui.ExitFailed, false},
		{seal.ErrNoKey, ui.ExitFailed, true},
		{peer.ErrUnreachable, ui.ExitFailed, true},
		{fmt.Errorf("peer: something else"), ui.ExitFailed, false},
	} {
		f := a.explain(fmt.Errorf("wrapped: %w", tt.err))
		if f.Code != tt.code || (f.Hint != "") != tt.hint || f.Message == "" || strings.HasSuffix(f.Message, ".") {
			t.Errorf("%v: %d %q, hint %q", tt.err, f.Code, f.Message, f.Hint)
		}
	}
}
