package edge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestL1_AResumeOnAnyEdgeIsSeenByNobody(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	watcher := m.Session(one, "watcher")
	ana := m.Session(one, "ana")
	watcher.Event(wire.EventPeerJoined)
	presence := ana.Ack.PresenceID
	for i, way := range []func(){
		func() { ana.Cut(); ana = ana.Resume(one) },
		func() { ana.Cut(); ana = ana.Resume(other) },
		func() { ana.Close(1000); ana = ana.Resume(one) },
		func() { ana.Close(1001); ana = ana.Resume(other) },
		func() { ana = ana.Resume(one) }, // the old socket is still open
	} {
		token := ana.Ack.ResumeToken
		way()
		if a := ana.Ack; !a.Resumed || a.Resync || a.PresenceID != presence || a.LeaseMs != 90_000 || a.MemberDisplayName != "ana" {
			t.Errorf("way %d: %+v", i, a)
		}
		if ana.Ack.ResumeToken == "" || ana.Ack.ResumeToken == token {
			t.Errorf("way %d: no fresh token", i)
		}
		watcher.ExpectNothing()
		if peers := watcher.List(); len(peers) != 2 {
			t.Errorf("way %d: %d peers", i, len(peers))
		}
	}
}

// TestL4_AResumeIsFollowedByEverythingThatWasMissed holds that the answer comes
// first, then the journal in order, then the messages in order.
func TestL4_AResumeIsFollowedByEverythingThatWasMissed(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	sender := m.Session(one, "sender")
	ana := m.Member("ana").Session(one, func(h *wire.SessionHello) { h.Groups = []wire.Group{{Name: "dev"}} })
	ana.Settle()
	ana.Frames()
	ana.Cut()
	var want []string
	for i := range 5 {
		sender.Send("*", fmt.Sprint("all ", i))
		sender.Send("@dev", fmt.Sprint("group ", i))
		sender.Send("@ops", "not for ana")
		want = append(want, fmt.Sprint("all ", i), fmt.Sprint("group ", i))
	}
	for i := range 5 {
		sender.Send(ana.Key(), fmt.Sprint("direct ", i))
		want = append(want, fmt.Sprint("direct ", i))
	}
	first := ana.Resumption()
	conn := edgetest.Dial(t, other)
	conn.Write(first)
	conn.Write(&wire.Sync{ReqID: "1"})
	edgetest.Next[*wire.Synced](conn)
	frames := conn.Frames()
	if _, ok := frames[0].(*wire.HelloAck); !ok {
		t.Errorf("first comes %T", frames[0])
	}
	if got := texts(frames); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestL4_AResumeGoesOnFromTheCursorItNames holds that what was processed does
// not come again, although the edge cannot know that it was.
func TestL4_AResumeGoesOnFromTheCursorItNames(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	sender, ana := m.Session(one, "sender"), m.Session(one, "ana")
	sender.Send("*", "seen")
	seen := ana.Peek()
	ana.Cut()
	sender.Send("*", "missed")
	ana = ana.Resume(other, func(r *wire.Resume) { r.Cursor = seen.Cursor })
	if got := pushTexts(ana.Pushes()); !slices.Equal(got, []string{"missed"}) {
		t.Errorf("got %q", got)
	}
	ana.Cut()
	for _, key := range journalKeys(t, one, m) {
		if err := one.Client.Raw().Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if ana = ana.Resume(one, func(r *wire.Resume) { r.Cursor = seen.Cursor }); !ana.Ack.Resync {
		t.Error("a gap that cannot be bridged is not told")
	}
}

// TestL3_WhoResumesSpeaksAlone holds that the attachment before is over, open
// socket or not.
func TestL3_WhoResumesSpeaksAlone(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	bob := m.Session(one, "bob")
	old := m.Session(one, "ana")
	bob.Event(wire.EventPeerJoined)
	for _, at := range []*edgetest.Edge{other, one, one} {
		fresh := old.Resume(at)
		old.Post(bob.Key(), "from the grave")
		old.Write(&wire.SetSummary{Summary: "from the grave"})
		old.ExpectClose(wire.CloseNormal, wire.ReasonSessionReplaced)
		fresh.Send(bob.Key(), "alive")
		if got := bob.Receive(); edgetest.Text(got) != "alive" {
			t.Errorf("got %q", edgetest.Text(got))
		}
		if p := find(t, fresh.List(), fresh.Key()); p.Summary != nil {
			t.Errorf("summary %q", *p.Summary)
		}
		old = fresh
	}
	bob.ExpectNothing()
}

// TestL3_AResumeServesOnce plays a captured frame again, on either edge, while
// its signature is still fresh: it must not move the lease.
func TestL3_AResumeServesOnce(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	captured := ana.Resumption()
	ana.Cut()
	fresh := ana.Resume(one)
	for _, at := range []*edgetest.Edge{one, other} {
		thief := edgetest.Dial(t, at)
		thief.Write(captured)
		thief.ExpectError(wire.CodeResumeRefused)
		thief.Write(captured) // it may not go on trying either
		thief.ExpectError(wire.CodeResumeRefused)
		thief.ExpectClose(wire.CloseRefused, string(wire.CodeResumeRefused))
	}
	fresh.Settle() // still the holder
	fresh.Write(&wire.Goodbye{})
	fresh.ExpectClose(wire.CloseNormal, wire.ReasonGoodbye)
	late := edgetest.Dial(t, other)
	late.Write(fresh.Resumption())
	late.ExpectError(wire.CodeResumeRefused)
}

func TestL2_WhoHearsTheAnswerToAGoodbyeHasLeft(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	for range 10 {
		ana := m.Session(e, "ana")
		ana.Write(&wire.Goodbye{})
		ana.ExpectClose(wire.CloseNormal, wire.ReasonGoodbye)
		if leases, err := e.Client.Raw().Keys(t.Context(), "lease:*").Result(); err != nil || len(leases) != 0 {
			t.Fatalf("leases: %q, %v", leases, err)
		}
	}
}

// TestARefusedResumeCostsARoundTripAndNoSocket holds for every reason for which
// a token does not serve that is not its bearer's fault.
func TestARefusedResumeCostsARoundTripAndNoSocket(t *testing.T) {
	t.Parallel()
	const lease = time.Second
	e := edgetest.Start(t, edgetest.WithLease(lease))
	m := e.NewMesh()
	watcher := m.Session(e, "watcher")
	ana := m.Session(e, "ana")
	watcher.Event(wire.EventPeerJoined)
	for name, frame := range map[string]func() string{
		"no token":        func() string { return `{"type":"resume"}` },
		"nonsense":        func() string { return `{"type":"resume","token":"nonsense"}` },
		"a list":          func() string { return `{"type":"resume","token":[1]}` },
		"a strange field": func() string { return `{"type":"resume","token":"x","cursor":{}}` },
		"lease over": func() string {
			b, err := wire.Encode(ana.Resumption())
			if err != nil {
				t.Fatal(err)
			}
			ana.Cut()
			watcher.Event(wire.EventPeerLeft)
			return string(b)
		},
	} {
		conn := edgetest.Dial(t, e)
		conn.WriteText(frame())
		conn.ExpectError(wire.CodeResumeRefused)
		if name != "lease over" {
			continue
		}
		again := ana.Greet(conn)
		if again.Ack.Resumed {
			t.Error("who had left was resumed")
		}
		watcher.Event(wire.EventPeerJoined)
		again.Settle()
	}
}

func TestARefusedResumeLeavesOnlySoMuchTimeForAHello(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.HelloWithin = 100 * time.Millisecond }))
	conn := edgetest.Dial(t, e)
	conn.WriteText(`{"type":"resume","token":"nonsense"}`)
	conn.ExpectError(wire.CodeResumeRefused)
	conn.ExpectError(wire.CodeHelloTimeout)
	conn.ExpectClose(wire.CloseHelloTimeout, wire.ReasonHelloTimeout)
}

