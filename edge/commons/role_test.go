package commons_test

import (
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/edge/commons"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// deaf is an edge's share that no bell reaches, as in the moment before it has
// heard one: all that it knows of a member is what the caller said at hello.
func deaf(e *edgetest.Edge) *commons.Commons {
	q := queue.New(e.Client, queue.Options{
		MembersKey: e.Registry.MembersKey, BansKey: e.Registry.BansKey,
		SessionsKey: e.Registry.SessionsKey, GrantsKey: e.Registry.GrantsKey,
	})
	return commons.New(commons.Options{Redis: e.Client, Presence: &presence.Store{}, Queue: q, Registry: e.Registry})
}

func TestARoleIsReadWhenItDecidesAndNotRememberedFromHello(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithConfig(reachLoopback))
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	share := deaf(e)
	caller := func(name, role string) *commons.Caller {
		member := m.Member(name)
		return &commons.Caller{
			Peer: presence.Peer{Mesh: m.ID, ID: name}, Member: registry.Member{ID: member.ID, Key: member.Pub(), Name: name, Role: role},
		}
	}
	demoted, promoted := caller("bob", wire.RoleAdmin), caller(founder, wire.RoleMember)
	for _, request := range ofOthers(ana) {
		what := request.FrameType()
		for _, who := range []*commons.Caller{demoted, promoted} { // the one who may not first
			reply, _, err := share.Handle(t.Context(), who, request)
			if err != nil {
				t.Fatal(what, err)
			}
			if granted(reply) != (who == promoted) {
				t.Errorf("%s by %s: %+v", what, who.Member.Name, reply)
			}
		}
	}
}

// granted reports whether an answer gives what was asked for.
func granted(m wire.Message) bool {
	switch m := m.(type) {
	case *wire.ErrorFrame:
		return false
	case *wire.APIKeyRevokeResponse:
		return m.Status == wire.KeyRevoked
	case *wire.APIKeyListResponse:
		return len(m.Keys) > 0
	}
	return true
}

// ofOthers has a peer make things, and lists requests about them that only
// their owner and admins may make.
func ofOthers(ana *edgetest.Peer) []wire.Request {
	ask[*wire.SkillAck](ana, &wire.ShareSkill{Name: "s", Instructions: "mine", ReqID: reqID()})
	ask[*wire.MCPRegisterAck](ana, &wire.MCPRegister{ServerName: "s", Tools: []wire.MCPTool{{Name: "t"}}, ReqID: reqID()})
	watch := ask[*wire.WatchAck](ana, &wire.Watch{URL: "http://127.0.0.1:1/", ReqID: reqID()}).WatchID
	newWebhook(ana, "w")
	key := ask[*wire.APIKeyCreated](ana, &wire.APIKeyCreate{
		Label: "k", Capabilities: []wire.KeyCapability{wire.KeyRead}, ReqID: reqID(),
	})
	task := ask[*wire.TaskCreated](ana, &wire.CreateTask{Title: "t", ReqID: reqID()}).ID
	ask[*wire.TaskList](ana, &wire.ClaimTask{TaskID: task, ReqID: reqID()})
	newTopic(ana, "led")
	newTopic(ana, "ended")
	return []wire.Request{
		&wire.RemoveSkill{Name: "s"}, &wire.MCPUnregister{ServerName: "s"}, &wire.Unwatch{WatchID: watch},
		&wire.DeleteWebhook{Name: "w"}, &wire.ReleaseTask{TaskID: task}, &wire.APIKeyList{}, &wire.APIKeyRevoke{ID: key.ID},
		&wire.APIKeyCreate{Label: "a", Capabilities: []wire.KeyCapability{wire.KeyAdmin}},
		&wire.TopicJoin{Topic: "led", Role: wire.TopicLead}, &wire.TopicDelete{Topic: "ended"}, &wire.TopicList{All: true},
		&wire.VaultClear{},
	}
}

