package edge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func ago(d time.Duration) wire.Millis { return wire.MillisAt(time.Now().Add(-d)) }

func TestEachRefusedHelloHasItsCode(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	member, stranger := m.Member("ana"), edgetest.NewKey(t)
	for name, c := range map[string]struct {
		change func(*wire.Hello)
		after  func(*wire.Hello)
		code   wire.Code
	}{
		"a session key in capitals":  {code: wire.CodeBadSessionPubkey, change: func(h *wire.Hello) { h.SessionPubkey = strings.Repeat("A", 64) }},
		"a time too long ago":        {code: wire.CodeTimestampSkew, change: func(h *wire.Hello) { h.Timestamp = ago(61 * time.Second) }},
		"a time too far ahead":       {code: wire.CodeTimestampSkew, change: func(h *wire.Hello) { h.Timestamp = ago(-61 * time.Second) }},
		"a key that is none":         {code: wire.CodeMalformed, after: func(h *wire.Hello) { h.Pubkey = "abc" }},
		"a signature that is none":   {code: wire.CodeMalformed, after: func(h *wire.Hello) { h.Signature = "abc" }},
		"a signature of another":     {code: wire.CodeBadSignature, after: func(h *wire.Hello) { h.Sign(stranger) }},
		"a mesh that does not exist": {code: wire.CodeUnauthorized, change: func(h *wire.Hello) { h.MeshID = wire.NewID(wire.LongID) }},
		"a mesh id that is none":     {code: wire.CodeUnauthorized, change: func(h *wire.Hello) { h.MeshID = "{p1}:x" }},
		"a key that never joined": {code: wire.CodeUnauthorized, after: func(h *wire.Hello) {
			h.Pubkey = wire.PublicKey(stranger)
			h.Sign(stranger)
		}},
		"no session id": {code: wire.CodeInvalidArgument, change: func(h *wire.Hello) { h.SessionID = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := member.Hello()
			if c.change != nil {
				c.change(h)
			}
			h.Sign(member.Key)
			if c.after != nil {
				c.after(h)
			}
			conn := edgetest.Dial(t, e)
			conn.Write(h)
			conn.ExpectError(c.code)
			conn.ExpectClose(wire.CloseRefused, string(c.code))
		})
	}
}

func TestEachRefusedSessionHelloHasItsCode(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	member, other := m.Member("ana"), m.Member("bob")
	session, stranger := edgetest.NewKey(t), edgetest.NewKey(t)
	for name, c := range map[string]struct {
		change func(*wire.SessionHello)
		after  func(*wire.SessionHello)
		code   wire.Code
	}{
		"a session key that is none": {code: wire.CodeBadSessionPubkey, change: func(h *wire.SessionHello) { h.SessionPubkey = "x" }},
		"a parent key that is none":  {code: wire.CodeBadParentPubkey, change: func(h *wire.SessionHello) { h.ParentMemberPubkey = "x" }},
		"no attestation":             {code: wire.CodeAttestationMismatch, change: func(h *wire.SessionHello) { h.ParentAttestation = nil }},
		"an attestation for another": {code: wire.CodeAttestationMismatch, change: func(h *wire.SessionHello) {
			h.ParentAttestation = wire.Attest(member.Key, wire.PublicKey(stranger), time.Now().Add(time.Hour))
		}},
		"an attestation that is over": {code: wire.CodeExpired, change: func(h *wire.SessionHello) {
			h.ParentAttestation = wire.Attest(member.Key, h.SessionPubkey, time.Now().Add(-time.Second))
		}},
		"an attestation for too long": {code: wire.CodeTTLTooLong, change: func(h *wire.SessionHello) {
			h.ParentAttestation = wire.Attest(member.Key, h.SessionPubkey, time.Now().Add(25*time.Hour))
		}},
		"an attestation by somebody else": {code: wire.CodeBadSignature, change: func(h *wire.SessionHello) {
			a := wire.Attest(stranger, h.SessionPubkey, time.Now().Add(time.Hour))
			a.ParentMemberPubkey = h.ParentMemberPubkey
			h.ParentAttestation = a
		}},
		"a time too long ago":            {code: wire.CodeTimestampSkew, change: func(h *wire.SessionHello) { h.Timestamp = ago(61 * time.Second) }},
		"a liveness signature of others": {code: wire.CodeBadSignature, after: func(h *wire.SessionHello) { h.Sign(stranger) }},
		"the id of another member":       {code: wire.CodeParentMemberIDMismatch, change: func(h *wire.SessionHello) { h.ParentMemberID = other.ID }},
		"a mesh that does not exist":     {code: wire.CodeUnauthorized, change: func(h *wire.SessionHello) { h.MeshID = wire.NewID(wire.LongID) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := member.SessionHello(session)
			if c.change != nil {
				c.change(h)
			}
			h.Sign(session)
			if c.after != nil {
				c.after(h)
			}
			conn := edgetest.Dial(t, e)
			conn.Write(h)
			conn.ExpectError(c.code)
			conn.ExpectClose(wire.CloseRefused, string(c.code))
		})
	}
}

