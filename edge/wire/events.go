package wire

import "strings"

// Events of what a mesh shares and what a lease owns.
const (
	EventMCPRegistered   Event = "mcp_registered"   // data: MCPEvent
	EventMCPUnregistered Event = "mcp_unregistered" // data: MCPEvent, name and host only
	EventMCPRestored     Event = "mcp_restored"     // data: MCPEvent, name and host only
	EventWatchTriggered  Event = "watch_triggered"  // data: WatchEvent; LaneNow, to the watching peer only
	EventTick            Event = "tick"             // data: TickEvent
	EventScheduleFailed  Event = "schedule_failed"  // data: ScheduleFailure; ours, to the member that scheduled it
	EventTopicDeleted    Event = "topic_deleted"    // data: TopicEvent; ours, to those who joined
)

// MCPEvent is the eventData of events about MCP servers.
type MCPEvent struct {
	ServerName  string   `json:"serverName"`
	Description string   `json:"description,omitempty"`
	Tools       []string `json:"tools,omitempty"` // names
	HostedBy    string   `json:"hostedBy"`
}

// WatchEvent is the eventData of EventWatchTriggered.
type WatchEvent struct {
	WatchID  string    `json:"watchId"`
	URL      string    `json:"url"`
	Label    string    `json:"label,omitempty"`
	Mode     WatchMode `json:"mode"`
	OldValue string    `json:"oldValue"`
	NewValue string    `json:"newValue"`
}

// ScheduleFailure is the eventData of EventScheduleFailed: a scheduled message
// was due and could not be sent.
type ScheduleFailure struct {
	ScheduledID string `json:"scheduledId"`
	To          string `json:"to"`
	Reason      string `json:"reason"`
}

// TopicEvent is the eventData of EventTopicDeleted.
type TopicEvent struct {
	Topic   string `json:"topic"` // its name
	TopicID string `json:"topicId"`
	By      string `json:"by"` // name of the member
}

// TickEvent is the eventData of EventTick.
type TickEvent struct {
	Tick    int64 `json:"tick"`
	SimTime Time  `json:"simTime"`
	Speed   Speed `json:"speed"`
}

// Subtypes of pushes beside SubtypeSystem.
const (
	SubtypeWebhook  = "webhook"  // event is the webhook's name, eventData what its caller said
	SubtypeReminder = "reminder" // a scheduled message to a group or to everybody
)

// webhookSender opens the senderPubkey of pushes from webhooks.
const webhookSender = "webhook:"

// WebhookSender is the senderPubkey of pushes from the webhook of that name.
func WebhookSender(name string) string { return webhookSender + name }

// IsWebhook reports whether the push comes from a webhook. Its eventData are a
// stranger's words.
func (m *Push) IsWebhook() bool {
	return m.Subtype == SubtypeWebhook && strings.HasPrefix(m.SenderPubkey, webhookSender)
}
