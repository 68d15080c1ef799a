package commons_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func publish(p *edgetest.Peer, stream string, n int) {
	ask[*wire.OK](p, &wire.Publish{Stream: stream, Data: json.RawMessage(fmt.Sprint(n)), ReqID: reqID()})
}

func nextData(p *edgetest.Peer) string {
	d := edgetest.Next[*wire.StreamData](p.Conn)
	return fmt.Sprintf("%s %s by %s", d.Stream, d.Data, d.PublishedBy)
}

func TestStreamDataReachSubscribersOnEveryEdgeAndNobodyElse(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob, eve := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "eve")
	first := ask[*wire.StreamCreated](ana, &wire.CreateStream{Name: "it's", ReqID: reqID()})
	again := ask[*wire.StreamCreated](bob, &wire.CreateStream{Name: "it's", ReqID: reqID()})
	if first.ID == "" || first.ID != again.ID {
		t.Errorf("created %q, then %q", first.ID, again.ID)
	}
	for _, p := range []*edgetest.Peer{ana, bob} {
		ask[*wire.Subscribed](p, &wire.Subscribe{Stream: "it's", ReqID: reqID()})
	}
	publish(eve, "it's", 1)
	publish(ana, "it's", 2)
	if got := nextData(bob) + ", " + nextData(bob); got != "it's 1 by eve, it's 2 by ana" {
		t.Errorf("bob hears %s", got)
	}
	if got := nextData(ana); got != "it's 1 by eve" {
		t.Errorf("ana hears %s", got)
	}
	ask[*wire.OK](bob, &wire.Unsubscribe{Stream: "it's", ReqID: reqID()})
	publish(ana, "it's", 3)
	publish(eve, "it's", 4)
	if got := nextData(ana); got != "it's 4 by eve" {
		t.Errorf("ana hears %s", got)
	}
	for _, p := range []*edgetest.Peer{bob, eve} {
		p.Settle()
		for _, f := range p.Frames() {
			if _, heard := f.(*wire.StreamData); heard {
				t.Error("heard what was not for it")
			}
		}
	}
	list := ask[*wire.StreamList](eve, &wire.ListStreams{ReqID: reqID()}).Streams
	if len(list) != 1 || list[0].SubscriberCount != 1 || list[0].CreatedBy != "ana" {
		t.Errorf("streams: %+v", list)
	}
}

func TestL4_ASubscriptionSurvivesACutAndWhatWasPublishedMeanwhileComes(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	ask[*wire.Subscribed](bob, &wire.Subscribe{Stream: "s", ReqID: reqID()})
	bob.Cut()
	publish(ana, "s", 1)
	bob = bob.Again(one)
	if got := nextData(bob); got != "s 1 by ana" {
		t.Errorf("bob hears %s", got)
	}
	publish(ana, "s", 2)
	if got := nextData(bob); got != "s 2 by ana" {
		t.Errorf("bob hears %s", got)
	}
}

func TestASubscriptionEndsWithItsLease(t *testing.T) {
	t.Parallel()
	one, other := edges(t, edgetest.WithLease(briefLease))
	m := one.NewMesh()
	ana, bob, eve := m.Session(one, "ana"), m.Session(other, "bob"), m.Session(other, "eve")
	for _, p := range []*edgetest.Peer{bob, eve} {
		ask[*wire.StreamCreated](p, &wire.CreateStream{Name: "s", ReqID: reqID()})
		ask[*wire.Subscribed](p, &wire.Subscribe{Stream: "s", ReqID: reqID()})
	}
	bob.Cut()                  // its lease runs out
	eve.Write(&wire.Goodbye{}) // ended at once
	ana.Event(wire.EventPeerLeft)
	ana.Event(wire.EventPeerLeft)
	edgetest.Eventually(t, func() error {
		l := ask[*wire.StreamList](ana, &wire.ListStreams{ReqID: reqID()}).Streams
		if n := l[0].SubscriberCount; n != 0 {
			return fmt.Errorf("%d subscribers", n)
		}
		return nil
	})
	edgetest.Eventually(t, func() error { // the clean-up ticks itself off after the last subscription went
		keys, err := one.Client.Raw().Keys(t.Context(), "commons:*").Result()
		if err == nil && len(keys) != 1 {
			err = fmt.Errorf("left behind: %q", keys)
		}
		return err
	})
}
