package commons_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// newTopic has a peer make a topic.
func newTopic(p *edgetest.Peer, name string, change ...func(*wire.TopicCreate)) wire.TopicRef {
	m := &wire.TopicCreate{Name: name, ReqID: reqID()}
	for _, f := range change {
		f(m)
	}
	return ask[*wire.TopicCreated](p, m).Topic
}

func private(m *wire.TopicCreate) { m.Visibility = wire.TopicPrivate }

func join(p *edgetest.Peer, topic string) {
	ask[*wire.OK](p, &wire.TopicJoin{Topic: topic, ReqID: reqID()})
}

func history(p *edgetest.Peer, topic string) []wire.TopicMessage {
	return ask[*wire.TopicHistoryResponse](p, &wire.TopicHistory{Topic: topic, ReqID: reqID()}).Messages
}

// topicPush waits for the next message of a topic.
func topicPush(p *edgetest.Peer) *wire.Push {
	return edgetest.NextIf(p.Conn, func(m *wire.Push) bool { return m.Topic != "" })
}

func refusedSend(t *testing.T, p *edgetest.Peer, target string) {
	t.Helper()
	if ack := p.Message(target, "x"); ack.Queued || !strings.Contains(ack.Error, "invalid") {
		t.Errorf("send to %q: %+v", target, *ack)
	}
}

func TestWhatIsSaidInATopicIsPushedToAllWhoJoinedAndKept(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, sibling, bob, carl := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob"), m.Session(one, "carl")
	ref := newTopic(ana, `it's "news"`)
	join(bob, ref.ID)

	id := ana.Send("#"+ref.ID, "hello", func(s *wire.Send) { s.BodyVersion, s.Mentions = 2, []string{"Bob"} })
	for _, p := range []*edgetest.Peer{sibling, bob} {
		got := topicPush(p)
		if got.MessageID != id || got.TargetSpec != "#"+ref.ID || got.Topic != ref.Name || got.BodyVersion != 2 ||
			edgetest.Text(got) != "hello" || got.SenderName != "ana" || got.SenderMemberPubkey != ana.Member.Pub() {
			t.Errorf("push: %+v", got)
		}
	}
	answer := bob.Send("#"+ref.Name, "yes", func(s *wire.Send) { s.ReplyToID = id })
	if got := topicPush(ana); got.MessageID != answer || got.ReplyToID != id || got.TargetSpec != "#"+ref.ID {
		t.Errorf("answer: %+v", got)
	}
	got := history(carl, ref.Name)
	if len(got) != 2 || got[0].ID != answer || got[1].ID != id || got[1].SenderName != "ana" || got[0].ReplyToID != id || got[0].BodyVersion != 1 {
		t.Errorf("history: %+v", got)
	}
	carl.ExpectNoMessage()
	ana.ExpectNoMessage()
}

func TestL4_ATopicMessageReachesAPeerThatWasCutOffOnce(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ref := newTopic(ana, "t")
	join(bob, ref.ID)
	bob.Cut()
	repeat := func(s *wire.Send) { s.ClientMessageID = "same" }
	id := ana.Send("#"+ref.ID, "hello", repeat)
	if again := ana.Send("#"+ref.ID, "hello", repeat); again != id {
		t.Errorf("repeat has id %s, not %s", again, id)
	}
	back := bob.Again(one)
	if got := topicPush(back); got.MessageID != id {
		t.Errorf("push: %+v", got)
	}
	back.ExpectNoMessage()
	if n := len(history(ana, "t")); n != 1 {
		t.Errorf("history of %d", n)
	}
}