func TestAFullMeshRefusesNewcomersButNotThoseWhoComeBack(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.MaxConnectionsPerMesh = 2 }))
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	m.Session(e, "bob")
	third := edgetest.Dial(t, e)
	third.Write(m.Member("cho").SessionHello(edgetest.NewKey(t)))
	third.ExpectError(wire.CodeCapacity)
	third.ExpectClose(wire.CloseRefused, string(wire.CodeCapacity))
	ana.Cut()
	if again := ana.Again(e); !again.Ack.Resumed {
		t.Error("who came back was not resumed")
	}
}

func TestS2_ABannedMemberIsOutAtOnceAndStaysOut(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	other := edgetest.Start(t, edgetest.WithRedis(e.Redis))
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(other, "bob")
	daemon := bob.Member.Control(e)
	if err := e.Registry.Ban(t.Context(), m.ID, bob.Member.Pub()); err != nil {
		t.Fatal(err)
	}
	bob.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
	daemon.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
	ana.Event(wire.EventPeerLeft)
	for _, opening := range []wire.Message{bob.Opening(), daemon.Opening()} {
		conn := edgetest.Dial(t, e)
		conn.Write(opening)
		if got := conn.ExpectError(wire.CodeRevoked); !strings.Contains(got.Message, "Test Mesh") {
			t.Errorf("message %q does not name the mesh", got.Message)
		}
		conn.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
	}
	if peers := ana.List(); len(peers) != 1 {
		t.Errorf("still listed: %+v", peers)
	}
}

func TestS2_ABanReachesAnEdgeThatWasDeaf(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	bob := m.Session(e, "bob")
	bob.Settle()
	if err := e.Client.Raw().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	if err := e.Registry.Ban(t.Context(), m.ID, bob.Member.Pub()); err != nil {
		t.Fatal(err)
	}
	bob.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
}

func TestASilentSocketIsClosedInTime(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.HelloWithin = 50 * time.Millisecond }))
	conn := edgetest.Dial(t, e)
	conn.ExpectError(wire.CodeHelloTimeout)
	conn.ExpectClose(wire.CloseHelloTimeout, wire.ReasonHelloTimeout)
}

func TestStrangersAreBounded(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.MaxStrangers = 1 }))
	m := e.NewMesh()
	stranger := edgetest.Dial(t, e)
	if status := upgradeStatus(t, e, "/ws"); status != 503 {
		t.Errorf("second stranger got %d, want 503", status)
	}
	stranger.Write(m.Member("ana").SessionHello(edgetest.NewKey(t)))
	edgetest.Next[*wire.HelloAck](stranger)
	edgetest.Dial(t, e) // who said hello is no stranger any more
}

func TestTheFirstFrameMustBeAHandshake(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	conn := edgetest.Dial(t, e)
	for _, text := range []string{`{"type":"list_peers"}`, `[1]`, `"hello"`, `not json`, `{"type":7}`, `{"type":"nonsense"}`} {
		conn.WriteText(text)
		conn.ExpectError(wire.CodeNoHello)
	}
	conn.Write(m.Member("ana").SessionHello(edgetest.NewKey(t)))
	edgetest.Next[*wire.HelloAck](conn)
}

func TestAHandshakeInABinaryFrameCounts(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	b, err := wire.Encode(e.NewMesh().Member("ana").SessionHello(edgetest.NewKey(t)))
	if err != nil {
		t.Fatal(err)
	}
	conn := edgetest.Dial(t, e)
	conn.WriteFrame(edgetest.OpBinary, b)
	edgetest.Next[*wire.HelloAck](conn)
}

func TestASecondHelloIsRefusedAndTheFirstStays(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	for _, again := range []wire.Message{ana.Opening(), ana.Member.Hello(), m.Member("bob").SessionHello(edgetest.NewKey(t))} {
		ana.Write(again)
		ana.ExpectError(wire.CodeAlreadySaidHello)
	}
	if peers := ana.List(); len(peers) != 1 || peers[0].Pubkey != ana.Key() {
		t.Errorf("peers: %+v", peers)
	}
}

