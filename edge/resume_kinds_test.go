package edge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// TestWhatAPeerWasItStaysWhenItResumes holds because a resume says nothing of
// the peer: all of it comes from the record and the registry.
func TestWhatAPeerWasItStaysWhenItResumes(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	sender := m.Session(one, "sender")
	ana := m.Member("ana").Session(one, func(h *wire.SessionHello) { h.Groups = []wire.Group{{Name: "dev/core"}} })
	ana.Write(&wire.JoinGroup{Name: "ops"})
	ana.Write(&wire.SetSummary{Summary: "at work"})
	ana.Write(&wire.SetStatus{Status: wire.StatusDND})
	ana.Settle()
	before := find(t, ana.List(), ana.Key())
	ana.Cut()
	ana = ana.Resume(other)
	after := find(t, ana.List(), ana.Key())
	if *after.Summary != "at work" || after.Status != wire.StatusDND || !slices.Equal(after.Groups, before.Groups) ||
		after.ConnectedAt != before.ConnectedAt || after.Cwd != before.Cwd || after.PeerRole != before.PeerRole {
		t.Errorf("listed as\n%+v, before\n%+v", after, before)
	}
	sender.Send("@dev", "to dev")
	sender.Send("@ops", "to ops")
	sender.Send("@other", "to others")
	sender.Send(ana.Key(), "held back from who is busy")
	if got := pushTexts(ana.Pushes()); !slices.Equal(got, []string{"to dev", "to ops"}) {
		t.Errorf("got %q", got)
	}
	ana.Send("*", "hello")
	got := sender.Receive()
	if got.SenderName != "ana" || got.SenderMemberID != ana.Member.ID || got.SenderPubkey != ana.Key() {
		t.Errorf("sent as %+v", got)
	}
}

func TestAHiddenPeerStaysHiddenWhenItResumes(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	bob, ana := m.Session(one, "bob"), m.Session(one, "ana")
	bob.Event(wire.EventPeerJoined)
	ana.Write(&wire.SetVisible{Visible: false})
	bob.Event(wire.EventPeerHidden)
	ana.Cut()
	ana = ana.Resume(other)
	bob.Send("*", "to who is visible")
	ana.ExpectNoMessage()
	if peers := bob.List(); len(peers) != 1 {
		t.Errorf("bob sees %d peers", len(peers))
	}
	bob.ExpectNothing()
}

// TestATransientPeerIsGivenNoToken holds because it leaves with its socket: it
// has nothing to come back to.
func TestATransientPeerIsGivenNoToken(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	passing := e.NewMesh().Member("ana").Session(e, func(h *wire.SessionHello) { h.Transient = true })
	if passing.Ack.ResumeToken != "" {
		t.Error("a token")
	}
}

// TestMemberConnectionsResumeByTheMembersKey covers those without a session
// key, and those that merely named one.
func TestMemberConnectionsResumeByTheMembersKey(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	bob := m.Session(one, "bob")
	named := wire.PublicKey(edgetest.NewKey(t))
	for name, change := range map[string]func(*wire.Hello){
		"keyless": func(*wire.Hello) {},
		"claim":   func(h *wire.Hello) { h.SessionPubkey = named },
	} {
		p := m.Member(name).Control(one, change)
		bob.Event(wire.EventPeerJoined)
		p.Cut()
		bob.Send(p.Member.Pub(), "while away")
		p = p.Resume(other)
		if !p.Ack.Resumed || p.Ack.Services == nil || p.Ack.MemberProfile == nil || p.Ack.Restored {
			t.Errorf("%s: %+v", name, p.Ack)
		}
		if got := edgetest.Text(p.Receive()); got != "while away" {
			t.Errorf("%s: got %q", name, got)
		}
		bob.Send(p.Key(), "to its key")
		if got := edgetest.Text(p.Receive()); got != "to its key" {
			t.Errorf("%s: got %q", name, got)
		}
		p.Send(bob.Key(), "answer")
		if got := bob.Receive(); got.SenderPubkey != p.Key() {
			t.Errorf("%s: sent by %s", name, got.SenderPubkey)
		}
		bob.ExpectNothing()
	}
}

