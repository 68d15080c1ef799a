package wire

// Version is raised whenever an old peer and a new edge could misunderstand
// each other. Adding a field or a frame type is not such a change.
//
//   - 1: as first released
const Version = 1

// Path is where an edge accepts WebSockets.
const Path = "/ws"

// Type names a frame. It is the frame's "type" field.
type Type string

// Frames that a peer sends.
const (
	TypeHello         Type = "hello"          // opens a member connection
	TypeSessionHello  Type = "session_hello"  // opens a session connection
	TypeResume        Type = "resume"         // opens a connection that goes on with an earlier one
	TypeListPeers     Type = "list_peers"     // answered by peers_list
	TypeListMembers   Type = "list_members"   // answered by members_list
	TypeSetStatus     Type = "set_status"     // no answer
	TypeSetSummary    Type = "set_summary"    // no answer
	TypeSetStats      Type = "set_stats"      // no answer
	TypeSetVisible    Type = "set_visible"    // answered by ack
	TypeSetProfile    Type = "set_profile"    // answered by ack
	TypeJoinGroup     Type = "join_group"     // no answer
	TypeLeaveGroup    Type = "leave_group"    // no answer
	TypeSend          Type = "send"           // answered by ack
	TypeClientAck     Type = "client_ack"     // no answer
	TypeMessageStatus Type = "message_status" // answered by message_status_result
	TypeSync          Type = "sync"           // answered by synced
	TypeGoodbye       Type = "goodbye"        // answered by a close
)

// Frames that an edge sends.
const (
	TypeHelloAck            Type = "hello_ack"
	TypeError               Type = "error"
	TypePeersList           Type = "peers_list"
	TypeMembersList         Type = "members_list"
	TypeAck                 Type = "ack"
	TypePush                Type = "push"
	TypeMessageStatusResult Type = "message_status_result"
	TypeSynced              Type = "synced"
	TypeRestarting          Type = "restarting"
	TypeOK                  Type = "ok"
)

// Code is a reason that crosses the wire. Peers branch on codes, never on text.
type Code string

// Codes of a refused handshake.
const (
	CodeNoHello                Code = "no_hello"                  // something else came first; the socket stays open
	CodeHelloTimeout           Code = "hello_timeout"             // nothing came first
	CodeBadSessionPubkey       Code = "bad_session_pubkey"        // session key not 64 lowercase hex
	CodeBadParentPubkey        Code = "bad_parent_pubkey"         // parent key not 64 lowercase hex
	CodeAttestationMismatch    Code = "attestation_mismatch"      // the attestation is about other keys
	CodeCapacity               Code = "capacity"                  // the mesh is full
	CodeTimestampSkew          Code = "timestamp_skew"            // clock off by more than ClockSkew
	CodeMalformed              Code = "malformed"                 // a key or signature has no such shape
	CodeBadSignature           Code = "bad_signature"             // the signature is not this key's
	CodeExpired                Code = "expired"                   // the attestation is over
	CodeTTLTooLong             Code = "ttl_too_long"              // the attestation lasts too long
	CodeRevoked                Code = "revoked"                   // the member was banned
	CodeUnauthorized           Code = "unauthorized"              // no such member
	CodeMeshLost               Code = "mesh_lost"                 // the broker has lost the mesh
	CodeParentMemberIDMismatch Code = "parent_member_id_mismatch" // the id is another member's
	CodeAlreadySaidHello       Code = "already_said_hello"        // one handshake per socket
	CodeResumeRefused          Code = "resume_refused"            // the token does not serve; the socket stays open for a hello
)

// Codes of a refused request.
const (
	CodeMalformedFrame  Code = "malformed_frame"  // not JSON, or a field of the wrong kind
	CodeInvalidArgument Code = "invalid_argument" // a value that cannot be acted on
	CodeTooLarge        Code = "too_large"        // the frame exceeds MaxFrame
	CodeUnknownType     Code = "unknown_type"     // only said to frames with a _reqId
	CodeNotFound        Code = "not_found"        // no such message
	CodeAmbiguousPrefix Code = "ambiguous_prefix" // more than one message
	CodeForbidden       Code = "forbidden"        // not yours to do
	CodeRateLimited     Code = "rate_limited"     // too many requests
	CodeUnavailable     Code = "unavailable"      // try again later
)

// CloseCode is the status with which an edge closes a socket.
type CloseCode uint16

// Close codes. After 4001 and 4002 a one-shot client must not come back; after
// every other one reconnecting is right, with jitter.
const (
	CloseNormal       CloseCode = 1000 // session_replaced, disconnected, goodbye
	CloseRefused      CloseCode = 1008 // handshake refused; the reason is the code
	CloseTooBig       CloseCode = 1009 // a frame over the limit
	CloseRestarting   CloseCode = 1012 // this edge goes away; another one is there
	CloseKicked       CloseCode = 4001 // removed by an admin; archived
	CloseBanned       CloseCode = 4002 // banned, now or before
	CloseSlowConsumer CloseCode = 4008 // reads slower than others write
	CloseHelloTimeout CloseCode = 4009 // no handshake in time
)

// Reason texts of closes. A refused handshake's reason is its code instead.
const (
	ReasonSessionReplaced = "session_replaced"
	ReasonDisconnected    = "disconnected"
	ReasonGoodbye         = "goodbye"
	ReasonTooLarge        = "too_large"
	ReasonRestarting      = "restarting"
	ReasonKicked          = "kicked"
	ReasonArchived        = "archived"
	ReasonBanned          = "banned"
	ReasonSlowConsumer    = "slow_consumer"
	ReasonHelloTimeout    = "hello_timeout"
)

// Event names what a system push reports.
type Event string

// Events of presence, and what an edge has to say itself.
const (
	EventPeerJoined     Event = "peer_joined"     // data: PeerEvent
	EventPeerReturned   Event = "peer_returned"   // data: PeerEvent
	EventPeerLeft       Event = "peer_left"       // data: PeerEvent, name and pubkey only
	EventPeerVisible    Event = "peer_visible"    // data: PeerEvent, name and pubkey only
	EventPeerHidden     Event = "peer_hidden"     // data: PeerEvent, name and pubkey only
	EventProfileUpdated Event = "profile_updated" // data: the changed fields
	EventResync         Event = "resync"          // data: {}; something was missed
	EventGroupPolicy    Event = "group_policy"    // data: GroupPolicy
)

// SystemSender is the senderPubkey of system events.
const SystemSender = "system"

// SubtypeSystem marks a push that carries an event instead of a message.
const SubtypeSystem = "system"

// Kinds of connection, the values of peerRole.
const (
	PeerRoleControlPlane = "control-plane" // opened by hello
	PeerRoleSession      = "session"       // opened by session_hello
)