func TestATopicIsWrittenToOnlyByMembersOfItsMeshThatJoinedIt(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m, elsewhere := one.NewMesh(), one.NewMesh()
	ana, bob, stranger := m.Session(one, "ana"), m.Session(other, "bob"), elsewhere.Session(other, "ana")
	ref := newTopic(ana, "t")
	for _, p := range []*edgetest.Peer{bob, stranger} {
		refusedSend(t, p, "#"+ref.ID)
		refusedSend(t, p, "#t")
	}
	refusedSend(t, ana, "#nothing")
	refusedSend(t, ana, "#")
	ask[*wire.OK](bob, &wire.TopicJoin{Topic: "t", Role: wire.TopicObserver, ReqID: reqID()})
	refusedSend(t, bob, "#t")
	e := refusal(t, stranger, &wire.TopicHistory{Topic: ref.ID, ReqID: "q"}, wire.CodeTopicNotFound)
	if e.ID != "q" {
		t.Errorf("request id in id: %q", e.ID)
	}
	if got := history(ana, "t"); len(got) != 0 {
		t.Errorf("history: %+v", got)
	}
}

func TestWhoBlocksASenderIsNotPushedWhatItSaysInATopic(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, carl := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "carl")
	ref := newTopic(ana, "t")
	join(bob, "t")
	join(carl, "t")
	if _, err := m.Registry.SetGrants(t.Context(), m.ID, bob.Member.Pub(), wire.Grants{ana.Member.Pub(): {}}); err != nil {
		t.Fatal(err)
	}
	edgetest.Eventually(t, func() error { // the edge hears of grants a moment later
		ana.Send("#"+ref.ID, "hello @bob")
		topicPush(carl)
		for _, p := range bob.Pushes() {
			if p.Topic != "" {
				return errNotYet
			}
		}
		return nil
	})
	if got := ask[*wire.NotificationsResult](bob, &wire.Notifications{ReqID: reqID()}); len(got.Notifications) != 0 {
		t.Errorf("mentions: %+v", got)
	}
}

func TestPrivateTopicsAreThereForThoseWhoJoinedAndThoseToldTheID(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ref := newTopic(ana, "secret", private)
	ana.Send("#"+ref.ID, "x")
	for _, name := range []string{ref.ID, ref.Name} {
		refusal(t, bob, &wire.TopicHistory{Topic: name, ReqID: reqID()}, wire.CodeTopicNotFound)
		refusal(t, bob, &wire.TopicMembers{Topic: name, ReqID: reqID()}, wire.CodeTopicNotFound)
		refusal(t, bob, &wire.TopicMarkRead{Topic: name, ReqID: reqID()}, wire.CodeTopicNotFound)
	}
	refusal(t, bob, &wire.TopicJoin{Topic: ref.Name, ReqID: reqID()}, wire.CodeTopicNotFound)
	refusal(t, bob, &wire.TopicCreate{Name: ref.Name, ReqID: reqID()}, wire.CodeForbidden)
	if got := ask[*wire.TopicListResponse](bob, &wire.TopicList{ReqID: reqID()}).Topics; len(got) != 0 {
		t.Errorf("listed: %+v", got)
	}
	join(bob, ref.ID)
	if got := history(bob, ref.Name); len(got) != 1 {
		t.Errorf("history: %+v", got)
	}
	dm := newTopic(ana, "two", func(c *wire.TopicCreate) { c.Visibility = wire.TopicDM })
	join(bob, dm.ID)
	refusal(t, m.Session(one, "carl"), &wire.TopicJoin{Topic: dm.ID, ReqID: reqID()}, wire.CodeFull)
}