// TestAResumeIsToldWhatTheOwnerChangedMeanwhile holds because the bell that
// says so is heard by connections only.
func TestAResumeIsToldWhatTheOwnerChangedMeanwhile(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	sender, ana := m.Session(e, "sender"), m.Session(e, "ana")
	ana.Settle()
	ana.Cut()
	p := &wire.GroupPolicy{Mode: wire.GroupPlain, Counter: 3, SignedAt: wire.MillisAt(time.Now())}
	p.Sign(m.ID, m.Owner)
	if err := e.Registry.SetGroupPolicy(t.Context(), m.ID, *p); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Registry.SetGrants(t.Context(), m.ID, ana.Member.Pub(), wire.Grants{sender.Member.Pub(): {}}); err != nil {
		t.Fatal(err)
	}
	ana = ana.Resume(e)
	if got := ana.Ack.GroupPolicy; got == nil || got.Counter != 3 || got.Signature != p.Signature {
		t.Errorf("policy %+v", got)
	}
	sender.Send("*", "to who lets me")
	ana.ExpectNoMessage()
}

func TestS2_NobodyResumesWhoWasBanned(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	bob := m.Session(one, "bob")
	r := bob.Resumption()
	bob.Cut()
	if err := one.Registry.Ban(t.Context(), m.ID, bob.Member.Pub()); err != nil {
		t.Fatal(err)
	}
	for _, at := range []*edgetest.Edge{one, other} {
		conn := edgetest.Dial(t, at)
		conn.Write(r)
		if e := conn.ExpectError(wire.CodeRevoked); !strings.Contains(e.Message, "Test Mesh") {
			t.Errorf("told %q", e.Message)
		}
		conn.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
	}
}

// TestEachKeyInUseOpensItsTokens rotates the key as operators are told to: the
// new one everywhere behind the old, then before it, then alone.
func TestEachKeyInUseOpensItsTokens(t *testing.T) {
	t.Parallel()
	const first, second = "the first key is long enough to be one", "the second key is long enough as well"
	keys := func(keys string) edgetest.Option {
		return edgetest.WithConfig(func(c *edge.Config) { c.ResumeKeys = edge.Secret(keys) })
	}
	old := edgetest.Start(t, keys(first))
	knows := edgetest.Start(t, edgetest.WithRedis(old.Redis), keys(first+", "+second))
	makes := edgetest.Start(t, edgetest.WithRedis(old.Redis), keys(second+","+first))
	alone := edgetest.Start(t, edgetest.WithRedis(old.Redis), keys(second))
	ana := old.NewMesh().Session(old, "ana")
	for _, at := range []*edgetest.Edge{knows, makes, alone, knows, old} {
		ana.Cut()
		ana = ana.Resume(at)
	}
	ana.Cut()
	conn := edgetest.Dial(t, alone)
	conn.Write(ana.Resumption()) // made by a key that this edge has not
	conn.ExpectError(wire.CodeResumeRefused)
	if again := ana.Greet(conn); !again.Ack.Resumed {
		t.Error("the whole handshake is not resumed")
	}
}

// TestAResumeAsksRedisOnce counts what an edge asks about a peer before it
// answers. What it asks first thing afterwards is who reads the inbox.
func TestAResumeAsksRedisOnce(t *testing.T) {
	t.Parallel()
	const everything = "0"
	e := edgetest.Start(t, edgetest.WithRedisConf("slowlog-log-slower-than "+everything, "slowlog-max-len 4096"))
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	ana.Settle()
	// asked counts the commands about ana since the last call, up to the first
	// about the readers of an inbox.
	asked := func() (n int) {
		log, err := e.Client.Raw().SlowLogGet(t.Context(), -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(log) // oldest first
		for _, entry := range log {
			about := strings.Join(entry.Args, " ")
			inScript := strings.HasPrefix(entry.ClientAddr, "?")
			if inScript || !strings.Contains(about, ana.Member.Pub()) {
				continue
			}
			if strings.Contains(about, "reader:") {
				return n
			}
			n++
		}
		t.Fatal("nobody asks for the inbox")
		return 0
	}
	forget := func() {
		if err := e.Client.Raw().SlowLogReset(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	ana = ana.Resume(e)
	ana.Settle()
	if n := asked(); n != 1 {
		t.Errorf("a resume takes %d commands", n)
	}
	forget()
	ana.Again(e).Settle()
	if n := asked(); n < 2 {
		t.Errorf("a whole handshake takes %d commands: they are not counted", n)
	}
}
