package commons_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// tooMuch is longer than any name or text may be.
var tooMuch = strings.Repeat("x", 64<<10)

// listed waits until bob sees ana, or whom it is told to see, as it should be.
func (c *cast) listed(t *testing.T, key string, right func(wire.PeerInfo) bool) {
	t.Helper()
	edgetest.Eventually(t, func() error {
		l := c.bob.List()
		i := slices.IndexFunc(l, func(p wire.PeerInfo) bool { return p.Pubkey == key })
		if i < 0 || !right(l[i]) {
			return fmt.Errorf("bob sees %+v", l)
		}
		return nil
	})
}

// opens plays a handshake: who comes is told to bob.
func opens(open func(*cast) *edgetest.Peer) func(*testing.T, *cast, func(wire.Type)) {
	return func(t *testing.T, c *cast, saw func(wire.Type)) {
		t.Helper()
		p := open(c)
		saw(p.Ack.FrameType())
		c.listed(t, p.Key(), func(wire.PeerInfo) bool { return true })
	}
}

// turnedAway plays a handshake that is refused.
func turnedAway(t *testing.T, c *cast, hello wire.Message, code wire.Code) {
	t.Helper()
	conn := edgetest.Dial(t, c.one)
	conn.Write(hello)
	conn.ExpectError(code)
	conn.ExpectClose(wire.CloseRefused, string(code))
}

func handshakeLines() []line {
	return []line{
		{frame: wire.TypeHello, do: opens(func(c *cast) *edgetest.Peer { return c.m.Member("dora").Control(c.one) })},
		{frame: wire.TypeHello, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			h := c.m.Member("dora").Hello() // signed by somebody else
			h.Sign(c.m.Member("ana").Key)
			turnedAway(t, c, h, wire.CodeBadSignature)
		}},
		{frame: wire.TypeSessionHello, do: opens(func(c *cast) *edgetest.Peer { return c.m.Session(c.one, "eve") })},
		{frame: wire.TypeSessionHello, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			session := edgetest.NewKey(t)
			h := c.m.Member("eve").SessionHello(session)
			h.Timestamp = wire.MillisAt(time.Now().Add(-time.Hour))
			h.Sign(session)
			turnedAway(t, c, h, wire.CodeTimestampSkew)
		}},
		{frame: wire.TypeResume, do: opens(func(c *cast) *edgetest.Peer { c.ana.Cut(); c.ana = c.ana.Resume(c.other); return c.ana })},
	}
}

func presenceLines() []line {
	title := "engineer"
	return []line{
		{
			frame: wire.TypeListPeers, ask: func(*cast) wire.Request { return &wire.ListPeers{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.PeersList) error { return is(len(r.Peers) == 3) }),
		},
		{
			frame: wire.TypeListMembers, ask: func(*cast) wire.Request { return &wire.ListMembers{ReqID: reqID()} },
			reply: answered(func(_ *cast, r *wire.MembersList) error { return is(len(r.Members) == 3 && r.Members[0].Online) }),
		},
		{frame: wire.TypeSetStatus, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			c.ana.Write(&wire.SetStatus{Status: wire.StatusDND, ReqID: reqID()})
			c.listed(t, c.ana.Key(), func(p wire.PeerInfo) bool { return p.Status == wire.StatusDND })
		}, wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.SetStatus{Status: "asleep", ReqID: reqID()}})},
		{frame: wire.TypeSetSummary, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			c.ana.Write(&wire.SetSummary{Summary: "it's \"this\"", ReqID: reqID()})
			c.listed(t, c.ana.Key(), func(p wire.PeerInfo) bool { return p.Summary != nil && *p.Summary == "it's \"this\"" })
		}, wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.SetSummary{Summary: tooMuch, ReqID: reqID()}})},
		{frame: wire.TypeSetStats, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			c.ana.WriteText(`{"type":"set_stats","stats":{"toolCalls":7}}`)
			c.listed(t, c.ana.Key(), func(p wire.PeerInfo) bool { return p.Stats != nil })
		}},
		{frame: wire.TypeSetProfile, ask: func(*cast) wire.Request {
			return &wire.SetProfile{Profile: wire.Profile{Title: &title}, ReqID: reqID()}
		}, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeInvalidArgument: &wire.SetProfile{Profile: wire.Profile{Bio: &tooMuch}, ReqID: reqID()},
		})},
		{frame: wire.TypeJoinGroup, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			c.ana.Write(&wire.JoinGroup{Name: "o'neill's \"team\"", Role: "lead"})
			c.listed(t, c.ana.Key(), func(p wire.PeerInfo) bool { return len(p.Groups) == 1 && p.Groups[0].Name == "o'neill's \"team\"" })
		}, wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.JoinGroup{Name: tooMuch, ReqID: reqID()}})},
		{frame: wire.TypeLeaveGroup, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			c.ana.Write(&wire.LeaveGroup{Name: "o'neill's \"team\""})
			c.listed(t, c.ana.Key(), func(p wire.PeerInfo) bool { return len(p.Groups) == 0 })
		}, wrong: refuses(map[wire.Code]wire.Request{wire.CodeInvalidArgument: &wire.LeaveGroup{Name: "a\x00b", ReqID: reqID()}})},
		{
			frame: wire.TypeSetVisible, ask: func(*cast) wire.Request { return &wire.SetVisible{ReqID: reqID()} },
			told: event(wire.EventPeerHidden),
		},
	}
}