func TestATopicCountsItsMembersAndGoesWithTheLastOfAPrivateOne(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ref := newTopic(ana, "t", private, func(c *wire.TopicCreate) { c.Description = "d" })
	again := ask[*wire.TopicCreated](ana, &wire.TopicCreate{Name: "t", Visibility: wire.TopicPublic, ReqID: reqID()})
	if again.Created || again.Topic != ref {
		t.Errorf("again: %+v", again)
	}
	join(bob, ref.ID)
	join(bob, ref.ID)
	list := ask[*wire.TopicListResponse](bob, &wire.TopicList{ReqID: reqID()}).Topics
	if len(list) != 1 || list[0].MemberCount != 2 || list[0].Description == nil || *list[0].Description != "d" || list[0].Sealed {
		t.Errorf("list: %+v", list)
	}
	refusal(t, bob, &wire.TopicJoin{Topic: "t", Role: wire.TopicLead, ReqID: reqID()}, wire.CodeForbidden)
	ask[*wire.OK](ana, &wire.TopicLeave{Topic: "t", ReqID: reqID()})
	ask[*wire.OK](bob, &wire.TopicJoin{Topic: "t", Role: wire.TopicLead, ReqID: reqID()})
	ask[*wire.OK](bob, &wire.TopicMarkRead{Topic: "t", ReqID: reqID()})
	parts := ask[*wire.TopicMembersResponse](bob, &wire.TopicMembers{Topic: "t", ReqID: reqID()}).Members
	if len(parts) != 1 || parts[0].Role != wire.TopicLead || parts[0].LastReadAt == nil || parts[0].DisplayName != "bob" ||
		time.Since(parts[0].LastReadAt.Time) > time.Minute {
		t.Errorf("members: %+v", parts)
	}
	ask[*wire.OK](bob, &wire.TopicLeave{Topic: "t", ReqID: reqID()})
	refusal(t, bob, &wire.TopicJoin{Topic: ref.ID, ReqID: reqID()}, wire.CodeTopicNotFound)
	if fresh := newTopic(ana, "t"); fresh.ID == ref.ID {
		t.Error("the topic was still there")
	}
	silent, spoken := newTopic(ana, "silent"), newTopic(ana, "spoken")
	ana.Send("#spoken", "x")
	for _, ref := range []wire.TopicRef{silent, spoken} {
		ask[*wire.OK](ana, &wire.TopicLeave{Topic: ref.ID, ReqID: reqID()})
	}
	refusal(t, bob, &wire.TopicHistory{Topic: silent.ID, ReqID: reqID()}, wire.CodeTopicNotFound)
	if n := len(history(bob, "spoken")); n != 1 {
		t.Errorf("history of %d", n)
	}
}

func TestHistoryComesInPages(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	ref := newTopic(ana, "t")
	var ids []string
	for i := range 7 {
		ids = append(ids, ana.Send("#"+ref.ID, fmt.Sprint(i)))
	}
	before := ""
	for left := 7; left > 0; {
		page := ask[*wire.TopicHistoryResponse](ana, &wire.TopicHistory{Topic: "t", Limit: 3, BeforeID: before, ReqID: reqID()}).Messages
		if len(page) != min(3, left) {
			t.Fatalf("page of %d with %d left", len(page), left)
		}
		for _, m := range page {
			left--
			if before = m.ID; before != ids[left] {
				t.Errorf("place %d: %s, not %s", left, before, ids[left])
			}
		}
	}
	refusal(t, ana, &wire.TopicHistory{Topic: "t", BeforeID: "it's none", ReqID: reqID()}, wire.CodeInvalidArgument)
}

func TestAHistoryKeepsWhatFitsAndDropsTheOldest(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	ref := newTopic(ana, "t")
	big := strings.Repeat("x", 40_000)
	var last string
	for range 30 {
		last = ana.Send("#"+ref.ID, big)
	}
	got := history(ana, "t")
	if len(got) < 15 || len(got) > 25 || got[0].ID != last {
		t.Errorf("%d messages of about 54 KB", len(got))
	}
}

func TestAMeshHasSoManyTopics(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	if code := fill(ana, func(i int, id wire.ReqID) wire.Request {
		return &wire.TopicCreate{Name: fmt.Sprint("t", i), ReqID: id}
	}); code != wire.CodeFull {
		t.Fatalf("ended with %q", code)
	}
	if n := len(ask[*wire.TopicListResponse](ana, &wire.TopicList{ReqID: reqID()}).Topics); n != 100 {
		t.Errorf("%d topics", n)
	}
}

func TestAReplyToWhatWasNotSaidInTheTopicIsNoReply(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	one, two := newTopic(ana, "one"), newTopic(ana, "two")
	id := ana.Send("#"+one.ID, "x")
	for _, to := range []string{id, "it's \"none\""} {
		ana.Send("#"+two.ID, "y", func(s *wire.Send) { s.ReplyToID = to })
		if got := history(ana, "two")[0]; got.ReplyToID != "" {
			t.Errorf("reply to %q", got.ReplyToID)
		}
	}
}

