package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/claudemesh/claudemesh/edge/wire"
)

var update = flag.Bool("update", false, "rewrite testdata/frames")

func ptr[T any](v T) *T { return &v }

func about() wire.About {
	return wire.About{
		DisplayName: "Ana", SessionID: "11111111-2222-4333-8444-555555555555", PID: 777,
		Cwd: "/home/ana/shop", Hostname: "ana-laptop", PeerType: "ai", Channel: "claudemesh-session",
		Model: "opus-4", Groups: []wire.Group{{Name: "backend", Role: "lead"}, {Name: "o'neill & sons"}},
		Transient: true, Cursor: "3kXw9aQ1/17/j000000Hfu7Px9aQ1Zk8m2Qw4Er6Ty8",
	}
}

func hello() *wire.Hello {
	h := &wire.Hello{
		MeshID: meshID, MemberID: "MEMALICE0123456789abcdefABCDEFxy", Pubkey: wire.PublicKey(key(2)),
		SessionPubkey: wire.PublicKey(key(4)), About: about(), Timestamp: wire.MillisAt(now),
	}
	h.Sign(key(2))
	return h
}

func sessionHello() *wire.SessionHello {
	h := &wire.SessionHello{
		MeshID: meshID, ParentMemberID: "MEMALICE0123456789abcdefABCDEFxy",
		ParentMemberPubkey: wire.PublicKey(key(2)), SessionPubkey: wire.PublicKey(key(4)),
		ParentAttestation: wire.Attest(key(2), wire.PublicKey(key(4)), now.Add(12*time.Hour)),
		About:             about(), Timestamp: wire.MillisAt(now),
	}
	h.Sign(key(4))
	return h
}

func groupPolicy() *wire.GroupPolicy {
	p := &wire.GroupPolicy{Mode: wire.GroupSealed, Counter: 1, SignedAt: wire.MillisAt(now)}
	p.Sign(meshID, key(1))
	return p
}

// peerFrames has one frame of each type that a peer sends, edgeFrames one of
// each that an edge sends.
func peerFrames() []wire.Message {
	return append(sharedPeerFrames(), corePeerFrames()...)
}

func edgeFrames() []wire.Message {
	return append(sharedEdgeFrames(), coreEdgeFrames()...)
}

func corePeerFrames() []wire.Message {
	return []wire.Message{
		hello(),
		sessionHello(),
		resume(),
		&wire.ListPeers{ReqID: "1"},
		&wire.ListMembers{ReqID: "2"},
		&wire.SetStatus{Status: wire.StatusWorking},
		&wire.SetSummary{Summary: "moves the shop\nto the new API"},
		&wire.SetStats{Stats: wire.Stats{MessagesIn: ptr(3.0), MessagesOut: ptr(0.0), Uptime: ptr(1.5)}},
		&wire.SetVisible{Visible: false, ReqID: "3"},
		&wire.SetProfile{Profile: wire.Profile{Title: ptr("reviewer"), Capabilities: []string{"go"}}, ReqID: "4"},
		&wire.JoinGroup{Name: "backend/api", Role: "lead"},
		&wire.LeaveGroup{Name: "backend"},
		&wire.Send{
			ID: "c-19", ClientMessageID: "01J0000000000000000000000A", RequestFingerprint: "a3f1",
			TargetSpec: wire.PublicKey(key(3)), Priority: wire.LaneNext, Nonce: "QEFC", Ciphertext: "b0Z5",
			Mentions: []string{"bob"}, ReplyToID: "d000001fu7Px9aQ1Zk8m2Qw4Er6Ty8Ui", BodyVersion: 1,
		},
		&wire.ClientAck{
			ClientMessageID: "01J0000000000000000000000A", BrokerMessageID: "d0000001fu7Px9aQ1Zk8m2Qw4Er6Ty8U",
		},
		&wire.MessageStatus{MessageID: "d0000001", ReqID: "5"},
		&wire.Sync{ReqID: "6"},
		&wire.Goodbye{},
	}
}

