package commons_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
)

func TestWhatIsRememberedIsFoundByWordsAndTagsFromAnyEdge(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	stored := ask[*wire.MemoryStored](ana, &wire.Remember{
		Content: "Ana's \"deployments\" run on Fridays", Tags: []string{"release"}, ReqID: reqID(),
	})
	ask[*wire.MemoryStored](bob, &wire.Remember{Content: "tea is in the kitchen", ReqID: reqID()})

	for _, query := range []string{"deployment", "RELEASES", "friday"} {
		got := ask[*wire.MemoryResults](bob, &wire.Recall{Query: query, ReqID: reqID()}).Memories
		if len(got) != 1 || got[0].ID != stored.ID || got[0].RememberedBy != "ana" || got[0].Tags[0] != "release" {
			t.Errorf("%q finds %+v", query, got)
		}
	}
	if got := ask[*wire.MemoryResults](ana, &wire.Recall{ReqID: reqID()}).Memories; len(got) != 2 {
		t.Errorf("an empty query finds %d", len(got))
	}
	ack := ask[*wire.Ack](bob, &wire.Forget{MemoryID: stored.ID, ReqID: reqID()})
	if ack.ID != stored.ID || ack.MessageID != stored.ID || ack.Queued {
		t.Errorf("ack: %+v", ack)
	}
	ask[*wire.Ack](bob, &wire.Forget{MemoryID: "unknown", ReqID: reqID()})
	if got := ask[*wire.MemoryResults](ana, &wire.Recall{Query: "friday", ReqID: reqID()}).Memories; len(got) != 0 {
		t.Errorf("forgotten, and found: %+v", got)
	}
}

func TestAllThatIsRememberedComesPageByPage(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	const texts = 25 // of 65,000 bytes are more than a page
	var want []string
	for i := range texts {
		content := fmt.Sprint(i, strings.Repeat("x", 65_000))
		want = append(want, ask[*wire.MemoryStored](ana, &wire.Remember{Content: content, ReqID: reqID()}).ID)
	}
	first := ask[*wire.MemoryResults](bob, &wire.Recall{Query: "absent", All: true, ReqID: reqID()})
	if len(first.Memories) < 10 || len(first.Memories) >= texts || first.Next == "" {
		t.Fatalf("the first page has %d, next %q", len(first.Memories), first.Next)
	}
	// What a page ended with may be forgotten meanwhile.
	ask[*wire.Ack](ana, &wire.Forget{MemoryID: first.Memories[len(first.Memories)-1].ID, ReqID: reqID()})
	rest := ask[*wire.MemoryResults](bob, &wire.Recall{All: true, After: first.Next, ReqID: reqID()})
	if rest.Next != "" {
		t.Errorf("a third page at %q", rest.Next)
	}
	got := map[string]bool{}
	for _, memory := range append(first.Memories, rest.Memories...) {
		if got[memory.ID] {
			t.Errorf("%s comes twice", memory.ID)
		}
		got[memory.ID] = true
	}
	for i, id := range want {
		if !got[id] {
			t.Errorf("number %d is missing", i)
		}
	}
	if all := append(first.Memories, rest.Memories...); all[0].RememberedAt.Before(all[len(all)-1].RememberedAt.Time) {
		t.Error("the oldest come first")
	}
}

func TestAFullMemoryRefuses(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	if code := fill(ana, func(i int, id wire.ReqID) wire.Request {
		return &wire.Remember{Content: strings.Repeat("x", 65_000), ReqID: id}
	}); code != wire.CodeFull {
		t.Errorf("ended with %q", code)
	}
}