func TestAScheduledMessageIsSaidInItsTopic(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ref := newTopic(ana, "t")
	join(bob, "t")
	now := wire.MillisAt(time.Now())
	ask[*wire.ScheduledAck](ana, &wire.Schedule{To: "#t", Message: "later", DeliverAt: &now, ReqID: reqID()})
	if got := topicPush(bob); edgetest.Text(got) != "later" || got.TargetSpec != "#"+ref.ID || got.SenderPubkey != ana.Key() {
		t.Errorf("push: %+v", got)
	}
	ask[*wire.ScheduledAck](ana, &wire.Schedule{To: "#none", Message: "later", DeliverAt: &now, ReqID: reqID()})
	ana.Event(wire.EventScheduleFailed)
}

func TestHostileNamesOfTopicsGetAnAnswer(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	for _, name := range []string{"", "a\x00b", "a\nb", strings.Repeat("n", 64<<10)} {
		refusal(t, ana, &wire.TopicCreate{Name: name, ReqID: reqID()}, wire.CodeInvalidArgument)
	}
	for _, name := range []string{"'; DROP TABLE x --", "*", "@all", "#x", "a:b", "日本", strings.Repeat("é", 100)} {
		ref := newTopic(ana, name)
		if got := ana.Message("#"+ref.ID, "x"); !got.Queued {
			t.Errorf("%q: %+v", name, *got)
		}
		if n := len(history(ana, name)); n != 1 {
			t.Errorf("%q: history of %d", name, n)
		}
	}
	for i, text := range []string{"@'\"@", "@", strings.Repeat("@a", 9000), "\xff\xfe@x"} {
		raw := base64.StdEncoding.EncodeToString([]byte(text))
		if got := ana.Message("#*", "", func(s *wire.Send) { s.Ciphertext = raw }); !got.Queued {
			t.Errorf("body %d: %+v", i, *got)
		}
	}
}

// sealedCopy is something of the shape of a copy of a key.
func sealedCopy(fill string) wire.SealedTopicKey {
	return wire.SealedTopicKey{
		EncryptedKey: base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, wire.SealedTopicKeySize))),
		Nonce:        base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, wire.TopicKeyNonceSize))),
	}
}

func TestTopicKeysAreMadeByPeersAndHandedOnInCopies(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, carl := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(one, "carl")
	mine, copied := sealedCopy("a"), sealedCopy("b")
	ref := newTopic(ana, "t", func(c *wire.TopicCreate) { c.Key = &mine })
	newTopic(ana, "clear")
	if got := ask[*wire.TopicKeyResult](ana, &wire.TopicKey{Topic: "t", ReqID: reqID()}); got.SealedTopicKey != mine || got.SenderPubkey != ana.Member.Pub() || got.TopicID != ref.ID {
		t.Errorf("own copy: %+v", got)
	}
	refusal(t, ana, &wire.TopicKey{Topic: "clear", ReqID: reqID()}, wire.CodeTopicUnencrypted)
	refusal(t, bob, &wire.TopicKey{Topic: "t", ReqID: reqID()}, wire.CodeKeyNotSealed)
	refusal(t, ana, &wire.TopicSeal{Topic: "t", MemberID: bob.Member.ID, SealedTopicKey: copied, ReqID: reqID()}, wire.CodeRecipientNotJoined)
	join(bob, "t")
	join(carl, "t")
	pending := ask[*wire.TopicPendingSealsResult](ana, &wire.TopicPendingSeals{Topic: "t", ReqID: reqID()}).Pending
	if len(pending) != 2 || pending[0].MemberID != bob.Member.ID || pending[0].Pubkey != bob.Member.Pub() {
		t.Errorf("pending: %+v", pending)
	}
	refusal(t, carl, &wire.TopicSeal{Topic: "t", MemberID: bob.Member.ID, SealedTopicKey: copied, ReqID: reqID()}, wire.CodeKeyNotSealed)
	sealed := ask[*wire.TopicSealed](ana, &wire.TopicSeal{Topic: "t", MemberID: bob.Member.ID, SealedTopicKey: copied, ReqID: reqID()})
	if got := ask[*wire.TopicKeyResult](bob, &wire.TopicKey{Topic: ref.ID, ReqID: reqID()}); got.SealedTopicKey != copied || sealed.MemberID != bob.Member.ID {
		t.Errorf("copy: %+v after %+v", got, sealed)
	}
	refusal(t, bob, &wire.TopicSeal{Topic: "t", MemberID: ana.Member.ID, SealedTopicKey: copied, ReqID: reqID()}, wire.CodeForbidden)
	if got := ask[*wire.TopicListResponse](bob, &wire.TopicList{ReqID: reqID()}).Topics; !got[0].Sealed || got[1].Sealed {
		t.Errorf("list: %+v", got)
	}
}

