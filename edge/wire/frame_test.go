package wire_test

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestAFrameThatCannotBeActedOnGetsTheAnswerItsSenderWaitsFor(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 201)
	for frame, want := range map[string]wire.Message{
		`{"type":"send","id":"c-1","priority":"next"}`: &wire.Ack{
			ID: "c-1", Error: "invalid send: targetSpec is missing",
		},
		`{"type":"send","id":"c-1","targetSpec":"*","priority":"soon"}`: &wire.Ack{
			ID: "c-1", Error: "invalid send: priority must be now, next or low",
		},
		`{"type":"send","id":"c-1","targetSpec":7}`: &wire.Ack{
			ID: "c-1", Error: "invalid send: field targetSpec has the wrong kind of value",
		},
		`{"type":"send","targetSpec":"@\u0000"}`: &wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "group name contains control characters",
		},
		`{"type":"send","id":"` + long + `","targetSpec":"*"}`: &wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "id is longer than 200 bytes",
		},
		`{"type":"set_status","status":"away","_reqId":"9"}`: &wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "status must be idle, working or dnd", ReqID: "9",
		},
		`{"type":"set_visible","_reqId":"9"}`: &wire.ErrorFrame{
			Code: wire.CodeMalformedFrame, Message: "visible is missing", ReqID: "9",
		},
		`{"type":"message_status","messageId":"short","_reqId":"9"}`: &wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "messageId must be 8 to 32 letters and digits", ReqID: "9",
		},
		`{"type":"client_ack"}`: &wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "client_ack names no message",
		},
		`{"type":"join_group","name":"","_reqId":"9"}`: &wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "group name is empty", ReqID: "9",
		},
		`{"type":"set_profile","bio":"` + strings.Repeat("x", 5000) + `"}`: &wire.ErrorFrame{
			Code: wire.CodeInvalidArgument, Message: "profile is longer than 4096 bytes",
		},
		`{"type":"set_profile","title":7,"_reqId":"9"}`: &wire.ErrorFrame{
			Code: wire.CodeMalformedFrame, Message: "field title has the wrong kind of value", ReqID: "9",
		},
		`{"_reqId":"9"}`:  &wire.ErrorFrame{Code: wire.CodeMalformedFrame, Message: "frame has no type", ReqID: "9"},
		`null`:            &wire.ErrorFrame{Code: wire.CodeMalformedFrame, Message: "frame has no type"},
		`[1]`:             &wire.ErrorFrame{Code: wire.CodeMalformedFrame, Message: "frame is not a JSON object"},
		`{"type":"send",`: &wire.ErrorFrame{Code: wire.CodeMalformedFrame, Message: "frame is not JSON (at byte 15)"},
		"{\"type\":\"\xff\"}": &wire.ErrorFrame{
			Code: wire.CodeMalformedFrame, Message: "frame is not UTF-8",
		},
	} {
		_, err := wire.Decode([]byte(frame))
		var e *wire.DecodeError
		if !errors.As(err, &e) || !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%.60s: error = %v, want ErrMalformed", frame, err)
			continue
		}
		if diff := cmp.Diff(want, e.Answer()); diff != "" {
			t.Errorf("%.60s: answer (-want, +got):\n%s", frame, diff)
		}
	}
}

func TestAnUnknownTypeIsAnsweredOnlyToWhoWaits(t *testing.T) {
	t.Parallel()
	_, err := wire.Decode([]byte(`{"type":"time_travel","id":"1"}`))
	var e *wire.DecodeError
	if !errors.As(err, &e) || !errors.Is(err, wire.ErrUnknownType) || e.Answer() != nil {
		t.Errorf("error = %v, want silence", err)
	}
	_, err = wire.Decode([]byte(`{"type":"time_travel","_reqId":"1"}`))
	want := &wire.ErrorFrame{Code: wire.CodeUnknownType, Message: "unknown message type", ReqID: "1"}
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wire.Message(want), e.Answer()); diff != "" {
		t.Errorf("answer (-want, +got):\n%s", diff)
	}
	if strings.Contains(string(e.Code), "unknown_message_type") {
		t.Error("this code ends the session connection of existing clients for good")
	}
}

func TestAFrameOverItsLimitIsNotParsed(t *testing.T) {
	t.Parallel()
	frame := []byte(`{"type":"sync","x":"` + strings.Repeat("x", wire.MaxHelloFrame) + `"}`)
	if _, err := wire.DecodeHello(frame); !errors.Is(err, wire.ErrTooLarge) || !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("error = %v, want ErrTooLarge", err)
	}
	if _, err := wire.Decode(frame); err != nil {
		t.Errorf("after the handshake the limit is another: %v", err)
	}
}

