package edge

import (
	"encoding/json"
	"testing"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/registry"
	"github.com/claudemesh/claudemesh/presence"
	"github.com/claudemesh/claudemesh/queue"
)

// TestAStoredBodyBecomesThePushThatTheWireDefines holds wire.PushBody against
// wire.Push: the edge stores the one and splices it into the other.
func TestAStoredBodyBecomesThePushThatTheWireDefines(t *testing.T) {
	t.Parallel()
	body := wire.PushBody{
		MeshID: "m", SenderPubkey: "k", SenderMemberID: "i", SenderName: `a "name"`, TargetSpec: "@g", Priority: wire.LaneNow,
		Nonce: "n", Ciphertext: "c", ClientMessageID: "cid", RequestFingerprint: "fp", ReplyToID: "r",
	}.Encode()
	f := stamp{id: "id", at: 1_767_225_600_123, member: "mk", cursor: "e/1/id"}.splice(string(body))
	m, err := wire.DecodeFromEdge(f[4:]) // two bytes of header and two of length
	if err != nil {
		t.Fatal(err)
	}
	got := m.(*wire.Push)
	if text, _ := got.CreatedAt.MarshalJSON(); string(text) != `"2026-01-01T00:00:00.123Z"` {
		t.Errorf("createdAt %s", text)
	}
	want := wire.Push{
		MessageID: "id", MeshID: "m", SenderPubkey: "k", SenderMemberPubkey: "mk", SenderMemberID: "i", SenderName: `a "name"`,
		TargetSpec: "@g", Priority: wire.LaneNow, Nonce: "n", Ciphertext: "c", CreatedAt: got.CreatedAt,
		ClientMessageID: "cid", RequestFingerprint: "fp", ReplyToID: "r", Cursor: "e/1/id",
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestOnlySelfMessagesOnKeyLessConnectionsHideTheirMember(t *testing.T) {
	t.Parallel()
	for _, kind := range []presence.Kind{presence.KindMember, presence.KindClaim, presence.KindSession} {
		for _, from := range []string{"me", "you"} {
			c := &conn{kind: kind, member: registry.Member{Key: "me"}}
			f := directPush(c, &queue.Entry{ID: "id", Member: from, Body: `{"nonce":""}`})
			m, err := wire.DecodeFromEdge(f[2:])
			if err != nil {
				m, err = wire.DecodeFromEdge(f[4:])
			}
			if err != nil {
				t.Fatal(err)
			}
			hidden := m.(*wire.Push).SenderMemberPubkey == ""
			if want := kind == presence.KindMember && from == "me"; hidden != want {
				t.Errorf("%s from %s: hidden %v", kind, from, hidden)
			}
		}
	}
}
