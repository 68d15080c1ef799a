package edge_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func find(t *testing.T, peers []wire.PeerInfo, key string) wire.PeerInfo {
	t.Helper()
	i := slices.IndexFunc(peers, func(p wire.PeerInfo) bool { return p.Pubkey == key })
	if i < 0 {
		t.Fatalf("%s is not listed", key)
	}
	return peers[i]
}

func TestThePeerListShowsWhatPeersSayOfThemselves(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana := m.Member("ana").Session(one, func(h *wire.SessionHello) {
		h.Channel, h.Model, h.Groups = "claudemesh-session", "model-1", []wire.Group{{Name: "dev", Role: "lead"}}
	})
	title, out := "engineer", 4.0
	ana.Write(&wire.SetSummary{Summary: "at work"})
	ana.Write(&wire.SetStats{Stats: wire.Stats{MessagesOut: &out}})
	ana.Write(&wire.SetProfile{Profile: wire.Profile{Title: &title}, ReqID: "p"})
	if ack := ana.AwaitAck("p"); ack.Queued || ack.MessageID != "" || ack.ReqID != "p" {
		t.Errorf("ack: %+v", ack)
	}
	ana.Write(&wire.JoinGroup{Name: "ops"})
	ana.Write(&wire.LeaveGroup{Name: "dev"})
	ana.Write(&wire.SetStatus{Status: wire.StatusDND})
	ana.Settle()
	for range 2 { // it stays so when the peer moves
		p := find(t, m.Session(other, "bob").List(), ana.Key())
		if p.MemberPubkey != ana.Member.Pub() || p.DisplayName != "ana" || p.PeerRole != wire.PeerRoleSession ||
			p.Channel != "claudemesh-session" || p.Model != "model-1" || p.Status != wire.StatusDND ||
			p.Summary == nil || *p.Summary != "at work" || p.Stats == nil || *p.Stats.MessagesOut != 4 ||
			p.Profile == nil || *p.Profile.Title != "engineer" || len(p.Groups) != 1 || p.Groups[0].Name != "ops" ||
			p.Cwd != "/home/ana" || p.Hostname != "host" || p.PeerType != "ai" || p.ConnectedAt.IsZero() {
			t.Errorf("listed as %+v", p)
		}
		ana.Cut()
		ana = ana.Again(other)
	}
}

func TestAHiddenPeerIsSeenByItsMemberOnlyAndStaysReachable(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, sibling, bob := m.Session(e, "ana"), m.Session(e, "ana"), m.Session(e, "bob")
	ana.Pushes()
	bob.Pushes()
	ana.Write(&wire.SetVisible{Visible: false, ReqID: "v"})
	ana.AwaitAck("v")
	if got := bob.Event(wire.EventPeerHidden); !strings.Contains(string(got.EventData), ana.Key()) {
		t.Errorf("event data: %s", got.EventData)
	}
	if n := len(bob.List()); n != 2 {
		t.Errorf("bob sees %d peers", n)
	}
	if n := len(sibling.List()); n != 3 {
		t.Errorf("the sibling sees %d peers", n)
	}
	bob.Send("*", "for the visible")
	ana.ExpectNoMessage()
	bob.Send(ana.Key(), "for you")
	if got := ana.Receive(); edgetest.Text(got) != "for you" {
		t.Errorf("got %+v", got)
	}
	ana.Write(&wire.SetVisible{Visible: true})
	bob.Event(wire.EventPeerVisible)
	if n := len(bob.List()); n != 3 {
		t.Errorf("bob sees %d peers", n)
	}
}

func TestBroadcastsAndGroupsReachWhoTheyAreFor(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	in := func(groups ...string) func(*wire.SessionHello) {
		return func(h *wire.SessionHello) {
			for _, g := range groups {
				h.Groups = append(h.Groups, wire.Group{Name: g})
			}
		}
	}
	ana := m.Session(one, "ana")
	peers := map[string]*edgetest.Peer{
		"sibling": m.Member("ana").Session(other, in("dev")),
		"deep":    m.Member("deep").Session(one, in("dev/core/api")),
		"dev":     m.Member("dev").Session(other, in("dev")),
		"devops":  m.Member("devops").Session(other, in("devops")),
		"deaf":    m.Member("deaf").Session(one, in("dev")),
		"nobody":  m.Member("nobody").Session(one),
	}
	grants := wire.Grants{ana.Member.Pub(): {wire.CapDM}}
	if _, err := one.Registry.SetGrants(t.Context(), m.ID, m.Member("deaf").Pub(), grants); err != nil {
		t.Fatal(err)
	}
	peers["deaf"].Cut() // so that its grants are read anew, bell or not
	peers["deaf"] = peers["deaf"].Again(one)
	for _, p := range peers {
		p.Pushes()
	}
	for target, want := range map[string][]string{
		"*":         {"deep", "dev", "devops", "nobody"},
		"@all":      {"deep", "dev", "devops", "nobody"},
		"@dev":      {"deep", "dev"},
		"@dev/core": {"deep"},
		"@devops":   {"devops"},
		"@none":     nil,
		"@":         nil,
	} {
		ana.Send(target, target)
		for name, p := range peers {
			got := pushTexts(p.Pushes())
			if slices.Contains(want, name) != (len(got) == 1) {
				t.Errorf("%s sent to %s: %q", name, target, got)
			}
		}
	}
}

func pushTexts(pushes []*wire.Push) []string {
	var out []string
	for _, p := range pushes {
		if !p.IsEvent() {
			out = append(out, edgetest.Text(p))
		}
	}
	return out
}