func TestWhatTheReferenceAcceptsIsAccepted(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{
		"unknown fields":          `{"type":"sync","later":{"x":[1,null]}}`,
		"type not first":          `{"_reqId":"1","type":"sync"}`,
		"blanks":                  " {\n\t\"type\" : \"sync\" }\n",
		"an escaped type":         `{"type":"s\u0079nc"}`,
		"a _reqId that is none":   `{"type":"sync","_reqId":{"a":1}}`,
		"pid as text":             `{"type":"hello","pid":"4242"}`,
		"null for what is absent": `{"type":"hello","sessionPubkey":null,"groups":null,"displayName":null,"pid":null}`,
		"a target nobody hears":   `{"type":"send","targetSpec":"@"}`,
		"quotes in a group":       `{"type":"join_group","name":"o'neill \"x\""}`,
	} {
		if _, err := wire.Decode([]byte(frame)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSizeCountsCharactersOfThreeFields(t *testing.T) {
	t.Parallel()
	m := wire.Send{ID: "not counted", Ciphertext: "abcd", Nonce: "ef", TargetSpec: "@é😀"}
	if got := m.Size(); got != 4+2+4 {
		t.Errorf("size = %d, want 10: a pair of surrogates counts twice", got)
	}
}

func TestNoPriorityMeansNext(t *testing.T) {
	t.Parallel()
	if got := (&wire.Send{}).Lane(); got != wire.LaneNext {
		t.Errorf("lane = %s", got)
	}
	if got := (&wire.Send{Priority: wire.LaneNow}).Lane(); got != wire.LaneNow {
		t.Errorf("lane = %s", got)
	}
}

// TestExistingClientsRetryWhatMayYetSucceed holds our texts against the
// patterns with which existing clients tell final refusals from others.
func TestExistingClientsRetryWhatMayYetSucceed(t *testing.T) {
	t.Parallel()
	final := []*regexp.Regexp{
		regexp.MustCompile(`(?i)payload_too_large|forbidden|not_found|invalid|schema|auth|signature`),
		regexp.MustCompile(`(?i)unknown|invalid|forbidden|not_authorized|target_not_found`),
	}
	for text, want := range map[string]bool{
		wire.AckRateLimited(60, 10): false,
		wire.AckTooLarge(65537):     false,
		wire.AckNoRecipient:         false,
		wire.AckBlocked:             false,
		wire.AckInboxFull:           false,
		wire.AckMeshFull:            false,
		wire.AckUnavailable:         false,
		wire.AckFingerprint:         true,
		wire.AckInvalid("x"):        true,
	} {
		for _, pattern := range final {
			if got := pattern.MatchString(text); got != want {
				t.Errorf("%q is final = %v, want %v", text, got, want)
			}
		}
	}
}

func TestAckTextsAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		wire.AckRateLimited(60, 10): "rate_limit: max 60 msg/min (burst 10) \u2014 slow down",
		wire.AckTooLarge(65537):     "payload too large: 65537 bytes > MAX_MESSAGE_BYTES=65536",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProfileFieldsReplaceOnlyThemselves(t *testing.T) {
	t.Parallel()
	p := wire.Profile{Title: ptr("old"), Bio: ptr("kept")}
	got := p.Merge(wire.Profile{Title: ptr("new"), Avatar: ptr("a"), Capabilities: []string{}})
	want := wire.Profile{Title: ptr("new"), Bio: ptr("kept"), Avatar: ptr("a"), Capabilities: []string{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("profile (-want, +got):\n%s", diff)
	}
	if got.IsZero() || !(wire.Profile{}).IsZero() {
		t.Error("only an empty profile is zero")
	}
	if diff := cmp.Diff(p, p.Merge(wire.Profile{})); diff != "" {
		t.Errorf("an empty update changed (-want, +got):\n%s", diff)
	}
}

func TestAMomentThatIsNoNumberIsKeptAsSuch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`1767225600000`:   "1767225600000",
		`1.7672256e12`:    "1767225600000",
		`0.5`:             "0.5",
		`"1767225600000"`: "null",
		`1e400`:           "null",
		`{}`:              "null",
	} {
		var m wire.Millis
		if err := m.UnmarshalJSON([]byte(text)); err != nil || m.String() != want {
			t.Errorf("%s = %s, %v; want %s", text, m, err, want)
		}
	}
	if wire.Millis(math.NaN()).Within(1<<62, now) {
		t.Error("no number is near anything")
	}
}

func TestTimesAreISO8601WithMilliseconds(t *testing.T) {
	t.Parallel()
	b, err := wire.At(now.Add(123_456_789)).MarshalJSON()
	if want := `"2026-01-01T00:00:00.123Z"`; err != nil || string(b) != want {
		t.Errorf("time = %s, %v; want %s", b, err, want)
	}
	var back wire.Time
	if err := back.UnmarshalJSON(b); err != nil || back != wire.At(now.Add(123_000_000)) {
		t.Errorf("read back = %v, %v", back, err)
	}
	if err := back.UnmarshalJSON([]byte(`"yesterday"`)); err == nil {
		t.Error("yesterday is no time")
	}
}