func coreEdgeFrames() []wire.Message {
	return []wire.Message{
		&wire.HelloAck{
			PresenceID: "PRES0000000123456789abcdefABCDEF", MemberDisplayName: "Ana",
			MemberProfile: &wire.MemberProfile{Groups: []wire.Group{}, MessageMode: wire.ModePush},
			MeshPolicy:    &wire.MeshPolicy{SelfEditable: wire.SelfEditable{DisplayName: true}},
			Restored:      true, LastSummary: "moves the shop", LastSeenAt: ptr(wire.At(now)),
			RestoredStats: &wire.RestoredStats{MessagesIn: 3}, RestoredGroups: []wire.Group{{Name: "backend"}},
			Services: []wire.Service{}, Resumed: true, Cursor: "3kXw9aQ1/17/j000000Hfu7Px9aQ1Zk8m2Qw4Er6Ty8",
			Resync: true, LeaseMs: 90_000, Edge: "EDGE01234567", ResumeToken: "AfT0k3n-of_the-edge", GroupPolicy: groupPolicy(),
		},
		&wire.ErrorFrame{Code: wire.CodeNotFound, Message: "message not found", ReqID: "5"},
		&wire.PeersList{ReqID: "1", Peers: []wire.PeerInfo{{
			Pubkey: wire.PublicKey(key(4)), MemberPubkey: wire.PublicKey(key(2)), DisplayName: "Ana",
			Status: wire.StatusIdle, Groups: []wire.Group{}, SessionID: "1111", ConnectedAt: wire.At(now),
			Cwd: "/home/ana/shop", PeerRole: wire.PeerRoleSession, Hostname: "ana-laptop", PeerType: "ai",
			Channel: "claudemesh-session", Model: "opus-4", Stats: &wire.Stats{Errors: ptr(0.0)},
			Visible: ptr(true), Profile: &wire.Profile{Bio: ptr("<b>Ana</b>")},
		}}},
		&wire.MembersList{ReqID: "2", Members: []wire.MemberInfo{{
			MemberID: "MEMALICE0123456789abcdefABCDEFxy", Pubkey: wire.PublicKey(key(2)), DisplayName: "Ana",
			Role: wire.RoleAdmin, JoinedAt: wire.At(now), Online: true,
		}}},
		&wire.Ack{ID: "c-19", MessageID: "d0000001fu7Px9aQ1Zk8m2Qw4Er6Ty8U", Queued: true},
		&wire.Push{
			MessageID: "j000000Hfu7Px9aQ1Zk8m2Qw4Er6Ty8U", MeshID: meshID, SenderPubkey: wire.PublicKey(key(4)),
			SenderMemberPubkey: wire.PublicKey(key(2)), SenderMemberID: "MEMALICE0123456789abcdefABCDEFxy",
			SenderName: "Ana", TargetSpec: "@backend", Priority: wire.LaneNext, Nonce: "QEFC", Ciphertext: "b0Z5",
			CreatedAt: wire.At(now), ClientMessageID: "01J0000000000000000000000A", RequestFingerprint: "a3f1",
			Topic: "deploys", BodyVersion: wire.BodySealed, Mentions: []string{"bob"}, ReplyToID: "d0000001", Cursor: "3kXw9aQ1/17/j000000Hfu7Px9aQ1Zk8m2Qw4Er6Ty8",
		},
		&wire.MessageStatusResult{
			MessageID: "d0000001", TargetSpec: wire.PublicKey(key(3)), ReqID: "5",
			Recipients: []wire.Recipient{{
				Name: "Bob", Pubkey: wire.PublicKey(key(3)), Status: wire.RecipientHeld,
			}},
		},
		&wire.Synced{ReqID: "6", Cursor: "3kXw9aQ1/17/j000000Hfu7Px9aQ1Zk8m2Qw4Er6Ty8"},
		&wire.Restarting{ReconnectAfterMs: 1200},
	}
}

// TestFramesAreWhatTheyWere fails when bytes change that other programs read.
// Whoever changes one deliberately, so that an old peer could misunderstand it,
// raises Version.
func TestFramesAreWhatTheyWere(t *testing.T) {
	t.Parallel()
	for decode, frames := range map[*func([]byte) (wire.Message, error)][]wire.Message{
		ptr(wire.Decode):         peerFrames(),
		ptr(wire.DecodeFromEdge): edgeFrames(),
	} {
		for _, m := range frames {
			t.Run(string(m.FrameType()), func(t *testing.T) {
				t.Parallel()
				checkGolden(t, m, *decode)
			})
		}
	}
}

func checkGolden(t *testing.T, m wire.Message, decode func([]byte) (wire.Message, error)) {
	t.Helper()
	got, err := wire.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "frames", string(m.FrameType())+".json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.TrimSuffix(file, []byte("\n"))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want, +got):\n%s", path, diff)
	}
	back, err := decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, back); diff != "" {
		t.Errorf("round trip (-sent, +received):\n%s", diff)
	}
}

// TestEncodedFramesAreJSON covers frames without fields too.
func TestEncodedFramesAreJSON(t *testing.T) {
	t.Parallel()
	for _, m := range []wire.Message{&wire.Goodbye{}, wire.Sync{}, wire.Ack{}} {
		frame, err := wire.Encode(m)
		if err != nil || !json.Valid(frame) {
			t.Errorf("frame = %s, %v", frame, err)
		}
	}
}
