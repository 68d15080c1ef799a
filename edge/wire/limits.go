package wire

import "time"

// Bounds on frames and bodies. Each is checked before the bytes are parsed.
const (
	MaxFrame      = 1 << 20  // bytes of a frame after the handshake
	MaxHelloFrame = 16 << 10 // bytes of a frame before it: a stranger costs little
	MaxEdgeFrame  = 4 << 20  // bytes of a frame that an edge sends: lists are long
	MaxHTTPBody   = 64 << 10 // bytes of an HTTP body
	MaxSend       = 65_536   // characters of ciphertext, nonce and targetSpec together
)

// Times that both sides must agree on.
const (
	ClockSkew      = 60 * time.Second // how far a signed time may be off, inclusive
	AttestationTTL = 24 * time.Hour   // how far ahead an attestation may expire, inclusive
	NonceKept      = 3 * time.Minute  // how long a request's nonce is remembered: past ClockSkew both ways
)

// Bounds on what a stranger may have remembered about himself. They are in
// bytes, generous for people and small enough that a roster stays readable.
const (
	MaxGroups          = 64   // groups of one peer
	MaxGroupName       = 200  // bytes of a group's name
	MaxGroupRole       = 100  // bytes of a role in a group
	MaxDisplayName     = 200  // bytes of a display name
	MaxSummary         = 4096 // bytes of a summary
	MaxCwd             = 4096 // bytes of a working directory, as PATH_MAX
	MaxSessionID       = 200  // bytes of a session id
	MaxHostname        = 255  // bytes of a host name, as in DNS
	MaxLabel           = 100  // bytes of peerType, channel or model
	MaxProfile         = 4096 // bytes of a profile as JSON
	MaxCorrelationID   = 200  // bytes of id, _reqId or client_message_id
	MaxFingerprint     = 128  // bytes of a request fingerprint
	MaxMentions        = 16   // names in a send's mentions
	MaxMeshName        = 100  // bytes of a mesh's name
	MaxSlug            = 64   // bytes of a mesh's slug
	MaxInviteToken     = 4096 // bytes of an invite token
	MaxInviteUses      = 1000 // uses of one invite
	MaxMessageIDLength = 32   // characters of a message id
	MaxResumeToken     = 1024 // characters of a resume token
	MinMessagePrefix   = 8    // characters of a message id that name it
)

// Bounds on what a mesh shares, in bytes where no unit is named. What peers may
// seal has room for its envelope.
const (
	MaxName            = 200       // name of a stream, topic, skill, server, webhook or vault entry
	MaxKey             = 512       // key of a shared value
	MaxValue           = 64 << 10  // a shared value as JSON
	MaxStreamData      = 64 << 10  // data of one publish as JSON
	MaxTags            = 32        // tags of one thing
	MaxTag             = 200       // a tag
	MaxContent         = 64 << 10  // a memory, a tool's schema, a skill's manifest
	MaxResult          = 16 << 10  // a task's result
	MaxQuery           = 1000      // a search
	MaxTitle           = 4096      // a task's title
	MaxDescription     = 4096      // a description
	MaxContextSummary  = 16 << 10  // a context's summary
	MaxContextItems    = 200       // files or findings of a context
	MaxFinding         = 4096      // one finding
	MaxInstructions    = 256 << 10 // a skill's instructions
	MaxScheduled       = 32 << 10  // a scheduled message; base64 must fit into a send
	MaxCron            = 200       // a cron expression
	MaxTopicScopes     = 64        // topics that one API key may be limited to
	MaxTools           = 256       // tools of one server
	MaxToolDescription = 16 << 10  // a tool's description
	MaxCall            = 512 << 10 // arguments or result of a tool call as JSON
	MaxVaultValue      = 64 << 10  // a sealed value
	MaxVaultKey        = 1024      // the sealed key of one
	MaxVaultKeys       = 32        // keys in one vault_get
	MaxURL             = 4096      // an address to watch
	MaxWatchHeaders    = 16        // headers of a watch
)

// Pages of long lists, in entries unless said otherwise.
const (
	TopicPage    = 50
	MaxTopicPage = 200
	AuditPage    = 50
	MaxAuditPage = 500

	// MaxList is how many bytes of entries one frame of a list has at most, so
	// that it stays below MaxEdgeFrame. A page ends before it.
	MaxList = 3 << 20
)
