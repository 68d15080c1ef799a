package commons_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

// founder is the name of a test mesh's first member, who is an admin.
const founder = "founder"

func kick(p *edgetest.Peer, s wire.Selector) *wire.KickAck {
	return ask[*wire.KickAck](p, &wire.Kick{Selector: s, ReqID: reqID()})
}

func disconnect(p *edgetest.Peer, s wire.Selector) *wire.DisconnectAck {
	return ask[*wire.DisconnectAck](p, &wire.Disconnect{Selector: s, ReqID: reqID()})
}

func auditEvents(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh) (events []string) {
	t.Helper()
	entries, _, err := e.Registry.Audit(t.Context(), m.ID, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range entries {
		if a.Event != "member_joined" {
			events = append(events, a.Event)
		}
	}
	return events
}

func TestAKickClosesTheSessionsOfAMemberEverywhereAndSparesItsDaemon(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, bob := m.Session(one, founder), m.Member("bob")
	daemon, here, there := bob.Control(other), bob.Session(one), bob.Session(other)
	lost := bob.Session(one)
	boss.Settle()
	lost.Cut()
	got := kick(boss, wire.Selector{Target: "bob"})
	if len(got.Kicked) != 3 || !slices.Equal(got.Kicked, got.Affected) || !slices.Equal(got.Skipped, []string{"bob"}) {
		t.Errorf("answered %+v", *got)
	}
	for _, p := range []*edgetest.Peer{here, there} {
		p.ExpectClose(wire.CloseKicked, wire.ReasonKicked)
	}
	for range 3 {
		boss.Event(wire.EventPeerLeft)
	}
	if l := boss.List(); len(l) != 2 {
		t.Errorf("still here: %+v", l)
	}
	daemon.Settle()
	boss.Settle()
	for _, f := range boss.Frames() {
		switch f := f.(type) {
		case *wire.OK:
			t.Error("answered twice")
		case *wire.Push:
			if f.Event == wire.EventPeerLeft {
				t.Errorf("told again who has left: %s", f.EventData)
			}
		}
	}
	if ev := auditEvents(t, one, m); ev[0] != "member_kicked" {
		t.Errorf("audit log: %v", ev)
	}
}

func TestASelectorIsAllElseStaleElseTarget(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, ana, bob := m.Session(one, founder), m.Session(other, "ana"), m.Session(one, "bob")
	second := m.Member(founder).Session(other)
	if got := kick(boss, wire.Selector{Stale: 1, Target: "ana"}); len(got.Kicked) != 0 {
		t.Errorf("nobody is silent, but %v", got.Kicked)
	}
	if got := kick(boss, wire.Selector{Target: "nobody"}); got.Kicked == nil || len(got.Kicked) != 0 {
		t.Errorf("nobody has that name, but %v", got.Kicked)
	}
	got := disconnect(boss, wire.Selector{All: true, Stale: 1, Target: "ana"})
	slices.Sort(got.Kicked)
	if want := []string{"ana", "bob", founder}; !slices.Equal(got.Kicked, want) {
		t.Errorf("disconnected %v, want %v", got.Kicked, want)
	}
	for _, p := range []*edgetest.Peer{ana, bob, second} {
		p.ExpectClose(wire.CloseNormal, wire.ReasonDisconnected)
	}
	boss.Settle()
}

func TestWhoIsSilentForLongerThanThatIsStale(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, bob, ana := m.Session(one, founder), m.Session(other, "bob"), m.Session(other, "ana")
	bob.Cut()
	edgetest.Eventually(t, func() error {
		if got := kick(boss, wire.Selector{Stale: 50}); !slices.Equal(got.Kicked, []string{"bob"}) {
			return fmt.Errorf("kicked %v", got.Kicked)
		}
		return nil
	})
	boss.Event(wire.EventPeerLeft)
	ana.Settle()
	if got := kick(boss, wire.Selector{Stale: 1e300}); len(got.Kicked) != 0 {
		t.Errorf("silent for ever: %v", got.Kicked)
	}
}

func TestWhoDisconnectsItselfIsAnsweredFirst(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, ana := m.Session(one, founder), m.Session(other, "ana")
	got := disconnect(boss, wire.Selector{Target: boss.Member.Pub()[:12]})
	if !slices.Equal(got.Kicked, []string{founder}) {
		t.Errorf("answered %+v", *got)
	}
	boss.ExpectClose(wire.CloseNormal, wire.ReasonDisconnected)
	ana.Event(wire.EventPeerLeft)
}

func TestANameThatSeveralMembersHaveIsNotGuessed(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss := m.Session(one, founder)
	bob, impostor := m.Session(other, "bob"), m.Member("eve").Session(other, func(h *wire.SessionHello) { h.DisplayName = "bob" })
	boss.Settle()
	e := refusal(t, boss, &wire.Kick{Selector: wire.Selector{Target: "bob"}, ReqID: reqID()}, wire.CodeInvalid)
	for _, p := range []*edgetest.Peer{bob, impostor} {
		if !strings.Contains(e.Message, p.Member.Pub()[:12]) {
			t.Errorf("%q does not tell %s", e.Message, p.Member.Name)
		}
	}
	if got := kick(boss, wire.Selector{Target: impostor.Key()}); len(got.Kicked) != 1 {
		t.Errorf("kicked %v", got.Kicked)
	}
	impostor.ExpectClose(wire.CloseKicked, wire.ReasonKicked)
	bob.Settle()
}

func TestS2_ABanOverTheSocketEndsEverythingOfAMember(t *testing.T) {
	t.Parallel()
	one, other := edges(t, edgetest.WithLease(time.Hour))
	m := one.NewMesh()
	boss, bob := m.Session(one, founder), m.Member("bob")
	daemon, session, lost := bob.Control(other), bob.Session(other), bob.Session(one)
	boss.Settle()
	lost.Cut()
	if got := ask[*wire.BanAck](boss, &wire.Ban{Target: bob.Pub()[:8], Reason: "spam", ReqID: reqID()}); got.Banned != "bob" {
		t.Errorf("answered %+v", *got)
	}
	for _, p := range []*edgetest.Peer{daemon, session} {
		p.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
	}
	for range 3 {
		boss.Event(wire.EventPeerLeft)
	}
	ana := m.Session(other, "ana")
	bans := ask[*wire.ListBansResult](ana, &wire.ListBans{ReqID: reqID()}).Bans
	if len(bans) != 1 || bans[0].Name != "bob" || bans[0].Pubkey != bob.Pub() || bans[0].RevokedAt.IsZero() {
		t.Errorf("bans: %+v", bans)
	}
	refusal(t, boss, &wire.Ban{Target: "bob", ReqID: reqID()}, wire.CodeNotFound)
	if got := ask[*wire.UnbanAck](boss, &wire.Unban{Target: "bob", ReqID: reqID()}); got.Unbanned != "bob" {
		t.Errorf("answered %+v", *got)
	}
	bob.Session(other).Settle()
	if ev := auditEvents(t, one, m); !slices.Equal(ev[:2], []string{"member_unbanned", "member_banned"}) {
		t.Errorf("audit log: %v", ev)
	}
}

func TestOnlyAdminsModerateAndNotEachOtherNorThemselves(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	boss, deputy, ana := m.Session(e, founder), m.Session(e, "deputy"), m.Session(e, "ana")
	requests := func() []wire.Request {
		return []wire.Request{
			&wire.Kick{Selector: wire.Selector{Target: founder}, ReqID: reqID()},
			&wire.Disconnect{Selector: wire.Selector{Target: founder}, ReqID: reqID()},
			&wire.Ban{Target: founder, ReqID: reqID()},
			&wire.Unban{Target: founder, ReqID: reqID()},
		}
	}
	for _, r := range requests() {
		refusal(t, ana, r, wire.CodeForbidden)
	}
	admin := wire.RoleAdmin
	if _, err := e.Registry.SetMember(t.Context(), m.ID, deputy.Member.Pub(), registry.MemberChange{Role: &admin}); err != nil {
		t.Fatal(err)
	}
	for _, r := range requests()[:3] { // a role counts from the moment it is given
		refusal(t, deputy, r, wire.CodeForbidden)
	}
	if got := kick(deputy, wire.Selector{All: true}); !slices.Equal(got.Kicked, []string{"ana"}) {
		t.Errorf("kicked %v", got.Kicked)
	}
	boss.Settle()
	refusal(t, boss, &wire.Ban{Target: founder, ReqID: reqID()}, wire.CodeInvalid)
	refusal(t, boss, &wire.Ban{ReqID: reqID()}, wire.CodeInvalid)
	refusal(t, boss, &wire.Ban{Target: "a", ReqID: reqID()}, wire.CodeNotFound)
	refusal(t, boss, &wire.Unban{Target: "ana", ReqID: reqID()}, wire.CodeNotFound)
	refusal(t, boss, &wire.Unban{ReqID: reqID()}, wire.CodeInvalid)
	refusal(t, boss, &wire.Kick{ReqID: reqID()}, wire.CodeInvalid)
	refusal(t, boss, &wire.Disconnect{Selector: wire.Selector{Stale: -5}, ReqID: reqID()}, wire.CodeInvalid)
}
