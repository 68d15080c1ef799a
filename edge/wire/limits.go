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
	MinMessagePrefix   = 8    // characters of a message id that name it
)
