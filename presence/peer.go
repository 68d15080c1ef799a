package presence

import "time"

// Peer names one peer of one mesh. Both parts are opaque to this package, but
// neither may hold a colon, a slash, a brace or white space.
type Peer struct {
	Mesh string
	ID   string
}

// Held is one attachment: a peer's lease as one connection of one edge holds
// it. Generations only grow, so the newer of two Helds is the one that counts.
type Held struct {
	Peer
	Generation string // microseconds, decimal
	Edge       string
	Conn       string
}

// Value is the text of the lease key while h holds it. Scripts of other rooms
// compare it before they act for the peer.
func (h Held) Value() string { return leaseValue(h.Generation, h.Edge, h.Conn) }

// Kind tells what a peer's identity rests on.
type Kind string

// The kinds of peers.
const (
	KindSession Kind = "session" // a session key, proven by a signature
	KindClaim   Kind = "claim"   // a session key that a hello merely named
	KindMember  Kind = "member"  // a member's connection without a session key
)

// Status is what a peer says, or is known, to be doing.
type Status struct {
	Value  string // idle, working or dnd
	Source string // hook, manual or jsonl
	At     time.Time
}

// The values and sources that [Store.SetStatus] accepts.
const (
	StatusIdle    = "idle"
	StatusWorking = "working"
	StatusDND     = "dnd"

	SourceHook   = "hook"
	SourceManual = "manual"
	SourceJSONL  = "jsonl"
)

// Presence is one roster record.
type Presence struct {
	Peer
	Generation string
	Member     string // the member's key
	Key        string // the key shown to others: session key if there is one, else member key
	Kind       Kind

	Announced bool // others have been told; so they are told when it leaves
	Transient bool // never announced, never listed, ends with its socket
	Hello     bool // came by hello: its state is saved for the member
	Everyone  bool // events also go to connections of the same member

	ConnectedAt time.Time
	Status      Status
	Record      []byte // JSON made by the edge
}

// Held names the attachment that p describes, without its edge and
// connection: enough for [Store.Leave], which goes by generation.
func (p Presence) Held() Held { return Held{Peer: p.Peer, Generation: p.Generation} }

// Saved is what is kept of a member's last hello connection.
type Saved struct {
	LastSeen time.Time
	Record   []byte
}

// Left is a peer that has left: no lease, no record, others told.
type Left struct {
	Peer
	Generation string
	Member     string
	Key        string

	// The rest is known only to the process that settled; it is zero when an
	// unfinished clean-up is repeated.

	Announced bool
	Seq       int64         // of peer_left in the journal, 0 without one
	Late      time.Duration // from the end of the lease to the settling
	Record    []byte
}