func TestTopicsOfOthersAreListedForAdminsAndNoMoreThanNamed(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, boss := m.Session(one, "ana"), m.Session(other, founder)
	newTopic(ana, "open")
	ref := newTopic(ana, "hidden", private, func(c *wire.TopicCreate) { c.Description = "for us" })
	list := func(p *edgetest.Peer, all bool) map[string]wire.Topic {
		topics := map[string]wire.Topic{}
		for _, one := range ask[*wire.TopicListResponse](p, &wire.TopicList{All: all, ReqID: reqID()}).Topics {
			topics[one.Name] = one
		}
		return topics
	}
	if usual := list(boss, false); len(usual) != 1 || usual["open"].ID == "" {
		t.Errorf("usual: %+v", usual)
	}
	all := list(boss, true)
	if h := all["hidden"]; len(all) != 2 || all["open"].ID == "" || h.Visibility != wire.TopicPrivate || h.Description != nil || h.MemberCount != 1 {
		t.Errorf("all: %+v", all)
	}
	if all["hidden"].ID != "" {
		t.Error("whoever knows the id of a topic may join it, and this one was not invited")
	}
	refusal(t, boss, &wire.TopicJoin{Topic: "hidden", ReqID: reqID()}, wire.CodeTopicNotFound)
	refusal(t, ana, &wire.TopicList{All: true, ReqID: reqID()}, wire.CodeForbidden)
	if mine := list(ana, false); len(mine) != 2 || mine["hidden"].ID != ref.ID || mine["hidden"].Description == nil {
		t.Errorf("mine: %+v", mine)
	}
}

func TestAnAdminClearsTheVaultsOfThoseWhoAreShutOut(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	boss, ana := m.Session(one, founder), m.Session(other, "ana")
	bad := []string{"bob", "carl", "eve"}
	put := func(p *edgetest.Peer) {
		ask[*wire.VaultAck](p, &wire.VaultSet{
			Key: "K", Ciphertext: "Yw==", Nonce: "bg==", SealedKey: "aw==", EntryType: wire.VaultEnv, ReqID: reqID(),
		})
	}
	for _, name := range bad {
		p := m.Session(one, name)
		put(p)
		ask[*wire.BanAck](boss, &wire.Ban{Target: name, ReqID: reqID()})
		p.ExpectClose(wire.CloseBanned, wire.ReasonBanned)
	}
	put(ana)
	clear := func(target string) *wire.VaultClear { return &wire.VaultClear{Target: target, ReqID: reqID()} }
	refusal(t, ana, clear("bob"), wire.CodeForbidden)
	refusal(t, boss, clear("ana"), wire.CodeNotFound)
	refusal(t, boss, clear("nobody"), wire.CodeNotFound)
	for _, want := range []wire.VaultAction{wire.VaultCleared, wire.VaultNotFound} {
		if got := ask[*wire.VaultAck](boss, clear("bob")); got.Action != want || got.Key != "bob" {
			t.Errorf("answered %+v, want %s", got, want)
		}
	}
	before := vaults(t, one, m)
	if got := ask[*wire.VaultAck](boss, clear("")); got.Action != wire.VaultCleared {
		t.Errorf("answered %+v", got)
	}
	if after := vaults(t, one, m); len(before) != 3 || !slices.Equal(after, []string{"vault-" + ana.Member.Pub()}) {
		t.Errorf("counted before %v, after %v", before, after)
	}
	if l := ask[*wire.VaultListResult](ana, &wire.VaultList{ReqID: reqID()}).Entries; len(l) != 1 {
		t.Errorf("hers: %+v", l)
	}
}

// vaults are the vaults that count against the bounds of a mesh.
func vaults(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh) (names []string) {
	t.Helper()
	all, err := e.Client.Raw().HKeys(t.Context(), "sizes:"+e.Client.Tag(m.ID)+":"+m.ID).Result()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(name string) bool { return len(name) < 6 || name[:6] != "vault-" })
}