func TestHelloRestoresWhatWasSavedOfTheMember(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	observer := m.Session(e, "observer")
	first := m.Member("ana").Control(e)
	if first.Ack.Restored || first.Ack.Services == nil {
		t.Errorf("first hello_ack: %+v", first.Ack)
	}
	observer.Event(wire.EventPeerJoined)
	first.Write(&wire.JoinGroup{Name: "it's/a group", Role: "lead"})
	first.Write(&wire.SetSummary{Summary: "at work"})
	messages := 3.0
	first.Write(&wire.SetStats{Stats: wire.Stats{MessagesIn: &messages}})
	first.Write(&wire.Goodbye{})
	first.ExpectClose(wire.CloseNormal, wire.ReasonGoodbye)
	observer.Event(wire.EventPeerLeft)

	again := m.Member("ana").Control(e)
	ack := again.Ack
	if !ack.Restored || ack.LastSeenAt == nil || ack.LastSummary != "at work" ||
		ack.RestoredStats == nil || ack.RestoredStats.MessagesIn != 3 ||
		len(ack.RestoredGroups) != 1 || ack.RestoredGroups[0].Name != "it's/a group" {
		t.Errorf("hello_ack: %+v", ack)
	}
	event := observer.Event(wire.EventPeerReturned)
	if text := string(event.EventData); !strings.Contains(text, "at work") || !strings.Contains(text, "lastSeenAt") {
		t.Errorf("event data: %s", text)
	}
	observer.Send("@it's/a group", "welcome back")
	if got := again.Receive(); edgetest.Text(got) != "welcome back" {
		t.Errorf("push: %+v", got)
	}
	again.Write(&wire.SetStats{Stats: wire.Stats{MessagesIn: &messages}})
	again.Write(&wire.Goodbye{})
	observer.Event(wire.EventPeerLeft) // else it would go on with the connection before
	if third := m.Member("ana").Control(e).Ack; third.RestoredStats == nil || third.RestoredStats.MessagesIn != 6 {
		t.Errorf("statistics of two connections: %+v", third.RestoredStats)
	}
}

// TestACommandInBetweenForgetsNothingThatWasSavedOfTheMember: what is saved is
// the member's, and its commands come and go by hello too.
func TestACommandInBetweenForgetsNothingThatWasSavedOfTheMember(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*wire.Hello){
		"of an existing client": func(h *wire.Hello) { h.SessionPubkey = wire.PublicKey(edgetest.NewKey(t)) },
		"that passes":           func(h *wire.Hello) { h.Transient = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := edgetest.Start(t)
			ana := e.NewMesh().Member("ana")
			daemon := ana.Control(e)
			messages := 3.0
			daemon.Write(&wire.SetSummary{Summary: "at work"})
			daemon.Write(&wire.SetStats{Stats: wire.Stats{MessagesIn: &messages}})
			daemon.Write(&wire.Goodbye{})
			awaitSockets(t, e, 0)
			for range 2 {
				passing := ana.Control(e, func(h *wire.Hello) { h.SessionID = wire.NewID(wire.ShortID) }, command)
				passing.Close(1000)
				awaitSockets(t, e, 0)
			}
			ack := ana.Control(e).Ack
			if ack.LastSummary != "at work" || ack.RestoredStats == nil || ack.RestoredStats.MessagesIn != 3 {
				t.Errorf("hello_ack: %+v", ack)
			}
		})
	}
}

func TestTheSameSessionIDEvictsNobody(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	same := func(h *wire.SessionHello) { h.SessionID = "daemon-42" }
	ana := m.Member("ana").Session(e, same)
	bob := m.Member("bob").Session(e, same)
	for i, host := range []string{"one", "two"} {
		m.Member("ana").Control(e, func(h *wire.Hello) { h.SessionID, h.Hostname = "daemon-42", host })
		if peers := ana.List(); len(peers) != 3+i {
			t.Fatalf("%d peers, want %d", len(peers), 3+i)
		}
	}
	bob.Settle()
}

func TestAOneShotCommandLeavesNoGhost(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	for i := range 3 {
		oneShot := m.Member("bob").Control(e, func(h *wire.Hello) {
			h.SessionPubkey = wire.PublicKey(edgetest.NewKey(t))
			h.SessionID = fmt.Sprint("run-", i)
		})
		if len(oneShot.List()) != 2 {
			t.Error("the command is not listed")
		}
		oneShot.Close(1000)
		left := ana.Event(wire.EventPeerLeft)
		if !strings.Contains(string(left.EventData), oneShot.Key()) {
			t.Errorf("event data: %s", left.EventData)
		}
		if peers := ana.List(); len(peers) != 1 {
			t.Errorf("a ghost remains: %+v", peers)
		}
	}
}

func TestATransientPeerIsNeverSeen(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	ghost := m.Member("bob").Session(e, func(h *wire.SessionHello) { h.Transient = true })
	if len(ghost.List()) != 1 {
		t.Error("a transient peer is listed")
	}
	ghost.Send(ana.Key(), "boo")
	ana.Receive()
	ghost.Cut()
	ana.ExpectNothing()
}
