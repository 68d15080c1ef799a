package mcp

import (
	"context"
	"time"

	"github.com/claudemesh/claudemesh/cli/internal/mailbox"
	"github.com/claudemesh/claudemesh/cli/internal/share"
	"github.com/claudemesh/claudemesh/edge/wire"
)

// Session is what the tools work on.
type Session interface {
	Peers(context.Context) ([]wire.PeerInfo, error)
	Send(context.Context, Outgoing) (Sent, error)
	Status(ctx context.Context, id string) (Status, error)
	SetSummary(context.Context, string) error
	SetStatus(context.Context, wire.Status) error
	JoinGroup(ctx context.Context, name, role string) error
	LeaveGroup(ctx context.Context, name string) error
	// Shared is what the mesh shares. Each question to it takes its time, and no
	// more.
	Shared() (*share.Mesh, error)
	Later(context.Context, Later) (Scheduled, error)
	ListFiles(ctx context.Context, peer, dir, pattern string) ([]string, error)
	ReadFile(ctx context.Context, peer, path string) ([]byte, error)
	// Key is the key of the session, and Member that of its member.
	Key() string
	Member() string
}

// Outgoing is a message that the model sends.
type Outgoing struct {
	To, Text, ReplyTo string
	Priority          wire.Lane
	Clear             bool // to a topic that has no key
}

// Sent is what became of it at once.
type Sent struct {
	ID        string // names it in message_status
	MessageID string // the broker's, once it has the message
	To        string
	Name      string
	Stored    bool   // else it waits in the outbox
	Waits     string // why
}

// Status is what is known of a message.
type Status struct {
	ID, Target, State, Reason, Broker string
	StoredAt, DeliveredAt, SurfacedAt *time.Time
}

// Mail is where messages wait for a door.
type Mail interface {
	Claim(limit, size int) (messages []mailbox.Message, left int)
	Shown([]mailbox.Message) error
	Release([]mailbox.Message)
	Unread() int
	Changed() <-chan struct{}
}
