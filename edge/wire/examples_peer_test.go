package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/claudemesh/claudemesh/edge/wire"
)

const (
	memberID = "MEMALICE0123456789abcdefABCDEFxy"
	someID   = "k3Jx9aQ1Zk8m2Qw4Er6Ty8UiOp0As2Df"
	newID    = "k3Jx9aQ1Zk8m2Qw4Er6Ty8"
)

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func sealedTopicKey() wire.SealedTopicKey {
	return wire.SealedTopicKey{
		EncryptedKey: base64.StdEncoding.EncodeToString(make([]byte, wire.SealedTopicKeySize)),
		Nonce:        base64.StdEncoding.EncodeToString(make([]byte, wire.TopicKeyNonceSize)),
	}
}

// sharedPeerFrames has one frame of each type that a peer sends about what a
// mesh shares or what its lease owns.
func sharedPeerFrames() []wire.Message {
	return slices.Concat(storePeerFrames(), topicPeerFrames(), leasePeerFrames(), adminPeerFrames(), laterFrames())
}

func storePeerFrames() []wire.Message {
	return []wire.Message{
		&wire.SetState{Key: "build/o'neill", Value: raw(`{"ok":true,"by":["<a>",null]}`), ReqID: "10"},
		&wire.GetState{Key: "build", ReqID: "11"},
		&wire.ListState{ReqID: "12"},
		&wire.DeleteState{Key: "build", ReqID: "13"},
		&wire.Remember{Content: "the staging\nkey rotates on Mondays", Tags: []string{"ops"}, ID: newID, ReqID: "14"},
		&wire.Recall{Query: "staging key", ReqID: "15"},
		&wire.Forget{MemoryID: someID, ReqID: "16"},
		&wire.ShareContext{
			Summary: "moves the shop", FilesRead: []string{"cart.go"}, KeyFindings: []string{"prices are floats"},
			Tags: []string{"shop"}, ReqID: "17",
		},
		&wire.GetContext{Query: "shop", ReqID: "18"},
		&wire.ListContexts{ReqID: "19"},
		&wire.CreateTask{Title: "fix the cart", Assignee: "Bob", Priority: "high", Tags: []string{"shop"}, ID: newID, ReqID: "20"},
		&wire.ClaimTask{TaskID: someID, ReqID: "21"},
		&wire.CompleteTask{TaskID: someID, Result: "done in 4f2a", ReqID: "22"},
		&wire.ReleaseTask{TaskID: someID, ReqID: "23"},
		&wire.ListTasks{Status: wire.TaskOpen, Assignee: "Bob", ReqID: "24"},
		&wire.Schedule{
			To: "@backend", DeliverAt: ptr(wire.MillisAt(now)), Cron: "0 9 * * 1", Subtype: wire.SubtypeReminder, Recurring: true,
			Sealed: &wire.SealedBody{Nonce: "QEFC", Ciphertext: "b0Z5", BodyVersion: wire.BodyPlain}, ReqID: "25",
		},
		&wire.ListScheduled{ReqID: "26"},
		&wire.CancelScheduled{ScheduledID: someID, ReqID: "27"},
		&wire.ShareSkill{
			Name: "review", Description: "how we review", Instructions: "# Review\n1. read", Tags: []string{"go"},
			Manifest: raw(`{"version":1}`), ReqID: "28",
		},
		&wire.GetSkill{Name: "review", ReqID: "29"},
		&wire.ListSkills{Query: "rev", ReqID: "30"},
		&wire.RemoveSkill{Name: "review", ReqID: "31"},
		&wire.VaultSet{
			Key: "STRIPE_KEY", Ciphertext: "b0Z5", Nonce: "QEFC", SealedKey: "c2VhbGVk", EntryType: wire.VaultFile,
			MountPath: "/run/key", Description: "for payments", ReqID: "32",
		},
		&wire.VaultList{ReqID: "33"},
		&wire.VaultGet{Keys: []string{"STRIPE_KEY"}, ReqID: "34"},
		&wire.VaultDelete{Key: "STRIPE_KEY", ReqID: "35"},
		&wire.VaultClear{Target: "bob", ReqID: "36"},
	}
}