func TestAMemberHasOneContext(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ask[*wire.ContextShared](ana, &wire.ShareContext{Summary: "the old one", ReqID: reqID()})
	ask[*wire.ContextShared](ana, &wire.ShareContext{
		Summary: "Writing the Parser", FilesRead: []string{"a.go"}, KeyFindings: []string{"it's slow"}, Tags: []string{"go"},
		ReqID: reqID(),
	})
	edgetest.NextIf(bob.Conn, func(c *wire.StateChange) bool {
		return c.Key == "_context:ana" && string(c.Value) == `"Writing the Parser"`
	})
	ask[*wire.ContextShared](bob, &wire.ShareContext{Summary: "testing", ReqID: reqID()})
	for _, query := range []string{"parser", "go"} {
		got := ask[*wire.ContextResults](bob, &wire.GetContext{Query: query, ReqID: reqID()}).Contexts
		if len(got) != 1 || got[0].PeerName != "ana" || got[0].FilesRead[0] != "a.go" || got[0].KeyFindings[0] != "it's slow" {
			t.Errorf("%q finds %+v", query, got)
		}
	}
	if got := ask[*wire.ContextList](ana, &wire.ListContexts{ReqID: reqID()}).Contexts; len(got) != 2 {
		t.Errorf("listed: %+v", got)
	}
	// It is announced as a change of state, and is none.
	if got := ask[*wire.StateList](ana, &wire.ListState{ReqID: reqID()}).Entries; len(got) != 0 {
		t.Errorf("state: %+v", got)
	}
}

func TestASkillBelongsToItsAuthor(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, admin := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "founder")
	share := func(text string) *wire.ShareSkill {
		return &wire.ShareSkill{Name: "re'view", Description: "how to review", Instructions: text, ReqID: reqID()}
	}
	if a := ask[*wire.SkillAck](ana, share("read it")); a.Action != wire.SkillShared || a.Name != "re'view" {
		t.Errorf("ack: %+v", a)
	}
	refusal(t, bob, share("mine now"), wire.CodeForbidden)
	refusal(t, bob, &wire.RemoveSkill{Name: "re'view", ReqID: reqID()}, wire.CodeForbidden)
	got := ask[*wire.SkillData](bob, &wire.GetSkill{Name: "re'view", ReqID: reqID()}).Skill
	if got == nil || got.Instructions != "read it" || got.Author != "ana" || string(got.Manifest) != "null" {
		t.Errorf("skill: %+v", got)
	}
	if l := ask[*wire.SkillList](bob, &wire.ListSkills{Query: "REVIEW", ReqID: reqID()}).Skills; len(l) != 1 {
		t.Errorf("listed: %+v", l)
	}
	if a := ask[*wire.SkillAck](admin, &wire.RemoveSkill{Name: "re'view", ReqID: reqID()}); a.Action != wire.SkillRemoved {
		t.Errorf("ack: %+v", a)
	}
	if a := ask[*wire.SkillAck](ana, &wire.RemoveSkill{Name: "re'view", ReqID: reqID()}); a.Action != wire.SkillNotFound {
		t.Errorf("ack: %+v", a)
	}
	if d := ask[*wire.SkillData](ana, &wire.GetSkill{Name: "re'view", ReqID: reqID()}); d.Skill != nil {
		t.Errorf("skill: %+v", d.Skill)
	}
}

