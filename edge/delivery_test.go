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

func TestRefusedSendsSayWhy(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	if _, err := e.Registry.SetGrants(t.Context(), m.ID, bob.Member.Pub(), wire.Grants{ana.Member.Pub(): {wire.CapRead}}); err != nil {
		t.Fatal(err)
	}
	unknown := wire.PublicKey(edgetest.NewKey(t))
	for name, c := range map[string]struct{ target, text, want string }{
		"an unknown key":         {unknown, "x", wire.AckNoRecipient},
		"a name instead":         {"bob", "x", wire.AckNoRecipient},
		"one's own key":          {ana.Key(), "x", wire.AckNoRecipient},
		"who does not want it":   {bob.Key(), "x", wire.AckBlocked},
		"a topic":                {"#general", "x", wire.AckInvalid("there is no such topic, or it is not for you")},
		"more than one may send": {bob.Key(), strings.Repeat("x", 60_000), wire.AckTooLarge(80_000 + 64)},
	} {
		if ack := ana.Message(c.target, c.text); ack.Queued || ack.Error != c.want {
			t.Errorf("to %s: %+v", name, ack)
		}
	}
	for _, c := range []struct{ frame, want string }{
		{`{"type":"send","id":"1"}`, "targetSpec is missing"},
		{`{"type":"send","id":"1","targetSpec":"*","priority":"urgent"}`, "priority"},
		{`{"type":"send","id":"1","targetSpec":7}`, "targetSpec"},
	} {
		ana.WriteText(c.frame)
		if ack := ana.AwaitAck("1"); ack.Queued || !strings.Contains(ack.Error, "invalid") || !strings.Contains(ack.Error, c.want) {
			t.Errorf("%s: %+v", c.frame, ack)
		}
	}
}

func TestAMemberMayNotSendFasterThanItsRate(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(func(c *edge.Config) { c.SendRate, c.SendBurst = 60, 10 }))
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	for i := range 12 {
		ack := ana.Message("*", "x")
		if want := i < 10; ack.Queued != want {
			t.Fatalf("send %d: %+v", i, ack)
		}
		if i >= 10 && ack.Error != "rate_limit: max 60 msg/min (burst 10) — slow down" {
			t.Fatalf("send %d: %+v", i, ack)
		}
	}
}