func messageLines() []line {
	return []line{
		{frame: wire.TypeSend, do: func(t *testing.T, c *cast, saw func(wire.Type)) {
			c.note["message"] = c.ana.Send(c.bob.Key(), "hello")
			saw(wire.TypeAck)
			saw(c.bob.Peek().FrameType())
			for target, want := range map[string]string{strings.Repeat("9", 64): "no connected peer", "": "invalid", "#none": "invalid"} {
				if ack := c.ana.Message(target, "x"); ack.Queued || !strings.Contains(ack.Error, want) {
					t.Errorf("send to %q: %+v", target, *ack)
				}
			}
			if ack := c.ana.Message(c.bob.Key(), tooMuch); ack.Queued || !strings.HasPrefix(ack.Error, "payload too large") {
				t.Errorf("send of too much: %+v", *ack)
			}
		}},
		{frame: wire.TypeClientAck, do: func(t *testing.T, c *cast, _ func(wire.Type)) {
			c.bob.Write(&wire.ClientAck{BrokerMessageID: c.note["message"]})
			edgetest.Eventually(t, func() error {
				r := ask[*wire.MessageStatusResult](c.ana, &wire.MessageStatus{MessageID: c.note["message"], ReqID: reqID()})
				return is(r.Delivered)
			})
		}},
		{frame: wire.TypeMessageStatus, ask: func(c *cast) wire.Request {
			return &wire.MessageStatus{MessageID: c.note["message"], ReqID: reqID()}
		}, wrong: refuses(map[wire.Code]wire.Request{
			wire.CodeNotFound: &wire.MessageStatus{MessageID: "d0000000" + strings.Repeat("x", 24), ReqID: reqID()},
		})},
	}
}

func connectionLines() []line {
	return []line{
		{frame: wire.TypeSync, ask: func(*cast) wire.Request { return &wire.Sync{ReqID: reqID()} }},
		{frame: wire.TypeGoodbye, do: func(t *testing.T, c *cast, saw func(wire.Type)) {
			eve := c.m.Session(c.one, "eve")
			eve.Write(&wire.Goodbye{})
			eve.ExpectClose(wire.CloseNormal, wire.ReasonGoodbye)
			c.bob.Event(wire.EventPeerLeft)
			third := edgetest.Start(t, edgetest.WithRedis(c.one.Redis))
			eve = c.m.Session(third, "eve")
			third.Drain()
			saw(edgetest.Next[*wire.Restarting](eve).FrameType())
			eve.ExpectClose(wire.CloseRestarting, wire.ReasonRestarting)
		}},
	}
}
