package edge_test

import (
	"math"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestBadFramesGetAnAnswerOrSilenceAndNeverEndTheSocket(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	for text, want := range map[string]wire.Code{
		`not json`:                            wire.CodeMalformedFrame,
		`null`:                                wire.CodeMalformedFrame,
		`[1,2]`:                               wire.CodeMalformedFrame,
		`{}`:                                  wire.CodeMalformedFrame,
		`{"type":7}`:                          wire.CodeMalformedFrame,
		`{"type":"list_peers"`:                wire.CodeMalformedFrame,
		`{"type":"list_peers"}}`:              wire.CodeMalformedFrame,
		"\xff\xfe":                            wire.CodeMalformedFrame,
		`{"type":"set_status"}`:               wire.CodeInvalidArgument,
		`{"type":"set_summary","summary":{}}`: wire.CodeMalformedFrame,
		`{"type":"set_visible"}`:              "",
		`{"type":"join_group","name":""}`:     wire.CodeInvalidArgument,
		`{"type":"join_group","name":"` + strings.Repeat("g", 300) + `"}`: wire.CodeInvalidArgument,
		`{"type":"message_status","messageId":"short"}`:                   wire.CodeInvalidArgument,
		`{"type":"message_status","messageId":"dAAAAAAAAAAAAAAA"}`:        wire.CodeNotFound,
		`{"type":"client_ack"}`:                                           wire.CodeInvalidArgument,
		`{"type":"send"}`:                                                 wire.CodeInvalidArgument,
		`{"type":"time_travel","_reqId":"1"}`:                             wire.CodeUnknownType,
	} {
		ana.WriteText(text)
		got := edgetest.Next[*wire.ErrorFrame](ana)
		if want != "" && got.Code != want {
			t.Errorf("%.60s: %q (%s), want %q", text, got.Code, got.Message, want)
		}
	}
	ana.WriteText(`{"type":"set_state","key":"a","value":1}`) // unknown, and nobody waits
	ana.WriteText(`{"type":"client_ack","brokerMessageId":"no such"}`)
	ana.WriteText(`{"type":"client_ack","brokerMessageId":"` + wire.NewID(wire.LongID) + `"}`)
	ana.Settle()
	if frames := ana.Frames(); len(frames) > 0 {
		t.Errorf("answered: %+v", frames[0])
	}
}

func TestAFrameBeyondTheLimitIsRefusedByItsHeader(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	for name, c := range map[string]struct {
		open  func() *edgetest.Conn
		bytes []byte
	}{
		"before hello": {func() *edgetest.Conn { return edgetest.Dial(t, e) }, edgetest.Header(edgetest.OpText, wire.MaxHelloFrame+1)},
		"after hello":  {func() *edgetest.Conn { return m.Session(e, "ana").Conn }, edgetest.Header(edgetest.OpText, wire.MaxFrame+1)},
		"gigantic":     {func() *edgetest.Conn { return m.Session(e, "ana").Conn }, edgetest.Header(edgetest.OpText, 1<<40)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := c.open()
			conn.WriteBytes(c.bytes)
			conn.WriteBytes(make([]byte, 100_000))
			edgetest.NextIf(conn, func(f *wire.ErrorFrame) bool { return f.Code == wire.CodeTooLarge })
			conn.ExpectClose(wire.CloseTooBig, wire.ReasonTooLarge)
		})
	}
}

func TestFragmentsAreBoundedTogether(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	conn := edgetest.Dial(t, e)
	part := make([]byte, wire.MaxHelloFrame/2+1)
	first := append(edgetest.Header(edgetest.OpText, len(part)), part...)
	first[0] &^= 0x80 // more follows
	second := append(edgetest.Header(0, len(part)), part...)
	second[0] &^= 0x80
	conn.WriteBytes(append(first, second...))
	conn.ExpectError(wire.CodeTooLarge)
	conn.ExpectClose(wire.CloseTooBig, wire.ReasonTooLarge)
}

func TestAFragmentedMessageIsOneMessage(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	first := append(edgetest.Header(edgetest.OpText, 14), `{"type":"sync"`...)
	first[0] &^= 0x80
	second := append(edgetest.Header(0, 14), `,"_reqId":"xy"`...)
	second[0] &^= 0x80
	ana.WriteBytes(append(first, second...))
	ana.WriteBytes(append(edgetest.Header(0, 1), '}'))
	if got := edgetest.Next[*wire.Synced](ana); got.ReqID != "xy" {
		t.Errorf("got %+v", got)
	}
}

func TestALargeFrameIsWelcomeAfterHello(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	text := strings.Repeat("x", 48_000)
	ana.Send(bob.Key(), text)
	if got := bob.Receive(); edgetest.Text(got) != text {
		t.Errorf("%d characters arrived", len(edgetest.Text(got)))
	}
}

func TestFramesThatBreakTheProtocolEndTheirSocketOnly(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	bob := m.Session(e, "bob")
	for name, b := range map[string][]byte{
		"unmasked":            {0x81, 0x02, '{', '}'},
		"reserved bits":       {0xf1, 0x80, 0, 0, 0, 0},
		"unknown opcode":      {0x83, 0x80, 0, 0, 0, 0},
		"large control frame": append([]byte{0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0}, make([]byte, 256)...),
		"a lone continuation": {0x80, 0x80, 0, 0, 0, 0},
	} {
		ana := m.Session(e, "ana")
		ana.WriteBytes(b)
		if code, _ := ana.Closed(); code == 1000 {
			t.Errorf("%s: closed as if nothing were wrong", name)
		}
	}
	bob.Settle()
}

func TestHasteIsAnsweredAndSlowed(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	for range 260 {
		ana.Write(&wire.ListPeers{ReqID: "x"})
	}
	got := edgetest.Next[*wire.ErrorFrame](ana)
	if got.Code != wire.CodeRateLimited || got.ReqID != "x" {
		t.Errorf("got %+v", got)
	}
}

func TestAcksOfWhatWasNotPushedHereCountAsRequestsAndAreTaken(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, withoutNewRequests())
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	ana.Send(bob.Key(), "one")
	bob.Receive()
	bob.Settle()
	left, _ := e.Server.RequestsLeft(bob.Key())
	ana.Send(bob.Key(), "two")
	push := bob.Receive()
	bob.Settle()
	now, _ := e.Server.RequestsLeft(bob.Key())
	if int(math.Round(left-now)) != 1 { // the sync
		t.Errorf("an ack of what was pushed counts: %v and %v requests left", left, now)
	}
	for range int(math.Round(now)) {
		bob.Write(&wire.ClientAck{BrokerMessageID: push.MessageID[:8] + wire.NewID(wire.LongID-8)})
	}
	id := ana.Send(bob.Key(), "three")
	bob.AckMessage(&wire.Push{MessageID: id})
	bob.Write(&wire.ListPeers{})
	bob.ExpectError(wire.CodeRateLimited)
	ana.Write(&wire.MessageStatus{MessageID: id})
	if got := edgetest.Next[*wire.MessageStatusResult](ana); !got.Delivered {
		t.Error("an ack beyond the limit did not count")
	}
}
