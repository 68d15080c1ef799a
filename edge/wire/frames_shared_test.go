package wire_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// names are the fields by which something is found again or shown on one line.
var names = []string{
	"key", "name", "stream", "topic", "serverName", "toolName", "memoryId", "taskId", "scheduledId", "watchId", "callId",
	"beforeId", "id", "label", "assignee", "priority", "filePath", "dirPath", "pattern", "mount_path", "url", "extract",
	"notify_on", "eventType", "target",
}

// choices are the fields that take one of a few words, or a key.
var choices = []string{
	"role", "visibility", "status", "mode", "entry_type", "targetPubkey", "requesterPubkey", "senderPubkey", "memberId",
	"encryptedKey", "since",
}

// eachText calls check for every text at the top of every example that a peer
// may send about what is shared, with a way to replace it.
func eachText(t *testing.T, check func(t *testing.T, kind wire.Type, field string, with func(string) error)) {
	t.Helper()
	for _, m := range sharedPeerFrames() {
		frame, err := wire.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{}
		if err := json.Unmarshal(frame, &fields); err != nil {
			t.Fatal(err)
		}
		for field, value := range fields {
			if _, isText := value.(string); !isText || field == "type" || field == "_reqId" {
				continue
			}
			check(t, m.FrameType(), field, func(text string) error {
				changed := map[string]any{}
				for k, v := range fields {
					changed[k] = v
				}
				changed[field] = text
				b, err := json.Marshal(changed)
				if err != nil {
					t.Fatal(err)
				}
				_, err = wire.Decode(b)
				return err
			})
		}
	}
}

func TestEveryTextIsBoundedAndFreeOfNUL(t *testing.T) {
	t.Parallel()
	eachText(t, func(t *testing.T, kind wire.Type, field string, with func(string) error) {
		t.Helper()
		checkRefused(t, kind, field+" with NUL", with("a\x00b"))
		giant := 70 << 10
		switch field {
		case "content":
			if kind == wire.TypePeerFileResponse {
				return // a file is as long as a frame allows
			}
		case "instructions":
			giant = wire.MaxInstructions + 1
		}
		checkRefused(t, kind, field+" of a giant", with(strings.Repeat("x", giant)))
	})
}

func checkRefused(t *testing.T, kind wire.Type, what string, err error) {
	t.Helper()
	var e *wire.DecodeError
	if !errors.As(err, &e) || !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("%s, %s: error = %v, want a refusal", kind, what, err)
		return
	}
	answer, ok := e.Answer().(*wire.ErrorFrame)
	own := []wire.Code{wire.CodeInvalidArgument, wire.CodeMalformedFrame, wire.CodeInvalidArgs, wire.CodeInvalidWebhook, wire.CodeInvalid}
	if !ok || answer.ReqID == "" || !slices.Contains(own, answer.Code) || len(answer.Message) > 200 {
		t.Errorf("%s, %s: answer = %+v", kind, what, answer)
	}
}

func TestNamesAreOneLineAndMayHaveQuotes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	eachText(t, func(t *testing.T, kind wire.Type, field string, with func(string) error) {
		t.Helper()
		if !slices.Contains(names, field) {
			return
		}
		seen[field] = true
		for what, text := range map[string]string{
			"64 KiB": strings.Repeat("x", 64<<10), "a line feed": "a\nb", "an escape": "a\x1b[2J", "a separator": "a\x1fb",
		} {
			checkRefused(t, kind, field+" with "+what, with(text))
		}
		madeByThePeer := kind == wire.TypeRemember || kind == wire.TypeCreateTask
		if err := with(`o'neill "x" é; DROP`); err != nil && !(madeByThePeer && strings.HasSuffix(field, "Id")) {
			t.Errorf("%s: quotes in %s: %v", kind, field, err)
		}
	})
	if len(seen) != len(names) {
		t.Errorf("only %d of %d names are in the examples", len(seen), len(names))
	}
}

func TestChoicesAreRefusedWhenTheyAreNone(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	eachText(t, func(t *testing.T, kind wire.Type, field string, with func(string) error) {
		t.Helper()
		if slices.Contains(choices, field) {
			seen[field] = true
			checkRefused(t, kind, field+" that is none", with("sideways"))
		}
	})
	if len(seen) != len(choices) {
		t.Errorf("only %d of %d choices are in the examples", len(seen), len(choices))
	}
}

