package commons_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func soon(d time.Duration) *wire.Millis {
	ms := wire.MillisAt(time.Now().Add(d))
	return &ms
}

func schedule(p *edgetest.Peer, to, text string, in time.Duration) string {
	return ask[*wire.ScheduledAck](p, &wire.Schedule{To: to, Message: text, DeliverAt: soon(in), ReqID: reqID()}).ScheduledID
}

func TestAScheduledMessageComesFromWhoScheduledIt(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	for _, to := range []string{bob.Key(), "*"} {
		schedule(ana, to, "it's time", 300*time.Millisecond)
		got := bob.Receive()
		if edgetest.Text(got) != "it's time" || got.SenderPubkey != ana.Key() || got.SenderName != "ana" ||
			got.SenderMemberPubkey != ana.Member.Pub() || got.Priority != wire.LaneNow || got.TargetSpec != to || got.Nonce != "" {
			t.Errorf("to %s: %+v", to, got)
		}
	}
	edgetest.Eventually(t, func() error {
		if l := ask[*wire.ScheduledList](ana, &wire.ListScheduled{ReqID: reqID()}).Messages; len(l) != 0 {
			return fmt.Errorf("listed: %+v", l)
		}
		return nil
	})
	bob.ExpectNoMessage()
}

func TestAReminderReachesWhoAskedForIt(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	schedule(ana, ana.Key(), "stretch", 100*time.Millisecond)
	if got := ana.Receive(); edgetest.Text(got) != "stretch" {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsScheduledIsSentThoughItsAuthorAndItsEdgeAreGone(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	schedule(ana, bob.Key(), "later", time.Second)
	ana.Write(&wire.Goodbye{})
	bob.Event(wire.EventPeerLeft)
	one.Kill()
	if got := bob.Receive(); edgetest.Text(got) != "later" || got.SenderName != "ana" {
		t.Errorf("got %+v", got)
	}
	bob.ExpectNoMessage()
}

func TestQ3_ScheduledMessagesOfOneMomentComeInTheOrderOfTheirAsking(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	at := soon(1500 * time.Millisecond)
	for i := range 20 {
		ask[*wire.ScheduledAck](ana, &wire.Schedule{To: bob.Key(), Message: fmt.Sprint(i), DeliverAt: at, ReqID: reqID()})
	}
	for i := range 20 {
		got := bob.Receive()
		if edgetest.Text(got) != fmt.Sprint(i) {
			t.Fatalf("%d is %s", i, edgetest.Text(got))
		}
		bob.AckMessage(got)
	}
}

func TestScheduledMessagesBelongToTheirMember(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, sibling, bob := m.Session(one, "ana"), m.Session(other, "ana"), m.Session(other, "bob")
	id := schedule(ana, bob.Key(), "x", time.Hour)
	cancel := &wire.CancelScheduled{ScheduledID: id, ReqID: reqID()}
	if ask[*wire.CancelScheduledAck](bob, cancel).OK {
		t.Error("bob cancelled what is ana's")
	}
	if l := ask[*wire.ScheduledList](bob, &wire.ListScheduled{ReqID: reqID()}).Messages; len(l) != 0 {
		t.Errorf("bob sees %+v", l)
	}
	if l := ask[*wire.ScheduledList](sibling, &wire.ListScheduled{ReqID: reqID()}).Messages; len(l) != 1 || l[0].ID != id {
		t.Errorf("sibling sees %+v", l)
	}
	cancel.ReqID = reqID()
	if !ask[*wire.CancelScheduledAck](sibling, cancel).OK {
		t.Error("not cancelled")
	}
}

func TestACronExpressionIsAnsweredAndRepeats(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	m := e.NewMesh()
	ana, bob := m.Session(e, "ana"), m.Session(e, "bob")
	for _, expr := range []string{
		"*/0 * * * *", "61 * * * *", "* * * *", "* * * * * *", "TZ= * * * * *", "@every 1s", "0 0 30 2 *", "'; --", "5-70 * * * *",
		strings.Repeat("1,", 90) + "1 * * * x", "\u0660 * * * *",
	} {
		refusal(t, ana, &wire.Schedule{To: bob.Key(), Message: "m", Cron: expr, ReqID: reqID()}, wire.CodeInvalidCron)
	}
	ack := ask[*wire.ScheduledAck](ana, &wire.Schedule{To: bob.Key(), Message: "tick", Cron: "* * * * *", ReqID: reqID()})
	// As if its minute had come.
	for n := range 2 {
		backdate(t, e, m, ack.ScheduledID)
		got := bob.Receive()
		bob.AckMessage(got)
		l := ask[*wire.ScheduledList](ana, &wire.ListScheduled{ReqID: reqID()}).Messages
		edgetest.Eventually(t, func() error {
			l = ask[*wire.ScheduledList](ana, &wire.ListScheduled{ReqID: reqID()}).Messages
			if len(l) != 1 || l[0].FiredCount != n+1 {
				return fmt.Errorf("listed: %+v", l)
			}
			return nil
		})
	}
}

// backdate makes a scheduled message due now.
func backdate(t *testing.T, e *edgetest.Edge, m *edgetest.Mesh, id string) {
	t.Helper()
	raw, shelf := e.Client.Raw(), key(e, m, "schedule")
	text, err := raw.HGet(t.Context(), shelf, id).Result()
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	r["next"] = time.Now().Add(-time.Second).UnixMilli()
	b, err := json.Marshal(r)
	if err == nil {
		err = raw.HSet(t.Context(), shelf, id, b).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	overdue(t, e, m, "schedule", id)
}

func TestWhatCannotBeSentIsReportedToWhoScheduledIt(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana := m.Session(one, "ana")
	id := schedule(ana, wire.PublicKey(edgetest.NewKey(t)), "x", 0)
	var f wire.ScheduleFailure
	if err := json.Unmarshal(ana.Event(wire.EventScheduleFailed).EventData, &f); err != nil {
		t.Fatal(err)
	}
	if f.ScheduledID != id || !strings.Contains(f.Reason, "recipient") {
		t.Errorf("told %+v", f)
	}
	refusal(t, m.Session(other, "bob"), &wire.Schedule{To: "*", Message: "m", DeliverAt: soon(20 * 366 * 24 * time.Hour), ReqID: reqID()},
		wire.CodeInvalidArgument)
}

func TestS2_ABanEndsWhatTheMemberHasScheduled(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	schedule(ana, "*", "a last word", 500*time.Millisecond)
	schedule(ana, "*", "and another", time.Hour)
	if err := m.Registry.Ban(t.Context(), m.ID, ana.Member.Pub()); err != nil {
		t.Fatal(err)
	}
	bob.Event(wire.EventPeerLeft)
	key := "commons:" + one.Client.Tag(m.ID) + ":" + m.ID + ":schedule"
	edgetest.Eventually(t, func() error {
		n, err := one.Client.Raw().HLen(t.Context(), key).Result()
		if err == nil && n > 0 {
			err = fmt.Errorf("%d are still scheduled", n)
		}
		return err
	})
	bob.ExpectNoMessage()
}
