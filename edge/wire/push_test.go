package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

func TestAStoredBodyIsAnObjectOfAPush(t *testing.T) {
	t.Parallel()
	body := wire.PushBody{
		MeshID: meshID, SenderPubkey: "s", SenderMemberID: "m", SenderName: `A"na <&>`, TargetSpec: "@o'neill",
		Priority: wire.LaneNow, Nonce: "QEFC", Ciphertext: "b0Z5", ClientMessageID: "c", RequestFingerprint: "f",
		ReplyToID: "r",
	}.Encode()
	if body[0] != '{' {
		t.Fatalf("%s is no object", body)
	}
	got, err := wire.DecodeFromEdge(append([]byte(`{"type":"push",`), body[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	want := &wire.Push{
		MeshID: meshID, SenderPubkey: "s", SenderMemberID: "m", SenderName: `A"na <&>`, TargetSpec: "@o'neill",
		Priority: wire.LaneNow, Nonce: "QEFC", Ciphertext: "b0Z5", ClientMessageID: "c", RequestFingerprint: "f", ReplyToID: "r",
	}
	if diff := cmp.Diff(wire.Message(want), got); diff != "" {
		t.Errorf("push (-want, +got):\n%s", diff)
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