func TestARefusalOfWhatIsSharedSaysWhy(t *testing.T) {
	t.Parallel()
	many := func(one string, n int) string { return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]" }
	for frame, want := range map[string]*wire.ErrorFrame{
		`{"type":"set_state","key":"k","_reqId":"1"}`: {
			Code: wire.CodeInvalidArgument, Message: "value is missing", ReqID: "1",
		},
		`{"type":"set_state","key":"","value":1,"_reqId":"1"}`: {
			Code: wire.CodeInvalidArgument, Message: "key is missing", ReqID: "1",
		},
		`{"type":"set_state","key":"k","value":"` + strings.Repeat("x", wire.MaxValue) + `","_reqId":"1"}`: {
			Code: wire.CodeInvalidArgument, Message: "value is longer than 65536 bytes", ReqID: "1",
		},
		`{"type":"remember","content":"x","tags":` + many(`"t"`, 33) + `}`: {
			Code: wire.CodeInvalidArgument, Message: "more than 32 tags",
		},
		`{"type":"remember","content":"x","tags":"t"}`: {
			Code: wire.CodeMalformedFrame, Message: "field tags has the wrong kind of value",
		},
		`{"type":"schedule","to":"*","message":"x"}`: {
			Code: wire.CodeInvalidArgument, Message: "deliverAt or cron is missing",
		},
		`{"type":"schedule","to":"*","message":"x","deliverAt":"soon"}`: {
			Code: wire.CodeInvalidArgument, Message: "deliverAt must be a number of milliseconds",
		},
		`{"type":"schedule","to":"*","sealed":{"nonce":"n"},"deliverAt":1}`: {
			Code: wire.CodeInvalidArgument, Message: "sealed.ciphertext is missing",
		},
		`{"type":"mcp_register","serverName":"s","tools":` + many(`{"name":"t"}`, 257) + `}`: {
			Code: wire.CodeInvalidArgument, Message: "more than 256 tools",
		},
		`{"type":"mcp_register","serverName":"s","tools":[{"name":"a\nb"}]}`: {
			Code: wire.CodeInvalidArgument, Message: "tool name contains control characters",
		},
		`{"type":"topic_seal","topic":"t","memberId":"` + memberID + `","encryptedKey":"AAAA","nonce":"AA=="}`: {
			Code: wire.CodeInvalidArgument, Message: "encryptedKey must be 80 bytes in base64",
		},
		`{"type":"topic_join","topic":"","_reqId":"1"}`: {
			Code: wire.CodeInvalidArgument, Message: "topic is missing", ID: "1", ReqID: "1",
		},
		`{"type":"apikey_create","label":"x","capabilities":["root"],"_reqId":"1"}`: {
			Code: wire.CodeInvalidArgs, Message: `no such capability: "root"`, ID: "1", ReqID: "1",
		},
		`{"type":"apikey_revoke","id":"","_reqId":"1"}`: {
			Code: wire.CodeInvalidArgument, Message: "id is missing", ID: "1", ReqID: "1",
		},
		`{"type":"create_webhook","_reqId":"1"}`: {
			Code: wire.CodeInvalidWebhook, Message: "name is missing", ReqID: "1",
		},
		`{"type":"watch","url":"https://x","mode":"json"}`: {
			Code: wire.CodeInvalidArgument, Message: "extract is missing",
		},
		`{"type":"watch","url":"https://x","headers":{"a\r\nb":"c"}}`: {
			Code: wire.CodeInvalidArgument, Message: "header contains control characters",
		},
		`{"type":"kick","stale":"x","target":7,"_reqId":"1"}`: {
			Code: wire.CodeMalformedFrame, Message: "field target has the wrong kind of value", ReqID: "1",
		},
		`{"type":"set_grants","senderPubkey":"` + wire.PublicKey(key(3)) + `","capabilities":["fly"]}`: {
			Code: wire.CodeInvalidArgument, Message: `no such capability: "fly"`,
		},
		`{"type":"vault_get","keys":` + many(`"k"`, 33) + `}`: {
			Code: wire.CodeInvalidArgument, Message: "more than 32 keys",
		},
	} {
		_, err := wire.Decode([]byte(frame))
		var e *wire.DecodeError
		if !errors.As(err, &e) {
			t.Errorf("%.70s: error = %v, want a refusal", frame, err)
			continue
		}
		if diff := cmp.Diff(wire.Message(want), e.Answer()); diff != "" {
			t.Errorf("%.70s (-want, +got):\n%s", frame, diff)
		}
	}
}

