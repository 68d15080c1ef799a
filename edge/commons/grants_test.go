package commons_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func setGrants(p *edgetest.Peer, sender string, caps []wire.Capability) wire.Grants {
	return ask[*wire.GrantsResult](p, &wire.SetGrants{SenderPubkey: sender, Capabilities: caps, ReqID: reqID()}).Grants
}

func TestWhoeverIsGrantedNothingIsBlockedAtOnceOnAllEdges(t *testing.T) {
	t.Parallel()
	one, other := edges(t)
	m := one.NewMesh()
	ana, bob := m.Session(one, "ana"), m.Session(other, "bob")
	if g := ask[*wire.GrantsResult](ana, &wire.GetGrants{ReqID: reqID()}).Grants; g == nil || len(g) != 0 {
		t.Errorf("grants before: %v", g)
	}
	if g := setGrants(ana, bob.Member.Pub(), []wire.Capability{}); g[bob.Member.Pub()] == nil {
		t.Errorf("grants: %v", g)
	}
	if ack := bob.Message(ana.Key(), "hello?"); ack.Queued || !strings.HasPrefix(ack.Error, "blocked") {
		t.Errorf("ack: %+v", *ack)
	}
	edgetest.Eventually(t, func() error { // the bell that tells edges of it may still ring
		bob.Send("*", "anybody?")
		for _, p := range ana.Pushes() {
			if !p.IsEvent() {
				return fmt.Errorf("heard %q", edgetest.Text(p))
			}
		}
		return nil
	})
	if g := setGrants(ana, bob.Member.Pub(), nil); len(g) != 0 {
		t.Errorf("grants after: %v", g)
	}
	bob.Send(ana.Key(), "again")
	if got := edgetest.Text(ana.Receive()); got != "again" {
		t.Errorf("got %q", got)
	}
	if g := ask[*wire.GrantsResult](bob, &wire.GetGrants{ReqID: reqID()}).Grants; len(g) != 0 {
		t.Errorf("somebody else's grants: %v", g)
	}
}

func TestGrantsNameKeysAndKnownCapabilities(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t)
	ana := e.NewMesh().Session(e, "ana")
	key := ana.Member.Pub()
	refusal(t, ana, &wire.SetGrants{SenderPubkey: "bob", ReqID: reqID()}, wire.CodeInvalidArgument)
	refusal(t, ana, &wire.SetGrants{SenderPubkey: key, Capabilities: []wire.Capability{"fly"}, ReqID: reqID()}, wire.CodeInvalidArgument)
	many := make([]wire.Capability, 1000)
	for i := range many {
		many[i] = wire.CapDM
	}
	refusal(t, ana, &wire.SetGrants{SenderPubkey: key, Capabilities: many, ReqID: reqID()}, wire.CodeInvalidArgument)
}
