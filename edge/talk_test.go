package edge_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/edge/edgetest"
	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestTwoPeersMeetAndTalk(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.WithLog(t))
	m := e.NewMesh()
	ana := m.Session(e, "ana")
	if ana.Ack.Resumed || ana.Ack.Cursor == "" || ana.Ack.MemberDisplayName != "ana" {
		t.Errorf("hello_ack: %+v", ana.Ack)
	}
	bob := m.Session(e, "bob")
	joined := ana.Event(wire.EventPeerJoined)
	if joined.SenderPubkey != wire.SystemSender || joined.Cursor == "" {
		t.Errorf("event: %+v", joined)
	}
	if peers := ana.List(); len(peers) != 2 || peers[0].Pubkey != ana.Key() || peers[1].Pubkey != bob.Key() {
		t.Errorf("peers: %+v", peers)
	}
	id := ana.Send(bob.Key(), "hello")
	got := bob.Receive()
	if got.MessageID != id || edgetest.Text(got) != "hello" || got.SenderPubkey != ana.Key() ||
		got.SenderMemberPubkey != ana.Member.Pub() || got.SenderName != "ana" || got.SenderMemberID != ana.Member.ID {
		t.Errorf("push: %+v", got)
	}
	bob.Settle()
	id = bob.Send("*", "all")
	if got := ana.Receive(); got.MessageID != id || got.Cursor == "" || edgetest.Text(got) != "all" {
		t.Errorf("broadcast: %+v", got)
	}
}