// TestWhatExistingClientsSendAboutWhatIsShared is taken from what they are
// known to send, peculiarities included.
func TestWhatExistingClientsSendAboutWhatIsShared(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{
		"no tags":                 `{"type":"remember","content":"x","tags":null}`,
		"an empty recall":         `{"type":"recall","query":""}`,
		"a value of null":         `{"type":"set_state","key":"k","value":null}`,
		"a sub-second schedule":   `{"type":"schedule","to":"*","message":"x","deliverAt":1767225600000.5}`,
		"a step of nought":        `{"type":"schedule","to":"*","message":"x","cron":"*/0 * * * *"}`,
		"a cron of null":          `{"type":"schedule","to":"*","message":"x","cron":null,"deliverAt":1}`,
		"other words to notify":   `{"type":"watch","url":"https://x","notify_on":"any"}`,
		"an interval of nought":   `{"type":"watch","url":"https://x","interval":0}`,
		"a speed that is none":    `{"type":"set_clock","speed":"fast"}`,
		"no speed":                `{"type":"set_clock"}`,
		"an expiry as text":       `{"type":"apikey_create","label":"x","capabilities":["read"],"expiresAt":"2026-01-01T00:00:00Z"}`,
		"an expiry as number":     `{"type":"apikey_create","label":"x","capabilities":["read"],"expiresAt":1767225600000}`,
		"a ban without target":    `{"type":"ban"}`,
		"a kick without selector": `{"type":"kick"}`,
		"tools without schema":    `{"type":"mcp_register","serverName":"s","description":"","tools":[{"name":"t","description":""}]}`,
		"a call without args":     `{"type":"mcp_call","serverName":"s","toolName":"t"}`,
		"a page too long":         `{"type":"topic_history","topic":"t","limit":100000}`,
		"the own directory":       `{"type":"peer_dir_request","targetPubkey":"` + wire.PublicKey(key(3)) + `","dirPath":""}`,
		"an uppercase key":        `{"type":"peer_file_request","targetPubkey":"` + strings.ToUpper(wire.PublicKey(key(3))) + `","filePath":"x"}`,
	} {
		if _, err := wire.Decode([]byte(frame)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPagesAndSpeedsStayWithinBounds(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{-1: 1, 0: wire.TopicPage, 7: 7, 1 << 40: wire.MaxTopicPage} {
		if got := (&wire.TopicHistory{Limit: limit}).Page(); got != want {
			t.Errorf("page of %d = %d, want %d", limit, got, want)
		}
	}
	for text, want := range map[string]wire.Speed{`0`: 1, `-3`: 1, `"x"`: 1, `null`: 1, `1e400`: 1, `2.5`: 2.5, `1e9`: 100} {
		var m wire.SetClock
		if err := json.Unmarshal([]byte(`{"speed":`+text+`}`), &m); err != nil || m.Speed.Clamp() != want {
			t.Errorf("speed %s = %v, %v; want %v", text, m.Speed.Clamp(), err, want)
		}
	}
	for asked, want := range map[float64]time.Duration{
		0: 30 * time.Second, -1: 5 * time.Second, 7.5: 7500 * time.Millisecond, 1e300: 7 * 24 * time.Hour,
	} {
		if got := (&wire.Watch{Interval: asked}).Every(); got != want {
			t.Errorf("interval %v = %v, want %v", asked, got, want)
		}
	}
}

func TestTextsAboutMCPServersAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		wire.MCPUnknown("x"):  `MCP server "x" not found in mesh`,
		wire.MCPHostGone("x"): `MCP server "x" host disconnected`,
		wire.MCPTimedOut():    `MCP call timed out (30s)`,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for away, want := range map[time.Duration]string{
		-time.Second: "0s ago", 12 * time.Second: "12s ago", 5 * time.Minute: "5m ago", 200 * time.Minute: "3h ago",
	} {
		if got := wire.MCPOffline("x", "Ana", away); !strings.Contains(got, want) || !strings.Contains(got, "Ana") {
			t.Errorf("after %v: %q, want %s in it", away, got, want)
		}
	}
}

func TestWebhookPushesAreEvents(t *testing.T) {
	t.Parallel()
	hook := wire.Push{Subtype: wire.SubtypeWebhook, SenderPubkey: wire.WebhookSender("github")}
	if !hook.IsEvent() || !hook.IsWebhook() {
		t.Error("a webhook's push is taken for a message")
	}
	if system := (wire.Push{Subtype: wire.SubtypeSystem}); !system.IsEvent() || system.IsWebhook() {
		t.Error("a system event is taken for a webhook's")
	}
	if reminder := (wire.Push{Subtype: wire.SubtypeReminder}); reminder.IsEvent() {
		t.Error("a reminder is a message")
	}
}

func TestAMomentThatNeverWasIsEmptyText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`""`, `"2026-01-01T00:00:00.123Z"`} {
		var m wire.TimeOrEmpty
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(m); err != nil || string(b) != text {
			t.Errorf("%s is written back as %s, %v", text, b, err)
		}
	}
}