func TestANewGroupPolicyIsTold(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	p := wire.GroupPolicy{Mode: wire.GroupPlain, Counter: 1, SignedAt: wire.MillisAt(time.Now())}
	p.Sign(m.ID, m.Owner)
	if err := one.Registry.SetGroupPolicy(t.Context(), m.ID, p); err != nil {
		t.Fatal(err)
	}
	for _, peer := range []*edgetest.Peer{ana, bob} {
		var got wire.GroupPolicy
		if err := json.Unmarshal(peer.Event(wire.EventGroupPolicy).EventData, &got); err != nil || got != p {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	bob.Cut()
	if got := bob.Again(one).Ack.GroupPolicy; got == nil || !got.Verify(m.ID, wire.PublicKey(m.Owner)) {
		t.Errorf("hello_ack: %+v", got)
	}
}

func TestAChangedGrantCountsAtOnce(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	grants := wire.Grants{ana.Member.Pub(): {}}
	if _, err := e.Registry.SetGrants(t.Context(), m.ID, bob.Member.Pub(), grants); err != nil {
		t.Fatal(err)
	}
	edgetest.Eventually(t, func() error {
		ana.Send("*", "x")
		if got := pushTexts(bob.Pushes()); len(got) > 0 {
			return fmt.Errorf("still hears %q", got)
		}
		return nil
	})
}

func TestWhoJoinsAGroupHearsWhatComesAfter(t *testing.T) {
	t.Parallel()
	one, other := two(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(one, "bob")
	ana.Send("@dev", "before")
	bob.Settle()
	bob.Write(&wire.JoinGroup{Name: "dev"})
	bob.Settle()
	bob.Cut()
	ana.Send("@dev", "after")
	bob = bob.Again(other)
	if got := pushTexts(bob.Pushes()); !slices.Equal(got, []string{"after"}) {
		t.Errorf("got %q", got)
	}
}

func TestPresenceEventsReachWhoTheyReachedInTheReference(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	watcher := m.Session(e, "bob")
	sibling := m.Session(e, "ana")
	watcher.Pushes()
	sibling.Pushes()
	events := func(p *edgetest.Peer) string {
		var names []string
		for _, push := range p.Pushes() {
			names = append(names, string(push.Event))
		}
		return strings.Join(names, " ")
	}
	session := m.Session(e, "ana")
	if a, b := events(watcher), events(sibling); a != "peer_joined" || b != "peer_joined" {
		t.Errorf("session: others saw %q, siblings %q", a, b)
	}
	daemon := m.Member("ana").Control(e)
	if a, b := events(watcher), events(sibling); a != "peer_joined" || b != "" {
		t.Errorf("hello: others saw %q, siblings %q", a, b)
	}
	daemon.Write(&wire.Goodbye{})
	daemon.Closed()
	watcher.Event(wire.EventPeerLeft)
	if b := events(sibling); b != "" {
		t.Errorf("goodbye of a member connection: siblings saw %q", b)
	}
	session.ExpectNothing()
}

func TestMembersAreListedWhetherOrNotTheyAreHere(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	m.Member("away")
	ana.Write(&wire.ListMembers{ReqID: "m"})
	list := edgetest.Next[*wire.MembersList](ana)
	got := map[string]bool{}
	for _, member := range list.Members {
		got[member.DisplayName] = member.Online
	}
	if want := map[string]bool{"founder": false, "ana": true, "away": false}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheStatusOfAMessageCanBeAsked(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	id := ana.Send(bob.Key(), "x")
	ask := func(id string) *wire.MessageStatusResult {
		ana.Write(&wire.MessageStatus{MessageID: id, ReqID: "s"})
		return edgetest.Next[*wire.MessageStatusResult](ana)
	}
	if got := ask(id[:8]); got.Delivered || got.DeliveredAt != nil || got.MessageID != id[:8] || got.TargetSpec != bob.Key() ||
		len(got.Recipients) != 1 || got.Recipients[0].Status != wire.RecipientHeld || got.Recipients[0].Name != "bob" {
		t.Errorf("before: %+v", got)
	}
	bob.Receive()
	bob.Settle()
	if got := ask(id); !got.Delivered || got.DeliveredAt == nil || got.Recipients[0].Status != wire.RecipientDelivered {
		t.Errorf("after: %+v", got)
	}
	if got := ask(ana.Send("*", "y")); !got.Delivered || len(got.Recipients) != 2 {
		t.Errorf("broadcast: %+v", got)
	}
}

func TestALongListCountsAsManyRequests(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, withoutNewRequests())
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	cost := func(ask func()) int {
		t.Helper()
		before, _ := e.Server.RequestsLeft(bob.Key())
		ask()
		after, here := e.Server.RequestsLeft(bob.Key())
		if !here {
			t.Fatal("bob is not here")
		}
		return int(math.Round(before - after))
	}
	if got := cost(func() { bob.List() }); got != 1 {
		t.Errorf("a short list counts as %d requests", got)
	}
	bio := strings.Repeat("b", 3900)
	for range 20 {
		p := ana.Member.Session(e)
		p.Write(&wire.SetSummary{Summary: strings.Repeat("s", 4000)})
		p.Write(&wire.SetProfile{Profile: wire.Profile{Bio: &bio}})
		p.Settle()
	}
	if got := cost(func() { bob.List() }); got < 5 {
		t.Errorf("a list of 160 KB counts as %d requests", got)
	}
}

// withoutNewRequests leaves sockets with the requests that they begin with, so
// that the speed of the machine does not matter.
func withoutNewRequests() edgetest.Option {
	return edgetest.WithServer(func(s *edge.Server) { s.SetRequests(1e-6) })
}