func TestAResumeAfterTheHandshakeIsRefused(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	ana.Write(ana.Resumption())
	ana.ExpectError(wire.CodeAlreadySaidHello)
	ana.Settle()
}

// TestS3_AStolenTokenIsWorthlessWithoutTheKey tries each key that a thief of
// the token might have instead.
func TestS3_AStolenTokenIsWorthlessWithoutTheKey(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	elsewhere := e.NewMesh()
	ana := m.Session(e, "ana")
	sibling, bob := ana.Member.Session(e), m.Session(e, "bob")
	control := ana.Member.Control(e)
	named := ana.Member.Control(e, func(h *wire.Hello) { h.SessionPubkey = bob.Key() })
	for name, sign := range map[string]func(*wire.Resume){
		"its member's key":      func(r *wire.Resume) { r.Sign(m.ID, ana.Member.Key) },
		"another session's key": sibling.SignResume,
		"another member's key":  bob.SignResume,
		"for another mesh":      func(r *wire.Resume) { ana.SignResume(r); r.Sign(elsewhere.ID, edgetest.NewKey(t)) },
		"no signature":          func(r *wire.Resume) { r.Signature = strings.Repeat("0", 128) },
	} {
		r := ana.Resumption()
		sign(r)
		thief := edgetest.Dial(t, e)
		thief.Write(r)
		thief.ExpectError(wire.CodeBadSignature)
		thief.ExpectClose(wire.CloseRefused, string(wire.CodeBadSignature))
		ana.Settle() // name keeps the lease
		_ = name
	}
	// A key that was only named does not prove what names it, either.
	for _, p := range []*edgetest.Peer{control, named} {
		r := p.Resumption()
		bob.SignResume(r)
		thief := edgetest.Dial(t, e)
		thief.Write(r)
		thief.ExpectError(wire.CodeBadSignature)
	}
}

func TestAResumeOutsideTheClockSkewIsRefused(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	for _, at := range []wire.Millis{ago(61 * time.Second), ago(-61 * time.Second)} {
		r := ana.Resumption()
		r.Timestamp = at
		ana.SignResume(r)
		conn := edgetest.Dial(t, e)
		conn.Write(r)
		conn.ExpectError(wire.CodeTimestampSkew)
	}
	ana.Settle()
}
