package commons_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestATaskGoesFromOpenToDone(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	id := ask[*wire.TaskCreated](ana, &wire.CreateTask{Title: `it's "this"`, Tags: []string{"x"}, ReqID: reqID()}).ID
	claimed := ask[*wire.TaskList](bob, &wire.ClaimTask{TaskID: id, ReqID: reqID()}).Tasks
	if len(claimed) != 1 || claimed[0].Status != wire.TaskClaimed || *claimed[0].ClaimedBy != "bob" ||
		claimed[0].Priority != "normal" || claimed[0].CreatedBy != "ana" || claimed[0].Stale {
		t.Errorf("claimed: %+v", claimed)
	}
	refusal(t, ana, &wire.ClaimTask{TaskID: id, ReqID: reqID()}, wire.CodeTaskNotClaimable)
	refusal(t, ana, &wire.ReleaseTask{TaskID: id, ReqID: reqID()}, wire.CodeForbidden)
	ask[*wire.TaskList](bob, &wire.ReleaseTask{TaskID: id, ReqID: reqID()})
	ask[*wire.TaskList](ana, &wire.ClaimTask{TaskID: id, ReqID: reqID()})
	done := ask[*wire.TaskList](bob, &wire.CompleteTask{TaskID: id, Result: "ok", ReqID: reqID()}).Tasks
	if done[0].Status != wire.TaskDone || done[0].Result != "ok" || *done[0].ClaimedBy != "ana" {
		t.Errorf("done: %+v", done)
	}
	refusal(t, ana, &wire.ClaimTask{TaskID: id, ReqID: reqID()}, wire.CodeTaskNotClaimable)
	refusal(t, ana, &wire.CompleteTask{TaskID: "unknown", ReqID: reqID()}, wire.CodeTaskNotFound)
	if l := ask[*wire.TaskList](ana, &wire.ListTasks{Status: wire.TaskOpen, ReqID: reqID()}).Tasks; len(l) != 0 {
		t.Errorf("open: %+v", l)
	}
}

func TestOneOfManyGetsATask(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	id := ask[*wire.TaskCreated](m.Session(one, "ana"), &wire.CreateTask{Title: "t", ReqID: reqID()}).ID
	var wg sync.WaitGroup
	won := make(chan string, 8)
	for i, name := range []string{"b", "c", "d", "e", "f", "g"} {
		p := m.Session([]*edgetest.Edge{one, other}[i%2], name)
		wg.Go(func() {
			req := reqID()
			p.Write(&wire.ClaimTask{TaskID: id, ReqID: req})
			answer := edgetest.NextIf(p.Conn, func(m wire.Message) bool {
				l, ok := m.(*wire.TaskList)
				e, bad := m.(*wire.ErrorFrame)
				return ok && l.ReqID == req || bad && e.ReqID == req
			})
			if _, ok := answer.(*wire.TaskList); ok {
				won <- name
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d peers have the task", len(won))
	}
}

func TestWhatALeaverHadClaimedCanBeTakenAfterAWhile(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	id := ask[*wire.TaskCreated](ana, &wire.CreateTask{Title: "t", ReqID: reqID()}).ID
	ask[*wire.TaskList](bob, &wire.ClaimTask{TaskID: id, ReqID: reqID()})
	bob.Write(&wire.Goodbye{})

	key := "commons:" + one.Client.Tag(m.ID) + ":" + m.ID + ":task"
	record := func() (fields, claim map[string]any) {
		text, err := one.Client.Raw().HGet(t.Context(), key, id).Result()
		if err == nil {
			err = json.Unmarshal([]byte(text), &fields)
		}
		if err != nil {
			t.Fatal(err)
		}
		claim, _ = fields["claim"].(map[string]any)
		return fields, claim
	}
	edgetest.Eventually(t, func() error {
		if _, claim := record(); claim["left"] == nil {
			return errNotYet
		}
		return nil
	})
	refusal(t, ana, &wire.ClaimTask{TaskID: id, ReqID: reqID()}, wire.CodeTaskNotClaimable)

	fields, claim := record()
	claim["left"] = time.Now().Add(-time.Hour).UnixMilli()
	b, _ := json.Marshal(fields)
	if err := one.Client.Raw().HSet(t.Context(), key, id, b).Err(); err != nil {
		t.Fatal(err)
	}
	if l := ask[*wire.TaskList](ana, &wire.ListTasks{ReqID: reqID()}).Tasks; !l[0].Stale || *l[0].ClaimedBy != "bob" {
		t.Errorf("listed: %+v", l[0])
	}
	if l := ask[*wire.TaskList](ana, &wire.ClaimTask{TaskID: id, ReqID: reqID()}).Tasks; *l[0].ClaimedBy != "ana" || l[0].Stale {
		t.Errorf("claimed: %+v", l[0])
	}
}

func TestDoneTasksMakeRoomForNewOnes(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	title := strings.Repeat("x", 4000)
	first := ask[*wire.TaskCreated](ana, &wire.CreateTask{Title: title, ReqID: reqID()}).ID
	// As if the shelf were full.
	sizes := "sizes:" + e.Client.Tag(m.ID) + ":" + m.ID
	if err := e.Client.Raw().HSet(t.Context(), sizes, "task", 4<<20).Err(); err != nil {
		t.Fatal(err)
	}
	refusal(t, ana, &wire.CreateTask{Title: title, ReqID: reqID()}, wire.CodeFull)
	ask[*wire.TaskList](ana, &wire.CompleteTask{TaskID: first, ReqID: reqID()})
	ask[*wire.TaskCreated](ana, &wire.CreateTask{Title: title[:3000], ReqID: reqID()})
	if l := ask[*wire.TaskList](ana, &wire.ListTasks{ReqID: reqID()}).Tasks; len(l) != 1 || l[0].ID == first {
		t.Errorf("left: %d tasks", len(l))
	}
}