func topicPeerFrames() []wire.Message {
	return []wire.Message{
		&wire.TopicCreate{
			Name: "deploys", Description: "what went out", Visibility: wire.TopicPrivate, Key: ptr(sealedTopicKey()), ReqID: "40",
		},
		&wire.TopicList{All: true, ReqID: "41"},
		&wire.TopicJoin{Topic: "deploys", Role: wire.TopicObserver, ReqID: "42"},
		&wire.TopicLeave{Topic: "deploys", ReqID: "43"},
		&wire.TopicDelete{Topic: "deploys", ReqID: "54"},
		&wire.TopicMembers{Topic: "deploys", ReqID: "44"},
		&wire.TopicHistory{Topic: someID, Limit: 20, BeforeID: someID, ReqID: "45"},
		&wire.TopicMarkRead{Topic: "deploys", ReqID: "46"},
		&wire.TopicKey{Topic: "deploys", ReqID: "47"},
		&wire.TopicSeal{Topic: "deploys", MemberID: memberID, SealedTopicKey: sealedTopicKey(), ReqID: "48"},
		&wire.TopicPendingSeals{Topic: "deploys", ReqID: "49"},
		&wire.Notifications{Since: ptr(wire.At(now)), Unread: true, ReqID: "50"},
		&wire.APIKeyCreate{
			Label: "ci", Capabilities: []wire.KeyCapability{wire.KeySend, wire.KeyRead}, TopicScopes: []string{"deploys"},
			ExpiresAt: &wire.Expiry{Time: wire.At(now)}, ReqID: "51",
		},
		&wire.APIKeyList{ReqID: "52"},
		&wire.APIKeyRevoke{ID: someID, ReqID: "53"},
	}
}

func leasePeerFrames() []wire.Message {
	return []wire.Message{
		&wire.CreateStream{Name: "logs", ReqID: "60"},
		&wire.Subscribe{Stream: "logs", ReqID: "61"},
		&wire.Unsubscribe{Stream: "logs", ReqID: "62"},
		&wire.Publish{Stream: "logs", Data: raw(`["line",1]`), ReqID: "63"},
		&wire.ListStreams{ReqID: "64"},
		&wire.MCPRegister{
			ServerName: "jira", Description: "our tickets", Persistent: true, ReqID: "65",
			Tools: []wire.MCPTool{{Name: "find", Description: "finds tickets", InputSchema: raw(`{"type":"object"}`)}},
		},
		&wire.MCPUnregister{ServerName: "jira", ReqID: "66"},
		&wire.MCPList{ReqID: "67"},
		&wire.MCPCall{ServerName: "jira", ToolName: "find", Args: raw(`{"q":"cart"}`), ReqID: "68"},
		&wire.MCPCallResponse{CallID: someID, Result: raw(`{"content":[]}`), ReqID: "69"},
		&wire.Watch{
			URL: "https://example.com/status", Mode: wire.WatchJSON, Extract: "a.0.b", Interval: 7.5, NotifyOn: "match:down",
			Headers: map[string]string{"Accept": "application/json"}, Label: "status", ReqID: "70",
		},
		&wire.Unwatch{WatchID: someID, ReqID: "71"},
		&wire.WatchList{ReqID: "72"},
		&wire.SetClock{Speed: 2.5, ReqID: "73"},
		&wire.PauseClock{ReqID: "74"},
		&wire.ResumeClock{ReqID: "75"},
		&wire.GetClock{ReqID: "76"},
		&wire.PeerFileRequest{TargetPubkey: wire.PublicKey(key(3)), FilePath: "src/a b.go", ReqID: "77"},
		&wire.PeerFileResponse{RequesterPubkey: wire.PublicKey(key(2)), FilePath: "src/a b.go", Content: "b0Z5", ReqID: "77"},
		&wire.PeerDirRequest{TargetPubkey: wire.PublicKey(key(3)), DirPath: ".", Pattern: "*.go", ReqID: "78"},
		&wire.PeerDirResponse{RequesterPubkey: wire.PublicKey(key(2)), DirPath: ".", Entries: raw(`["src/"]`), ReqID: "78"},
	}
}

func adminPeerFrames() []wire.Message {
	return []wire.Message{
		&wire.CreateWebhook{Name: "github", ReqID: "80"},
		&wire.ListWebhooks{ReqID: "81"},
		&wire.DeleteWebhook{Name: "github", ReqID: "82"},
		&wire.AuditQuery{Limit: 10, Offset: 20, EventType: "state_set", ReqID: "83"},
		&wire.AuditVerify{ReqID: "84"},
		&wire.MeshInfo{ReqID: "85"},
		&wire.Kick{Selector: wire.Selector{Stale: 60_000}, ReqID: "86"},
		&wire.Disconnect{Selector: wire.Selector{All: true}, ReqID: "87"},
		&wire.Ban{Target: "Mallory", Reason: "spam", ReqID: "88"},
		&wire.Unban{Target: "Mallory", ReqID: "89"},
		&wire.ListBans{ReqID: "90"},
		&wire.SetGrants{
			SenderPubkey: wire.PublicKey(key(3)), Capabilities: []wire.Capability{wire.CapDM, wire.CapRead}, ReqID: "91",
		},
		&wire.GetGrants{ReqID: "92"},
	}
}

// laterFrames has one frame of each type that is known and refused.
func laterFrames() []wire.Message {
	var frames []wire.Message
	for _, f := range wire.Catalogue() {
		if f.Later {
			frames = append(frames, &wire.Later{Type: f.Type, ReqID: "99"})
		}
	}
	return frames
}
