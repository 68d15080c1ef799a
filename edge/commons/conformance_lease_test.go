package commons_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// reachLoopback lets watches reach servers of the test.
func reachLoopback(c *edge.Config) { c.WatchAllow = "127.0.0.0/8" }

func streamLines() []line {
	create := func(name string) *wire.CreateStream { return &wire.CreateStream{Name: name, ReqID: reqID()} }
	return []line{
		{
			frame: wire.TypeCreateStream, ask: func(*cast) wire.Request { return create(quoted) },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: create("")}),
			full:  func(*cast) wire.Request { return create("more") },
		},
		{
			frame: wire.TypeSubscribe, by: byBob, ask: func(*cast) wire.Request { return &wire.Subscribe{Stream: quoted, ReqID: reqID()} },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.Subscribe{Stream: tooMuch, ReqID: reqID()}}),
			full:  func(*cast) wire.Request { return &wire.Subscribe{Stream: "more", ReqID: reqID()} },
		},
		{frame: wire.TypePublish, ask: func(*cast) wire.Request {
			return &wire.Publish{Stream: quoted, Data: json.RawMessage(`["line",1]`), ReqID: reqID()}
		}, told: func(_ *cast, m wire.Message) bool {
			d, ok := m.(*wire.StreamData)
			return ok && d.Stream == quoted && string(d.Data) == `["line",1]` && d.PublishedBy == "ana"
		}, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeInvalidArgument: &wire.Publish{Stream: quoted, Data: json.RawMessage(`"` + tooMuch + `"`), ReqID: reqID()},
		})},
		{
			frame: wire.TypeListStreams, ask: func(*cast) wire.Request { return &wire.ListStreams{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.StreamList) error {
				return is(len(r.Streams) == 1 && r.Streams[0].SubscriberCount == 1)
			}),
		},
		{
			frame: wire.TypeUnsubscribe, by: byBob, ask: func(*cast) wire.Request { return &wire.Unsubscribe{Stream: quoted, ReqID: reqID()} },
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.Unsubscribe{Stream: "a\x00b", ReqID: reqID()}}),
		},
	}
}

func mcpLines() []line {
	register := func(name string) *wire.MCPRegister {
		return &wire.MCPRegister{ServerName: name, Description: "d", Tools: []wire.MCPTool{{Name: "find"}}, ReqID: reqID()}
	}
	return []line{
		{
			frame: wire.TypeMCPRegister, ask: func(*cast) wire.Request { return register(quoted) }, told: event(wire.EventMCPRegistered),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: register("a\nb")}),
			full:  func(*cast) wire.Request { return register("more") },
		},
		{
			frame: wire.TypeMCPList, by: byBob, ask: func(*cast) wire.Request { return &wire.MCPList{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.MCPListResult) error { return is(len(r.Servers) == 1 && r.Servers[0].Online) }),
		},
		{frame: wire.TypeMCPCall, do: func(t *testing.T, c *cast, saw func(wire.Type)) {
			m := &wire.MCPCall{ServerName: quoted, ToolName: "find", Args: json.RawMessage(`{"q":1}`), ReqID: reqID()}
			c.bob.Write(m)
			f := edgetest.Next[*wire.MCPCallForward](c.ana)
			saw(f.FrameType())
			ask[*wire.OK](c.ana, &wire.MCPCallResponse{CallID: f.CallID, Result: json.RawMessage(`[2]`), ReqID: reqID()})
			r := edgetest.NextIf(c.bob, func(r *wire.MCPCallResult) bool { return r.ReqID == m.ReqID })
			if saw(r.FrameType()); string(r.Result) != `[2]` || string(f.Args) != `{"q":1}` {
				t.Errorf("call %s, result %+v", f.Args, *r)
			}
		}, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeInvalidArgument: &wire.MCPCall{ServerName: tooMuch, ToolName: "find", ReqID: reqID()},
		})},
		{frame: wire.TypeMCPCall, ask: func(*cast) wire.Request {
			return &wire.MCPCall{ServerName: "none", ToolName: "find", ReqID: reqID()}
		}, reply: answered(func(_ *cast, r *wire.MCPCallResult) error { return is(strings.Contains(r.Error, "not found in mesh")) })},
		{frame: wire.TypeMCPCallResponse, ask: func(*cast) wire.Request { // too late, or of nothing
			return &wire.MCPCallResponse{CallID: "none", ReqID: reqID()}
		}, wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.MCPCallResponse{CallID: tooMuch, ReqID: reqID()}})},
		{
			frame: wire.TypeMCPUnregister, ask: func(*cast) wire.Request { return &wire.MCPUnregister{ServerName: quoted, ReqID: reqID()} },
			told:  event(wire.EventMCPUnregistered),
			wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.MCPUnregister{ServerName: "", ReqID: reqID()}}),
		},
	}
}

func watchLines() []line {
	watch := func(url string) *wire.Watch { return &wire.Watch{URL: url, Mode: wire.WatchStatus, ReqID: reqID()} }
	return []line{
		{frame: wire.TypeWatch, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			srv := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(srv.Close)
			c.note["url"] = srv.URL
		}},
		{
			frame: wire.TypeWatch, ask: func(c *cast) wire.Request { return watch(c.note["url"]) },
			reply: answered(func(c *cast, r *wire.WatchAck) error { c.note["watch"] = r.WatchID; return is(r.Interval == 30) }),
			wrong: refuses(map[wire.Code]wire.Request{
				wire.CodeAddressRefused: watch("http://169.254.169.254/latest/meta-data/"), wire.CodeInvalidArgument: watch(tooMuch),
			}), full: func(c *cast) wire.Request { return watch(c.note["url"]) },
		},
		{
			frame: wire.TypeWatchList, ask: func(*cast) wire.Request { return &wire.WatchList{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.WatchListResult) error { return is(len(r.Watches) == 1) }),
		},
		{
			frame: wire.TypeUnwatch, ask: func(c *cast) wire.Request { return &wire.Unwatch{WatchID: c.note["watch"], ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.WatchAck) error { return is(r.Interval == 0 && r.WatchID != "") }),
			wrong: func(c *cast) map[wire.Code]wire.Request {
				return map[wire.Code]wire.Request{
					wire.CodeInvalidArgument: &wire.Unwatch{WatchID: tooMuch, ReqID: reqID()},
					wire.CodeForbidden:       &wire.Unwatch{WatchID: othersWatch(c), ReqID: reqID()},
				}
			},
		},
	}
}