func TestAcksComeInTheOrderOfSends(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	var want []string
	for i := range 30 {
		want = append(want, ana.Post([]string{bob.Key(), "*", "nobody"}[i%3], "x"))
	}
	var got []string
	for range want {
		got = append(got, edgetest.Next[*wire.Ack](ana).ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAMessageWaitsForAMemberThatIsAway(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	bob := m.Member("bob")
	id := ana.Send(bob.Pub(), "when you are here")
	if got := bob.Session(e).Receive(); got.MessageID != id {
		t.Errorf("got %+v", got)
	}
}

func TestAWorkingPeerIsGivenUrgentMessagesOnlyUntilItIsIdle(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	bob.Write(&wire.SetStatus{Status: wire.StatusWorking})
	bob.Pushes()
	for _, lane := range []wire.Lane{wire.LaneNext, wire.LaneLow, wire.LaneNow} {
		ana.Send(bob.Key(), string(lane), func(s *wire.Send) { s.Priority = lane })
	}
	if got := bob.Pushes(); len(got) != 1 || edgetest.Text(got[0]) != "now" {
		t.Errorf("while working: %d pushes", len(got))
	}
	bob.Write(&wire.SetStatus{Status: wire.StatusIdle})
	for _, want := range []string{"next", "low"} {
		if got := bob.Receive(); edgetest.Text(got) != want {
			t.Errorf("got %q, want %q", edgetest.Text(got), want)
		}
	}
	if ana.List()[1].Status != wire.StatusIdle {
		t.Error("the list does not show the status")
	}
}

func TestAWorkingPeerIsTakenForIdleAfterAWhile(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithLease(3*time.Second),
		edgetest.WithServer(func(s *edge.Server) { s.SetWorkingTTL(100 * time.Millisecond) }))
	m := e.NewMesh()
	ana, bob, cho := m.Session(e, "ana"), m.Session(e, "bob"), m.Session(e, "cho")
	bob.Write(&wire.SetStatus{Status: wire.StatusWorking})
	cho.Write(&wire.SetStatus{Status: wire.StatusDND})
	bob.Settle()
	cho.Settle()
	ana.Send(bob.Key(), "held")
	bob.Receive()
	if got := ana.List()[2].Status; got != wire.StatusDND {
		t.Errorf("dnd was swept to %s", got)
	}
}

func TestWhatIsNotAckedComesAgainAtTheNextConnectUnderItsOwnID(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(one, "bob")
	id := ana.Send(bob.Key(), "again")
	for _, at := range []*edgetest.Edge{one, other, one} {
		if got := bob.Peek(); got.MessageID != id {
			t.Fatalf("got %s, want %s", got.MessageID, id)
		}
		bob.Cut()
		bob = bob.Again(at)
	}
	bob.Receive()
	bob.Settle()
	bob.Cut()
	bob.Again(other).ExpectNothing()
}

func TestAnAckMayNameTheMessageByItsAuthorsIDAlone(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	ana.Send(bob.Key(), "x", func(s *wire.Send) { s.ClientMessageID = "mine" })
	bob.Peek()
	bob.Write(&wire.ClientAck{ClientMessageID: "mine"})
	bob.Settle()
	bob.Cut()
	bob.Again(e).ExpectNothing()
}

func TestAMemberKeyIsReadByOneConnectionAndHandedOver(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	bob := m.Member("bob")
	first, second := bob.Session(one), bob.Session(other)
	first.Pushes()
	second.Pushes()
	id := ana.Send(bob.Pub(), "to the member")
	if got := first.Peek(); got.MessageID != id { // came first, so it reads
		t.Errorf("got %+v", got)
	}
	second.ExpectNothing()
	first.Cut()
	if got := second.Receive(); got.MessageID != id { // not acked, so it is handed over
		t.Errorf("got %+v", got)
	}
	second.Settle()
	// Who acks is preferred, even to one that came before.
	first = first.Again(one)
	id = ana.Send(bob.Pub(), "to the one that acks")
	if got := second.Receive(); got.MessageID != id {
		t.Errorf("got %+v", got)
	}
	first.ExpectNothing()
}

func TestSelfMessagesOnAKeyLessConnectionNameNoMember(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	bob := m.Member("bob")
	daemon := bob.Control(e)
	session := bob.Session(e)
	ana := m.Session(e, "ana")
	// The session reads the member's inbox before an unproven connection does,
	// so it has to go first.
	session.Write(&wire.Goodbye{})
	session.Closed()
	sibling := bob.Session(e, func(h *wire.SessionHello) { h.Transient = true })
	sibling.Send(bob.Pub(), "from myself")
	if got := daemon.Receive(); got.SenderMemberPubkey != "" || got.SenderPubkey != sibling.Key() {
		t.Errorf("push: %+v", got)
	}
	ana.Send(bob.Pub(), "from ana")
	if got := daemon.Receive(); got.SenderMemberPubkey != ana.Member.Pub() {
		t.Errorf("push: %+v", got)
	}
}

func TestAPeerThatNeverAcksIsNeitherFloodedNorLocksOthersOut(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	bob := m.Member("bob")
	const waiting = 150 // more than one window
	var want []string
	for i := range waiting {
		want = append(want, fmt.Sprint(i))
		ana.Post(bob.Pub(), want[i])
	}
	ana.Settle()

	mute := edgetest.Dial(t, e)
	mute.Mute()
	hello := bob.Hello()
	mute.Write(hello)
	edgetest.Next[*wire.HelloAck](mute)
	var got []string
	for range 64 {
		got = append(got, edgetest.Text(edgetest.NextIf(mute, func(p *wire.Push) bool { return !p.IsEvent() })))
	}
	mute.Write(&wire.ListPeers{ReqID: "1"})
	edgetest.Next[*wire.PeersList](mute)
	if more := texts(mute.Frames()); len(more) > 0 {
		t.Errorf("%d messages beyond the window", len(more))
	}
	if !slices.Equal(got, want[:64]) {
		t.Errorf("got %q", got)
	}
	mute.Cut()

	// With answered pings the rest follows; after the fifth push it is over.
	for round := range 6 {
		daemon := bob.Control(e, func(h *wire.Hello) { h.SessionID = hello.SessionID })
		var got []string
		for _, p := range daemon.Pushes() {
			if !p.IsEvent() {
				got = append(got, edgetest.Text(p))
			}
		}
		if round < 5 && !slices.Equal(got, want) || round == 5 && len(got) > 0 {
			t.Errorf("round %d: %d messages", round, len(got))
		}
		// The answers to the last pings must have been taken.
		edgetest.Eventually(t, func() error { return confirmed(t, e, m, bob, round+1) })
		daemon.Cut()
	}
}

// confirmed says whether every waiting message of a member was confirmed so
// often, or is gone.
func confirmed(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, member *edgetest.Member, times int) error {
	t.Helper()
	keys, err := e.Client.Raw().Keys(t.Context(), "tries:*"+m.ID+":"+member.Pub()).Result()
	if err != nil {
		t.Fatal(err)
	}
	if times >= 5 {
		if len(keys) > 0 {
			return fmt.Errorf("still counted: %q", keys)
		}
		return nil
	}
	for _, key := range keys {
		tries, err := e.Client.Raw().HVals(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tries {
			if n != fmt.Sprint(times) {
				return fmt.Errorf("confirmed %s times, not %d", n, times)
			}
		}
		if len(tries) == 150 {
			return nil
		}
	}
	return fmt.Errorf("not all is confirmed")
}

func TestAMessageToAClaimReachesItWhileItIsThere(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	claimed := wire.PublicKey(edgetest.NewKey(t))
	bob := m.Member("bob").Control(other, func(h *wire.Hello) { h.SessionPubkey = claimed })
	id := ana.Send(claimed, "to the claim")
	if got := bob.Receive(); got.MessageID != id {
		t.Errorf("got %+v", got)
	}
	bob.Close(1000)
	ana.Event(wire.EventPeerLeft)
	edgetest.Eventually(t, func() error {
		if ack := ana.Message(claimed, "anybody?"); ack.Error != wire.AckNoRecipient {
			return fmt.Errorf("ack: %+v", ack)
		}
		return nil
	})
}

func TestS3_NamingAKeyTakesNothingOver(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	sender := m.Session(one, "sender")
	ana := m.Session(one, "ana")
	thief := m.Member("thief")
	naming := func(h *wire.Hello) { h.SessionPubkey = ana.Key() }

	claim := thief.Control(other, naming)
	if claim.Ack.Resumed {
		t.Error("a claim resumed a proven session")
	}
	sender.Send(ana.Key(), "for ana")
	ana.Receive()
	claim.ExpectNoMessage()

	ana.Cut() // nor while ana is away
	sender.Send(ana.Key(), "for ana again")
	claim.ExpectNoMessage()
	late := m.Member("late").Control(one, naming)
	late.ExpectNoMessage()
	ana = ana.Again(other)
	if got := ana.Receive(); !ana.Ack.Resumed || edgetest.Text(got) != "for ana again" {
		t.Errorf("got %+v", got)
	}

	// A handshake that was heard on the wire is worth nothing to another
	// member, and a session key proves itself only.
	h := thief.SessionHello(edgetest.NewKey(t))
	h.SessionPubkey = ana.Key()
	h.ParentAttestation = wire.Attest(thief.Key, ana.Key(), time.Now().Add(time.Hour))
	h.Sign(thief.Key)
	conn := edgetest.Dial(t, one)
	conn.Write(h)
	conn.ExpectError(wire.CodeBadSignature)

	// Two members that name the same session id and host stay apart.
	daemon := m.Member("ana").Control(one, func(h *wire.Hello) { h.SessionID = "daemon-1" })
	thief.Control(one, func(h *wire.Hello) { h.SessionID = "daemon-1" })
	daemon.Settle()
	ana.Settle()
}
