package commons_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/commons"
	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
)

func deleteTopic(topic string) *wire.TopicDelete {
	return &wire.TopicDelete{Topic: topic, ReqID: reqID()}
}

func TestWhoMadeATopicOrAnAdminEndsItForEverybody(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, carl, boss := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "carl"), m.Session(one, founder)
	for who, visibility := range map[*edgetest.Peer]wire.TopicVisibility{ana: wire.TopicPublic, boss: wire.TopicPrivate} {
		name := string(visibility)
		ref := newTopic(ana, name, func(c *wire.TopicCreate) { c.Visibility = visibility })
		join(bob, ref.ID)
		ana.Send("#"+ref.ID, "hello @bob")
		topicPush(bob)
		refusal(t, bob, deleteTopic(name), wire.CodeForbidden)
		ask[*wire.OK](who, deleteTopic(name))
		var told wire.TopicEvent
		if err := json.Unmarshal(bob.Event(wire.EventTopicDeleted).EventData, &told); err != nil {
			t.Fatal(err)
		}
		if told.Topic != name || told.TopicID != ref.ID || told.By != who.Member.Name {
			t.Errorf("told: %+v", told)
		}
		for _, named := range []string{name, ref.ID} {
			refusal(t, who, deleteTopic(named), wire.CodeTopicNotFound)
			refusal(t, bob, &wire.TopicHistory{Topic: named, ReqID: reqID()}, wire.CodeTopicNotFound)
		}
		refusedSend(t, ana, "#"+ref.ID)
	}
	if got := ask[*wire.NotificationsResult](bob, &wire.Notifications{ReqID: reqID()}).Notifications; len(got) != 0 {
		t.Errorf("mentions in what is gone: %+v", got)
	}
	for _, p := range carl.Pushes() {
		if p.Event == wire.EventTopicDeleted {
			t.Error("told to one who did not join")
		}
	}
	expectNoTopic(t, one, m)
}

// expectNoTopic finds what a topic has left behind.
func expectNoTopic(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh) {
	t.Helper()
	left, err := e.Client.Raw().Keys(t.Context(), "commons:*:"+m.ID+":topic*").Result()
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	sizes, err := e.Client.Raw().HGetAll(t.Context(), "sizes:"+e.Client.Tag(m.ID)+":"+m.ID).Result()
	if err != nil {
		t.Fatal(err)
	}
	for name := range sizes {
		if strings.HasPrefix(name, "topic") {
			t.Errorf("still counted: %s", name)
		}
	}
}

func TestATopicOfOthersCannotBeEndedNorFoundByTryingTo(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m, elsewhere := one.NewMesh(), one.NewMesh()
	ana, eve, stranger := m.Session(one, "ana"), m.Session(other, "eve"), elsewhere.Session(other, founder)
	ref := newTopic(ana, "hidden", private)
	public := newTopic(ana, "open")
	for _, name := range []string{ref.ID, ref.Name} {
		refusal(t, eve, deleteTopic(name), wire.CodeTopicNotFound)
	}
	refusal(t, eve, deleteTopic(public.Name), wire.CodeForbidden)
	for _, name := range []string{ref.ID, public.ID, "open"} {
		refusal(t, stranger, deleteTopic(name), wire.CodeTopicNotFound)
	}
	if n := len(ask[*wire.TopicListResponse](ana, &wire.TopicList{ReqID: reqID()}).Topics); n != 2 {
		t.Errorf("%d topics", n)
	}
}

// A member makes as many topics as a mesh may have, none of which others see,
// and is banned.
func TestAnAdminMakesRoomInAMeshThatHiddenTopicsFill(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	eve, boss := m.Session(e, "eve"), m.Session(e, founder)
	for i := range 100 {
		newTopic(eve, fmt.Sprint("t", i), private)
	}
	ask[*wire.BanAck](boss, &wire.Ban{Target: "eve", ReqID: reqID()})
	refusal(t, boss, &wire.TopicCreate{Name: "mine", ReqID: reqID()}, wire.CodeFull)
	for _, one := range ask[*wire.TopicListResponse](boss, &wire.TopicList{All: true, ReqID: reqID()}).Topics {
		ask[*wire.OK](boss, deleteTopic(one.Name))
	}
	expectNoTopic(t, e, m)
	newTopic(boss, "mine")
}

// Some join and speak while the topic is ended again and again.
func TestATopicThatEndsWhileItIsUsedLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	var wg sync.WaitGroup
	for i := range 4 {
		p := m.Session(other, fmt.Sprint("p", i))
		wg.Go(func() {
			for range 5 {
				p.Write(&wire.TopicJoin{Topic: "t"})
				p.Message("#t", "x")
				p.Write(&wire.TopicMarkRead{Topic: "t"})
				p.Settle()
			}
		})
	}
	for range 10 {
		ref := newTopic(ana, "t")
		ask[*wire.OK](ana, deleteTopic(ref.ID))
	}
	wg.Wait()
	expectNoTopic(t, one, m)
}

func TestAStreamOfATopicThatIsDeletedSaysSo(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	ana := one.NewMesh().Session(one, "ana")
	ref := newTopic(ana, "t")
	key := newKey(ana, []wire.KeyCapability{wire.KeyRead}).Secret
	st := readStream(t, other, key, "t", "")
	ask[*wire.OK](ana, deleteTopic(ref.ID))
	st.ends(wire.CodeTopicNotFound)
	if status, _ := call(t, other, key, "GET", "/api/v1/topics/t/messages", ""); status != http.StatusNotFound {
		t.Errorf("messages: %d", status)
	}
}

// lastMoment lets somebody do something whenever an edge has read who is in a
// topic, and has the edge die once it has changed anything.
type lastMoment struct {
	do   []func()
	died bool
}

var errDied = errors.New("the edge died")

func (*lastMoment) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (*lastMoment) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (l *lastMoment) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if l.died {
			return errDied
		}
		err := next(ctx, cmd)
		switch name := cmd.Name(); {
		case name == "hkeys" && len(l.do) > 0:
			l.do[0]()
			l.do = l.do[1:]
		case strings.HasPrefix(name, "eval") && err == nil:
			l.died = true
		}
		return err
	}
}

func TestATopicEndsAtOnceAlsoForThoseWhoComeAtTheLastMoment(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob, carl := m.Session(e, "ana"), m.Session(e, "bob"), m.Session(e, "carl")
	newTopic(ana, "t")
	ana.Send("#t", "hello")
	moment := &lastMoment{do: []func(){func() { join(bob, "t") }, func() { join(carl, "t") }}}
	share := deaf(e)
	e.Client.Raw().AddHook(moment)
	who := &commons.Caller{
		Peer: presence.Peer{Mesh: m.ID, ID: "ana"}, Member: registry.Member{Key: ana.Member.Pub(), Name: "ana"},
	}
	_, _, _ = share.Handle(t.Context(), who, &wire.TopicDelete{Topic: "t"}) // whether it says so or dies before
	if len(moment.do) == 2 || !moment.died {
		t.Fatal("it was not the last moment")
	}
	moment.died = false
	expectNoTopic(t, e, m)
}

// Who ends a topic by its name must not end the one that has this name as its
// id.
func TestATopicIsNotNamedAsAnotherOnesID(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, eve := m.Session(one, "ana"), m.Session(other, "eve")
	ref := newTopic(ana, "open")
	refusal(t, eve, &wire.TopicCreate{Name: ref.ID, Visibility: wire.TopicPrivate, ReqID: reqID()}, wire.CodeForbidden)
}