func othersWatch(c *cast) string {
	return ask[*wire.WatchAck](c.bob, &wire.Watch{URL: c.note["url"], ReqID: reqID()}).WatchID
}

func clockLines() []line {
	return []line{
		{frame: wire.TypeResumeClock, wrong: refuses(map[wire.Code]wire.Request{wire.CodeNoClock: &wire.ResumeClock{ReqID: reqID()}})},
		{frame: wire.TypePauseClock, wrong: refuses(map[wire.Code]wire.Request{wire.CodeNoClock: &wire.PauseClock{ReqID: reqID()}})},
		{
			frame: wire.TypeSetClock, ask: func(*cast) wire.Request { return &wire.SetClock{Speed: 1000, ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ClockStatus) error { return is(r.Speed == 100 && !r.Paused) }), told: event(wire.EventTick),
		},
		{
			frame: wire.TypePauseClock, by: byBob, ask: func(*cast) wire.Request { return &wire.PauseClock{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ClockStatus) error { return is(r.Paused) }),
		},
		{
			frame: wire.TypeResumeClock, ask: func(*cast) wire.Request { return &wire.ResumeClock{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ClockStatus) error { return is(!r.Paused) }),
		},
		{
			frame: wire.TypeGetClock, by: byBob, ask: func(*cast) wire.Request { return &wire.GetClock{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.ClockStatus) error { return is(r.Tick > 0 && !r.Paused) }),
		},
	}
}

func relayLines() []line {
	return []line{
		{frame: wire.TypePeerFileRequest, do: func(t *testing.T, c *cast, saw func(wire.Type)) {
			m := &wire.PeerFileRequest{TargetPubkey: c.bob.Key(), FilePath: quoted, ReqID: reqID()}
			c.ana.Write(m)
			f := edgetest.Next[*wire.PeerFileRequestForward](c.bob)
			saw(f.FrameType())
			c.bob.Write(&wire.PeerFileResponse{RequesterPubkey: f.RequesterPubkey, FilePath: f.FilePath, Content: "b0Z5", ReqID: f.ReqID})
			r := edgetest.NextIf(c.ana, func(r *wire.PeerFileResponseForward) bool { return r.ReqID == m.ReqID })
			if saw(r.FrameType()); r.Content != "b0Z5" || r.FilePath != quoted {
				t.Errorf("%+v", *r)
			}
		}, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodePeerNotFound:    &wire.PeerFileRequest{TargetPubkey: strings.Repeat("9", 64), FilePath: "a", ReqID: reqID()},
			wire.CodeInvalidArgument: &wire.PeerFileRequest{TargetPubkey: "bob", FilePath: "a", ReqID: reqID()},
		})},
		{frame: wire.TypePeerDirRequest, do: func(t *testing.T, c *cast, saw func(wire.Type)) {
			m := &wire.PeerDirRequest{TargetPubkey: c.bob.Key(), DirPath: ".", Pattern: "*.go", ReqID: reqID()}
			c.ana.Write(m)
			f := edgetest.Next[*wire.PeerDirRequestForward](c.bob)
			saw(f.FrameType())
			c.bob.Write(&wire.PeerDirResponse{RequesterPubkey: f.RequesterPubkey, DirPath: ".", Error: "no", ReqID: f.ReqID})
			r := edgetest.NextIf(c.ana, func(r *wire.PeerDirResponseForward) bool { return r.ReqID == m.ReqID })
			if saw(r.FrameType()); r.Error != "no" {
				t.Errorf("%+v", *r)
			}
		}, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodePeerNotFound:    &wire.PeerDirRequest{TargetPubkey: strings.Repeat("9", 64), ReqID: reqID()},
			wire.CodeInvalidArgument: &wire.PeerDirRequest{TargetPubkey: strings.Repeat("9", 64), DirPath: tooMuch, ReqID: reqID()},
		})},
		// Answers to what was not asked go nowhere; those to the askers are above.
		{frame: wire.TypePeerFileResponse, do: unasked(func(c *cast) wire.Message {
			return &wire.PeerFileResponse{RequesterPubkey: c.bob.Key(), FilePath: "a", Content: "b0Z5", ReqID: reqID()}
		})},
		{frame: wire.TypePeerDirResponse, do: unasked(func(c *cast) wire.Message {
			return &wire.PeerDirResponse{RequesterPubkey: c.bob.Key(), DirPath: ".", ReqID: reqID()}
		})},
	}
}

func unasked(answer func(*cast) wire.Message) func(*testing.T, *cast, func(wire.Type)) {
	return func(t *testing.T, c *cast, _ func(wire.Type)) {
		t.Helper()
		c.ana.Write(answer(c))
		c.ana.Settle()
		c.bob.Settle()
		for _, m := range c.bob.Frames() {
			if _, push := m.(*wire.Push); !push {
				t.Errorf("bob got %+v", m)
			}
		}
	}
}