func TestMentionsAreNotedForThoseWhoMayReadThem(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ref, hidden := newTopic(ana, "t"), newTopic(ana, "h", private)
	in := ana.Send("#"+ref.ID, "for @Bob, @ana and @nobody's")
	listed := ana.Send("#"+ref.ID, "sealed", func(s *wire.Send) { s.BodyVersion, s.Mentions = 2, []string{"bob"} })
	ana.Send("#"+ref.ID, "sealed @bob", func(s *wire.Send) { s.BodyVersion = 2 })
	ana.Send("#"+hidden.ID, "@bob")
	got := ask[*wire.NotificationsResult](bob, &wire.Notifications{Unread: true, ReqID: reqID()})
	if len(got.Notifications) != 2 || got.Notifications[0].ID != listed || got.Notifications[1].ID != in ||
		got.MentionedAs != "bob" || got.Notifications[1].TopicName != "t" || got.Notifications[0].ReadAt != nil {
		t.Errorf("bob: %+v", got)
	}
	for _, since := range []time.Time{time.Now().Add(time.Hour)} {
		at := wire.At(since)
		if late := ask[*wire.NotificationsResult](bob, &wire.Notifications{Since: &at, ReqID: reqID()}); len(late.Notifications) != 0 {
			t.Errorf("since then: %+v", late)
		}
	}
	if own := ask[*wire.NotificationsResult](ana, &wire.Notifications{ReqID: reqID()}); len(own.Notifications) != 0 {
		t.Errorf("ana: %+v", own)
	}
}

func TestAMemberKeepsTheNewestNotifications(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	newTopic(ana, "t")
	var last string
	for range 105 {
		last = ana.Send("#t", "@bob")
	}
	got := ask[*wire.NotificationsResult](bob, &wire.Notifications{ReqID: reqID()}).Notifications
	if len(got) != wire.MaxNotifications || got[0].ID != last {
		t.Errorf("%d, the first %+v", len(got), got[0])
	}
	n, err := e.Client.Raw().HLen(t.Context(), "commons:"+e.Client.Tag(m.ID)+":"+m.ID+":notification-"+bob.Member.Pub()).Result()
	if err != nil || n != 100 {
		t.Errorf("%d are kept, %v", n, errors.Join(err))
	}
}

func TestManyCreateAndJoinATopicAtOnceAndItIsOne(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	const peers = 40
	made := make(chan *wire.TopicCreated, peers)
	var wg sync.WaitGroup
	for i := range peers {
		e := one
		if i%2 == 0 {
			e = other
		}
		p := m.Session(e, fmt.Sprint("p", i))
		wg.Go(func() { made <- ask[*wire.TopicCreated](p, &wire.TopicCreate{Name: "t", ReqID: reqID()}) })
	}
	wg.Wait()
	close(made)
	created, ids := 0, map[string]bool{}
	for got := range made {
		ids[got.Topic.ID] = true
		if got.Created {
			created++
		}
	}
	list := ask[*wire.TopicListResponse](m.Session(one, "p0"), &wire.TopicList{ReqID: reqID()}).Topics
	if created != 1 || len(ids) != 1 || len(list) != 1 || list[0].MemberCount != peers {
		t.Errorf("%d created, ids %v, list %+v", created, ids, list)
	}
}
