package wire

import (
	"maps"
	"slices"
)

// Family is what a frame is about.
type Family string

// The families, in the order in which PROTOCOL.md lists them.
const (
	FamilyHandshake  Family = "handshake"
	FamilyPresence   Family = "presence"
	FamilyMessages   Family = "messages"
	FamilyConnection Family = "connection"
	FamilyState      Family = "state"
	FamilyMemory     Family = "memory"
	FamilyContext    Family = "context"
	FamilyTasks      Family = "tasks"
	FamilyStreams    Family = "streams"
	FamilySchedule   Family = "schedule"
	FamilyTopics     Family = "topics"
	FamilyAPIKeys    Family = "API keys"
	FamilySkills     Family = "skills"
	FamilyMCP        Family = "MCP"
	FamilyVault      Family = "vault"
	FamilyWatches    Family = "watches"
	FamilyWebhooks   Family = "webhooks"
	FamilyAudit      Family = "audit"
	FamilyClock      Family = "clock"
	FamilyMesh       Family = "mesh"
	FamilyRelay      Family = "relay"
	FamilyModeration Family = "moderation"
	FamilyGrants     Family = "grants"
	FamilyFiles      Family = "files"
	FamilyServices   Family = "services"
	FamilySQL        Family = "SQL"
	FamilyVectors    Family = "vectors"
	FamilyGraph      Family = "graph"
)

// FrameInfo is what is known of a frame type.
type FrameInfo struct {
	Type     Type
	Family   Family
	FromPeer bool   // else from an edge
	Answers  []Type // beside an error; the first is usual
	Silent   bool   // answered, by OK, only if it carries a _reqId
	Later    bool   // known, and refused: nobody serves it yet
	Ours     bool   // unknown to existing clients and brokers

	refusal Code // of a frame whose values cannot be acted on; CodeInvalidArgument if ""
	alloc   func() Message
}

// Catalogue lists every frame type there is, family by family.
func Catalogue() []FrameInfo {
	return slices.SortedFunc(maps.Values(frames), func(a, b FrameInfo) int {
		return compareFrames(&a, &b)
	})
}

func newFromPeer(t Type) Message {
	if f := frames[t]; f.FromPeer {
		return f.alloc()
	}
	return nil
}

func newFromEdge(t Type) Message {
	if f := frames[t]; f.alloc != nil && !f.FromPeer {
		return f.alloc()
	}
	return nil
}

// echoesInID reports whether existing clients look for the _reqId of a refusal
// in its id.
func (f FrameInfo) echoesInID() bool {
	return f.FromPeer && (f.Family == FamilyTopics || f.Family == FamilyAPIKeys)
}

