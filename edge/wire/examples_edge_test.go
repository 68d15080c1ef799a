package wire_test

import (
	"slices"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// sharedEdgeFrames has one frame of each type that an edge sends about what a
// mesh shares or what a lease owns.
func sharedEdgeFrames() []wire.Message {
	return slices.Concat(storeEdgeFrames(), topicEdgeFrames(), leaseEdgeFrames(), adminEdgeFrames())
}

func storeEdgeFrames() []wire.Message {
	return []wire.Message{
		&wire.OK{ReqID: "10"},
		&wire.StateResult{Key: "build", Value: raw(`null`), ReqID: "11"},
		&wire.StateList{ReqID: "12", Entries: []wire.StateEntry{
			{Key: "build", Value: raw(`{"ok":true}`), UpdatedBy: "ana", UpdatedAt: wire.At(now)},
		}},
		&wire.StateDeleted{Key: "build", Deleted: true, ReqID: "13"},
		&wire.StateChange{Key: wire.ContextKey("ana"), Value: raw(`"moves the shop"`), UpdatedBy: "ana"},
		&wire.MemoryStored{ID: someID, ReqID: "14"},
		&wire.MemoryResults{ReqID: "15", Memories: []wire.Memory{{
			ID: someID, Content: "the staging key", Tags: []string{}, RememberedBy: "ana", RememberedAt: wire.At(now),
		}}},
		&wire.ContextShared{ID: someID, ReqID: "17"},
		&wire.ContextResults{ReqID: "18", Contexts: []wire.Context{{
			PeerName: "ana", Summary: "moves the shop", FilesRead: []string{"cart.go"}, KeyFindings: []string{},
			Tags: []string{"shop"}, UpdatedAt: wire.At(now),
		}}},
		&wire.ContextList{ReqID: "19", Contexts: []wire.ContextBrief{
			{PeerName: "ana", Summary: "moves the shop", Tags: []string{}, UpdatedAt: wire.At(now)},
		}},
		&wire.TaskCreated{ID: someID, ReqID: "20"},
		&wire.TaskList{ReqID: "21", Tasks: []wire.Task{
			{
				ID: someID, Title: "fix the cart", ClaimedBy: ptr("ana"), Status: wire.TaskClaimed, Priority: wire.TaskPriority,
				CreatedBy: "ana", Tags: []string{}, CreatedAt: wire.At(now), ClaimedAt: ptr(wire.At(now)), Stale: true,
			},
			{
				ID: memberID, Title: "tell Bob", Assignee: ptr("bob"), Status: wire.TaskDone, Priority: "low",
				CreatedBy: "ana", Tags: []string{"x"}, CreatedAt: wire.At(now), Result: "told",
			},
		}},
		&wire.ScheduledAck{ScheduledID: someID, DeliverAt: wire.MillisAt(now), Cron: "0 9 * * 1", ReqID: "25"},
		&wire.ScheduledList{ReqID: "26", Messages: []wire.Scheduled{{
			ID: someID, To: "*", Message: "stand-up", DeliverAt: wire.MillisAt(now), CreatedAt: wire.MillisAt(now),
			Cron: "0 9 * * 1", FiredCount: 3,
		}}},
		&wire.CancelScheduledAck{ScheduledID: someID, OK: true, ReqID: "27"},
		&wire.SkillAck{Name: "review", Action: wire.SkillShared, ReqID: "28"},
		&wire.SkillData{ReqID: "29", Skill: &wire.Skill{
			Name: "review", Description: "how we review", Instructions: "# Review", Tags: []string{}, Author: "ana",
			Manifest: raw(`null`), CreatedAt: wire.At(now),
		}},
		&wire.SkillList{ReqID: "30", Skills: []wire.SkillBrief{
			{Name: "review", Description: "how we review", Tags: []string{}, Author: "ana", CreatedAt: wire.At(now)},
		}},
		&wire.VaultAck{Key: "STRIPE_KEY", Action: wire.VaultStored, ReqID: "32"},
		&wire.VaultListResult{ReqID: "33", Entries: []wire.VaultBrief{
			{Key: "STRIPE_KEY", EntryType: wire.VaultEnv, Description: ptr("for payments"), UpdatedAt: wire.At(now)},
		}},
		&wire.VaultGetResult{ReqID: "34", Entries: []wire.VaultEntry{{
			Key: "STRIPE_KEY", Ciphertext: "b0Z5", Nonce: "QEFC", SealedKey: "c2VhbGVk", EntryType: wire.VaultFile,
			MountPath: ptr("/run/key"),
		}}},
	}
}

func topicEdgeFrames() []wire.Message {
	return []wire.Message{
		&wire.TopicCreated{
			Topic: wire.TopicRef{ID: someID, Name: "deploys", Visibility: wire.TopicPublic}, Created: true, ReqID: "40",
		},
		&wire.TopicListResponse{ReqID: "41", Topics: []wire.Topic{{
			ID: someID, Name: "deploys", Visibility: wire.TopicPublic, MemberCount: 2, CreatedAt: wire.At(now), Sealed: true,
		}}},
		&wire.TopicMembersResponse{Topic: "deploys", ReqID: "44", Members: []wire.TopicPart{{
			MemberID: memberID, Pubkey: wire.PublicKey(key(2)), DisplayName: "Ana", Role: wire.TopicLead, JoinedAt: wire.At(now),
		}}},
		&wire.TopicHistoryResponse{Topic: "deploys", ReqID: "45", Messages: []wire.TopicMessage{{
			ID: someID, SenderPubkey: wire.PublicKey(key(4)), SenderMemberID: memberID, SenderName: "Ana", Nonce: "QEFC",
			Ciphertext: "b0Z5", BodyVersion: wire.BodySealed, ReplyToID: someID, Mentions: []string{"bob"}, CreatedAt: wire.At(now),
		}}},
		&wire.TopicKeyResult{
			Topic: "deploys", TopicID: someID, SealedTopicKey: sealedTopicKey(), SenderPubkey: wire.PublicKey(key(2)),
			CreatedAt: wire.At(now), ReqID: "47",
		},
		&wire.TopicSealed{Topic: "deploys", TopicID: someID, MemberID: memberID, SealedAt: wire.At(now), ReqID: "48"},
		&wire.TopicPendingSealsResult{Topic: "deploys", TopicID: someID, ReqID: "49", Pending: []wire.PendingSeal{
			{MemberID: memberID, Pubkey: wire.PublicKey(key(2)), DisplayName: "Ana"},
		}},
		&wire.NotificationsResult{Since: wire.At(now), MentionedAs: "Ana", ReqID: "50", Notifications: []wire.Notification{{
			ID: someID, NotificationID: memberID, TopicID: someID, TopicName: "deploys", SenderName: "Bob",
			SenderPubkey: wire.PublicKey(key(3)), Ciphertext: "b0Z5", Kind: wire.NotificationMention, CreatedAt: wire.At(now),
			Nonce: "QEFC", BodyVersion: wire.BodySealed,
		}}},
		&wire.APIKeyCreated{
			ID: someID, Secret: "cm_MzQ1Njc4OTo7PD0-P0BBQkNERUZHSElKS0xNTk9QUVI", Label: "ci", Prefix: "cm_MzQ1Njc4",
			Capabilities: []wire.KeyCapability{wire.KeySend}, CreatedAt: wire.At(now), ReqID: "51",
		},
		&wire.APIKeyListResponse{ReqID: "52", Keys: []wire.APIKey{{
			ID: someID, Label: "ci", Prefix: "cm_MzQ1Njc4", Capabilities: []wire.KeyCapability{wire.KeySend},
			TopicScopes: []string{"deploys"}, CreatedAt: wire.At(now), ExpiresAt: ptr(wire.At(now)), Owner: "ana",
		}}},
		&wire.APIKeyRevokeResponse{Status: wire.KeyNotUnique, Matches: 2, ReqID: "53"},
	}
}

func leaseEdgeFrames() []wire.Message {
	return []wire.Message{
		&wire.StreamCreated{ID: someID, Name: "logs", ReqID: "60"},
		&wire.Subscribed{Stream: "logs", ReqID: "61"},
		&wire.StreamData{Stream: "logs", Data: raw(`["line",1]`), PublishedBy: "ana"},
		&wire.StreamList{ReqID: "64", Streams: []wire.Stream{
			{ID: someID, Name: "logs", CreatedBy: "ana", CreatedAt: wire.At(now), SubscriberCount: 2},
		}},
		&wire.MCPRegisterAck{ServerName: "jira", ToolCount: 1, ReqID: "65"},
		&wire.MCPListResult{ReqID: "67", Servers: []wire.MCPServer{{
			Name: "jira", Description: "our tickets", HostedBy: "Ana", OfflineSince: ptr(wire.At(now)),
			Tools: []wire.MCPToolBrief{{Name: "find", Description: "finds tickets"}},
		}}},
		&wire.MCPCallResult{Error: wire.MCPUnknown("jira"), ReqID: "68"},
		&wire.MCPCallForward{CallID: someID, ServerName: "jira", ToolName: "find", Args: raw(`{"q":"cart"}`), CallerName: "Bob"},
		&wire.WatchAck{WatchID: someID, URL: "https://example.com/status", Mode: wire.WatchHash, Interval: 30, ReqID: "70"},
		&wire.WatchListResult{ReqID: "72", Watches: []wire.WatchInfo{{
			ID: someID, URL: "https://example.com/status", Mode: wire.WatchHash, Interval: 30,
			LastHash: ptr("ba7816bf8f01cfea"), LastCheck: ptr(wire.At(now)), CreatedAt: wire.At(now), LastError: "timed out",
		}}},
		&wire.ClockStatus{
			Speed: 2.5, Tick: 7, SimTime: wire.TimeOrEmpty{Time: wire.At(now)}, StartedAt: wire.TimeOrEmpty{Time: wire.At(now)},
			ReqID: "73",
		},
		&wire.PeerFileRequestForward{RequesterPubkey: wire.PublicKey(key(2)), FilePath: "src/a b.go", ReqID: "77"},
		&wire.PeerFileResponseForward{FilePath: "src/a b.go", Content: "b0Z5", ReqID: "77"},
		&wire.PeerDirRequestForward{RequesterPubkey: wire.PublicKey(key(2)), DirPath: ".", Pattern: "*.go", ReqID: "78"},
		&wire.PeerDirResponseForward{DirPath: ".", Entries: raw(`["src/"]`), ReqID: "78"},
	}
}

func adminEdgeFrames() []wire.Message {
	return []wire.Message{
		&wire.WebhookAck{Name: "github", URL: "https://edge.example/hook/m/s", Secret: "s", ReqID: "80"},
		&wire.WebhookList{ReqID: "81", Webhooks: []wire.Webhook{
			{Name: "github", URL: "https://edge.example/hook/m/s", Active: true, CreatedAt: wire.At(now)},
		}},
		&wire.AuditResult{Total: 1, ReqID: "83", Entries: []wire.AuditEntry{{
			ID: "1", EventType: "state_set", Actor: memberID, Payload: raw(`{"key":"build"}`), Hash: "ba78", CreatedAt: wire.At(now),
		}}},
		&wire.AuditVerifyResult{AuditVerdict: wire.AuditVerdict{Entries: 3, BrokenAt: "4"}, ReqID: "84"},
		&wire.MeshInfoResult{
			Mesh: meshID, Peers: 2, Groups: []string{"@backend"}, StateKeys: []string{"build"}, MemoryCount: 4,
			Tasks: wire.TaskCounts{Open: 1, Done: 2}, Streams: []string{"logs"}, Tables: []string{}, Collections: []string{},
			YourName: "Ana", YourGroups: []wire.Group{{Name: "backend", Role: "lead"}}, ReqID: "85",
		},
		&wire.KickAck{
			Removed: wire.Removed{Kicked: []string{"Ana"}, Affected: []string{"Ana"}, Skipped: []string{"daemon-1"}}, ReqID: "86",
		},
		&wire.DisconnectAck{Removed: wire.Removed{Kicked: []string{}, Affected: []string{}}, ReqID: "87"},
		&wire.BanAck{Banned: "Mallory", ReqID: "88"},
		&wire.UnbanAck{Unbanned: "Mallory", ReqID: "89"},
		&wire.ListBansResult{ReqID: "90", Bans: []wire.BannedMember{
			{Name: "Mallory", Pubkey: wire.PublicKey(key(3)), RevokedAt: wire.At(now)},
		}},
		&wire.GrantsResult{Grants: wire.Grants{wire.PublicKey(key(3)): {wire.CapDM}}, ReqID: "91"},
	}
}