func TestAVaultIsForItsMemberOnly(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, sibling, bob := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob")
	a := ask[*wire.VaultAck](ana, &wire.VaultSet{
		Key: "TOKEN", Ciphertext: "c", Nonce: "n", SealedKey: "k", EntryType: wire.VaultEnv, ReqID: reqID(),
	})
	if a.Action != wire.VaultStored {
		t.Errorf("ack: %+v", a)
	}
	got := ask[*wire.VaultGetResult](sibling, &wire.VaultGet{Keys: []string{"none", "TOKEN"}, ReqID: reqID()}).Entries
	if len(got) != 1 || got[0].Ciphertext != "c" || got[0].SealedKey != "k" || got[0].MountPath != nil {
		t.Errorf("entries: %+v", got)
	}
	if l := ask[*wire.VaultListResult](bob, &wire.VaultList{ReqID: reqID()}).Entries; len(l) != 0 {
		t.Errorf("bob sees %+v", l)
	}
	if l := ask[*wire.VaultGetResult](bob, &wire.VaultGet{Keys: []string{"TOKEN"}, ReqID: reqID()}).Entries; len(l) != 0 {
		t.Errorf("bob gets %+v", l)
	}
	for _, want := range []wire.VaultAction{wire.VaultDeleted, wire.VaultNotFound} {
		if a := ask[*wire.VaultAck](ana, &wire.VaultDelete{Key: "TOKEN", ReqID: reqID()}); a.Action != want {
			t.Errorf("ack: %+v, want %s", a, want)
		}
	}
	refusal(t, ana, &wire.VaultSet{Key: "k", Ciphertext: "c", Nonce: "n", SealedKey: "k", EntryType: "x", ReqID: reqID()},
		wire.CodeInvalidArgument)
}

// fill sends requests until one is refused, and returns the code.
func fill(p *edgetest.Peer, request func(i int, id wire.ReqID) wire.Request) wire.Code {
	for i := range 500 {
		id := reqID()
		p.Write(request(i, id))
		m := edgetest.NextIf(p.Conn, func(m wire.Message) bool {
			r, ok := m.(wire.Reply)
			e, bad := m.(*wire.ErrorFrame)
			return ok && r.InReplyTo() == id || bad && e.ReqID == id
		})
		if e, bad := m.(*wire.ErrorFrame); bad {
			return e.Code
		}
	}
	return "none"
}

func TestAttackAnAdminThatIsNoneAnyMoreChangesNothingOfOthers(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, admin := m.Session(one, "ana"), m.Session(other, "founder")
	share := &wire.ShareSkill{Name: "s", Instructions: "mine", ReqID: reqID()}
	ask[*wire.SkillAck](ana, share)
	role := wire.RoleMember
	if _, err := m.Registry.SetMember(t.Context(), m.ID, admin.Member.Pub(), registry.MemberChange{Role: &role}); err != nil {
		t.Fatal(err)
	}
	admin.Event(wire.EventProfileUpdated)
	refusal(t, admin, &wire.RemoveSkill{Name: "s", ReqID: reqID()}, wire.CodeForbidden)
}

func TestWhoKeepsSomethingMayGiveItAnIDButNotOneThatIsTaken(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, eve := m.Session(one, "ana"), m.Session(other, "eve")
	id := wire.NewID(wire.RecordID)
	remember := func(text, id string) *wire.Remember { return &wire.Remember{Content: text, ID: id, ReqID: reqID()} }
	create := func(title, id string) *wire.CreateTask { return &wire.CreateTask{Title: title, ID: id, ReqID: reqID()} }
	if got := ask[*wire.MemoryStored](ana, remember("hers", id)).ID; got != id {
		t.Errorf("kept under %s", got)
	}
	if got := ask[*wire.TaskCreated](ana, create("hers", id)).ID; got != id {
		t.Errorf("created as %s", got)
	}
	refusal(t, eve, remember("another", id), wire.CodeInvalidArgument)
	refusal(t, eve, create("another", id), wire.CodeInvalidArgument)
	for _, bad := range []string{"short", id + "x", id[:21] + "'", id[:21] + "\x00"} {
		refusal(t, eve, remember("x", bad), wire.CodeInvalidArgument)
		refusal(t, eve, create("x", bad), wire.CodeInvalidArgument)
	}
	kept := ask[*wire.MemoryResults](eve, &wire.Recall{All: true, ReqID: reqID()}).Memories
	tasks := ask[*wire.TaskList](eve, &wire.ListTasks{ReqID: reqID()}).Tasks
	if len(kept) != 1 || kept[0].Content != "hers" || len(tasks) != 1 || tasks[0].Title != "hers" {
		t.Errorf("kept %+v, tasks %+v", kept, tasks)
	}
}
