package wire_test

import (
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// A peer signs a handshake; an edge reads and checks it, step by step.
func Example() {
	member := key(2)
	h := &wire.Hello{
		MeshID:    "MESH0123456789abcdefABCDEFxyzXYZ",
		MemberID:  "MEMALICE0123456789abcdefABCDEFxy",
		Pubkey:    wire.PublicKey(member),
		About:     wire.About{SessionID: "daemon-4242", PID: 4242, Cwd: "/home/ana/shop"},
		Timestamp: wire.MillisAt(now),
	}
	h.Sign(member)
	frame, err := wire.Encode(h)
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := wire.DecodeHello(frame)
	if err != nil {
		fmt.Println(err)
		return
	}
	got := m.(*wire.Hello)
	fmt.Println(got.CheckKeys() == nil, got.Verify(now) == nil, got.CheckFields() == nil)
	fmt.Println(got.Verify(now.Add(time.Hour)).Code)
	// Output:
	// true true true
	// timestamp_skew
}