// frames is the one list of frame types: who sends them, what answers them.
var frames = collect(
	family(FamilyHandshake,
		ask[Hello](TypeHelloAck),
		ask[SessionHello](TypeHelloAck),
		ask[Resume](TypeHelloAck).ours(),
		edge[HelloAck](),
	),
	family(FamilyPresence,
		ask[ListPeers](TypePeersList),
		edge[PeersList](),
		ask[ListMembers](TypeMembersList).ours(),
		edge[MembersList]().ours(),
		ask[SetStatus](),
		ask[SetSummary](),
		ask[SetStats](),
		ask[SetVisible](TypeAck),
		ask[SetProfile](TypeAck),
		ask[JoinGroup](),
		ask[LeaveGroup](),
	),
	family(FamilyMessages,
		ask[Send](TypeAck),
		edge[Ack](),
		edge[Push](),
		ask[ClientAck](),
		ask[MessageStatus](TypeMessageStatusResult),
		edge[MessageStatusResult](),
	),
	family(FamilyConnection,
		edge[ErrorFrame](),
		edge[OK]().ours(),
		ask[Sync](TypeSynced).ours(),
		edge[Synced]().ours(),
		ask[Goodbye]().ours(),
		edge[Restarting]().ours(),
	),
	family(FamilyState,
		ask[SetState](TypeOK).silent(),
		ask[GetState](TypeStateResult),
		edge[StateResult](),
		ask[ListState](TypeStateList),
		edge[StateList](),
		ask[DeleteState](TypeStateDeleted).ours(),
		edge[StateDeleted]().ours(),
		edge[StateChange](),
	),
	family(FamilyMemory,
		ask[Remember](TypeMemoryStored),
		edge[MemoryStored](),
		ask[Recall](TypeMemoryResults),
		edge[MemoryResults](),
		ask[Forget](TypeAck),
	),
	family(FamilyContext,
		ask[ShareContext](TypeContextShared),
		edge[ContextShared](),
		ask[GetContext](TypeContextResults),
		edge[ContextResults](),
		ask[ListContexts](TypeContextList),
		edge[ContextList](),
	),
	family(FamilyTasks,
		ask[CreateTask](TypeTaskCreated),
		edge[TaskCreated](),
		ask[ClaimTask](TypeTaskList),
		ask[CompleteTask](TypeTaskList),
		ask[ReleaseTask](TypeTaskList).ours(),
		ask[ListTasks](TypeTaskList),
		edge[TaskList](),
	),
	family(FamilyStreams,
		ask[CreateStream](TypeStreamCreated),
		edge[StreamCreated](),
		ask[Subscribe](TypeSubscribed),
		edge[Subscribed](),
		ask[Unsubscribe](TypeOK).silent(),
		ask[Publish](TypeOK).silent(),
		edge[StreamData](),
		ask[ListStreams](TypeStreamList),
		edge[StreamList](),
	),
	family(FamilySchedule,
		ask[Schedule](TypeScheduledAck),
		edge[ScheduledAck](),
		ask[ListScheduled](TypeScheduledList),
		edge[ScheduledList](),
		ask[CancelScheduled](TypeCancelScheduledAck),
		edge[CancelScheduledAck](),
	),
	family(FamilyTopics,
		ask[TopicCreate](TypeTopicCreated),
		edge[TopicCreated](),
		ask[TopicList](TypeTopicListResponse),
		edge[TopicListResponse](),
		ask[TopicJoin](TypeOK).silent(),
		ask[TopicLeave](TypeOK).silent(),
		ask[TopicDelete](TypeOK).silent().ours(),
		ask[TopicMembers](TypeTopicMembersResponse),
		edge[TopicMembersResponse](),
		ask[TopicHistory](TypeTopicHistoryResponse),
		edge[TopicHistoryResponse](),
		ask[TopicMarkRead](TypeOK).silent(),
		ask[TopicKey](TypeTopicKeyResult).ours(),
		edge[TopicKeyResult]().ours(),
		ask[TopicSeal](TypeTopicSealed).ours(),
		edge[TopicSealed]().ours(),
		ask[TopicPendingSeals](TypeTopicPendingSealsResult).ours(),
		edge[TopicPendingSealsResult]().ours(),
		ask[Notifications](TypeNotificationsResult).ours(),
		edge[NotificationsResult]().ours(),
	),
	family(FamilyAPIKeys,
		ask[APIKeyCreate](TypeAPIKeyCreated).refusedWith(CodeInvalidArgs),
		edge[APIKeyCreated](),
		ask[APIKeyList](TypeAPIKeyListResponse),
		edge[APIKeyListResponse](),
		ask[APIKeyRevoke](TypeAPIKeyRevokeResponse),
		edge[APIKeyRevokeResponse](),
	),
	family(FamilySkills,
		ask[ShareSkill](TypeSkillAck),
		ask[RemoveSkill](TypeSkillAck),
		edge[SkillAck](),
		ask[GetSkill](TypeSkillData),
		edge[SkillData](),
		ask[ListSkills](TypeSkillList),
		edge[SkillList](),
	),
	family(FamilyMCP,
		ask[MCPRegister](TypeMCPRegisterAck),
		edge[MCPRegisterAck](),
		ask[MCPUnregister](TypeOK).silent(),
		ask[MCPList](TypeMCPListResult),
		edge[MCPListResult](),
		ask[MCPCall](TypeMCPCallResult),
		edge[MCPCallResult](),
		edge[MCPCallForward](),
		ask[MCPCallResponse](TypeOK).silent(),
	),
	family(FamilyVault,
		ask[VaultSet](TypeVaultAck),
		ask[VaultDelete](TypeVaultAck),
		ask[VaultClear](TypeVaultAck).ours(),
		edge[VaultAck](),
		ask[VaultList](TypeVaultListResult),
		edge[VaultListResult](),
		ask[VaultGet](TypeVaultGetResult),
		edge[VaultGetResult](),
	),
	family(FamilyWatches,
		ask[Watch](TypeWatchAck),
		ask[Unwatch](TypeWatchAck),
		edge[WatchAck](),
		ask[WatchList](TypeWatchListResult),
		edge[WatchListResult](),
	),
	family(FamilyWebhooks,
		ask[CreateWebhook](TypeWebhookAck).refusedWith(CodeInvalidWebhook),
		ask[DeleteWebhook](TypeWebhookAck),
		edge[WebhookAck](),
		ask[ListWebhooks](TypeWebhookList),
		edge[WebhookList](),
	),
	family(FamilyAudit,
		ask[AuditQuery](TypeAuditResult),
		edge[AuditResult](),
		ask[AuditVerify](TypeAuditVerifyResult),
		edge[AuditVerifyResult](),
	),
	family(FamilyClock,
		ask[SetClock](TypeClockStatus),
		ask[PauseClock](TypeClockStatus),
		ask[ResumeClock](TypeClockStatus),
		ask[GetClock](TypeClockStatus),
		edge[ClockStatus](),
	),
	family(FamilyMesh,
		ask[MeshInfo](TypeMeshInfoResult),
		edge[MeshInfoResult](),
	),
	family(FamilyRelay,
		ask[PeerFileRequest](TypePeerFileResponseForward),
		edge[PeerFileRequestForward](),
		ask[PeerFileResponse](),
		edge[PeerFileResponseForward](),
		ask[PeerDirRequest](TypePeerDirResponseForward),
		edge[PeerDirRequestForward](),
		ask[PeerDirResponse](),
		edge[PeerDirResponseForward](),
	),
	family(FamilyModeration,
		ask[Kick](TypeKickAck).refusedWith(CodeInvalid),
		edge[KickAck](),
		ask[Disconnect](TypeDisconnectAck).refusedWith(CodeInvalid),
		edge[DisconnectAck](),
		ask[Ban](TypeBanAck).refusedWith(CodeInvalid),
		edge[BanAck](),
		ask[Unban](TypeUnbanAck).refusedWith(CodeInvalid),
		edge[UnbanAck](),
		ask[ListBans](TypeListBansResult),
		edge[ListBansResult](),
	),
	family(FamilyGrants,
		ask[SetGrants](TypeGrantsResult).ours(),
		ask[GetGrants](TypeGrantsResult).ours(),
		edge[GrantsResult]().ours(),
	),
	forLater(),
)
