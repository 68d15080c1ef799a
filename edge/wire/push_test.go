package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestAStoredBodyBecomesAPush(t *testing.T) {
	t.Parallel()
	body := wire.PushBody{
		MeshID: meshID, SenderPubkey: "s", SenderMemberID: "m", SenderName: `A"na <&>`, TargetSpec: "@o'neill",
		Priority: wire.LaneNow, Nonce: "QEFC", Ciphertext: "b0Z5", ClientMessageID: "c", RequestFingerprint: "f",
		ReplyToID: "r",
	}
	head := wire.PushHead{MessageID: "j1", CreatedAt: now, SenderMemberPubkey: "k", Cursor: "e/1/j1"}
	got, err := wire.DecodeFromEdge(head.Compose(body.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	want := &wire.Push{
		MessageID: "j1", MeshID: meshID, SenderPubkey: "s", SenderMemberPubkey: "k", SenderMemberID: "m",
		SenderName: `A"na <&>`, TargetSpec: "@o'neill", Priority: wire.LaneNow, Nonce: "QEFC", Ciphertext: "b0Z5",
		CreatedAt: wire.At(now), ClientMessageID: "c", RequestFingerprint: "f", ReplyToID: "r", Cursor: "e/1/j1",
	}
	if diff := cmp.Diff(wire.Message(want), got); diff != "" {
		t.Errorf("push (-want, +got):\n%s", diff)
	}
}

func TestPushesAreTheBytesThatClientsExpect(t *testing.T) {
	t.Parallel()
	head := wire.PushHead{MessageID: "0f0e", CreatedAt: now}
	for want, got := range map[string][]byte{
		`{"type":"push","messageId":"0f0e","createdAt":"2026-01-01T00:00:00.000Z","a":1}`: head.Compose([]byte(`{"a":1}`)),
		`{"type":"push","messageId":"0f0e","createdAt":"2026-01-01T00:00:00.000Z"}`:       head.Compose([]byte(`{}`)),
		`{"type":"push","messageId":"0f0e","createdAt":"2026-01-01T00:00:00.000Z",` +
			`"subtype":"system","event":"peer_left","eventData":{"name":"Ana"},"meshId":"` + meshID + `",` +
			`"senderPubkey":"system","priority":"low","nonce":"","ciphertext":""}`: head.ComposeEvent(
			meshID, wire.EventPeerLeft, []byte(`{"name":"Ana"}`)),
	} {
		if string(got) != want {
			t.Errorf("push\n got %s\nwant %s", got, want)
		}
	}
}

func TestAnEventIsToldFromAMessage(t *testing.T) {
	t.Parallel()
	head := wire.PushHead{MessageID: "0f0e", CreatedAt: now, Cursor: "e/1/0f0e"}
	m, err := wire.DecodeFromEdge(head.ComposeEvent(meshID, wire.EventResync, []byte(`{}`)))
	if err != nil {
		t.Fatal(err)
	}
	if p := m.(*wire.Push); !p.IsEvent() || p.Event != wire.EventResync || p.SenderPubkey != wire.SystemSender {
		t.Errorf("push = %+v", p)
	}
}

func BenchmarkDecodeSend(b *testing.B) {
	frame, err := wire.Encode(&wire.Send{
		ID: "c-19", ClientMessageID: "01J0000000000000000000000A", TargetSpec: wire.PublicKey(key(3)),
		Nonce: "QEFCQEFCQEFCQEFCQEFCQEFCQEFCQEFC", Ciphertext: string(make([]byte, 0, 600)),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkComposePush(b *testing.B) {
	body := wire.PushBody{MeshID: meshID, SenderPubkey: wire.PublicKey(key(3)), Priority: wire.LaneNext}.Encode()
	head := wire.PushHead{MessageID: wire.NewID(wire.LongID), CreatedAt: now}
	b.ReportAllocs()
	for b.Loop() {
		_ = head.Compose(body)
	}
}
