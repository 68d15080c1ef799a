package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/infra/redis"
)

var (
	// ErrLost says that the lease ran out or that another connection took it
	// over. The holder must close its socket: it no longer speaks for the peer.
	ErrLost = errors.New("queue: lease lost")
	// ErrNotMember says that the one for whom a message is sent without being
	// present is not a member any more.
	ErrNotMember = errors.New("queue: not a member")

	// ErrRate says that the member sends too fast. Nothing was stored; the same
	// send may be tried again later.
	ErrRate = errors.New("queue: rate limit reached")

	// ErrFingerprint says that the client id already belongs to a different
	// request. Trying again cannot help.
	ErrFingerprint = errors.New("queue: client id was used for a different request")

	// ErrNoRecipient says that the target is neither a member, nor a known
	// session, nor a key that a present connection claims; or that it is the
	// sender's own key and nobody else reads it.
	ErrNoRecipient = errors.New("queue: no recipient for target")

	// ErrBlocked says that the recipient's grants refuse this sender.
	ErrBlocked = errors.New("queue: blocked by the recipient")

	// ErrInboxFull says that the recipient must read before anybody can send to
	// it again.
	ErrInboxFull = errors.New("queue: inbox full")

	// ErrMeshFull says that the inboxes of the mesh together are full.
	ErrMeshFull = errors.New("queue: mesh full")

	// ErrUnconfirmed says that the message is stored, but not on as many
	// replicas as it must be. The same send, tried again, asks them again and
	// is a duplicate.
	ErrUnconfirmed = errors.New("queue: stored, but not confirmed by enough replicas")

	// ErrMemory says that Redis is out of memory and refuses sends.
	ErrMemory = errors.New("queue: out of memory")

	// ErrInvalid says that an argument could not be stored safely. It points at
	// a caller that did not validate what it was given.
	ErrInvalid = errors.New("queue: invalid argument")

	// ErrNotFound says that no such message is known (any more).
	ErrNotFound = errors.New("queue: message not found")
)

const (
	// MaxInboxMessages and MaxInboxBytes bound one inbox, all lanes together.
	MaxInboxMessages = 10_000
	MaxInboxBytes    = 64 << 20

	// MaxMeshBytes bounds all inboxes of a mesh together.
	MaxMeshBytes = 256 << 20

	// Retention is how long a message waits before it becomes a dead letter.
	Retention = 7 * 24 * time.Hour

	// MaxDead, MaxDeadBytes and DeadRetention bound the dead letters of a mesh;
	// the oldest go first.
	MaxDead       = 10_000
	MaxDeadBytes  = 64 << 20
	DeadRetention = 30 * 24 * time.Hour

	// MaxPushes is after how many confirmed pushes a message to a reader that
	// never acks counts as delivered.
	MaxPushes = 5

	// MaxReaders bounds the candidates of one inbox.
	MaxReaders = 200

	// onceBucket is the length of one idempotency bucket. The running one and
	// the three before it are consulted, so an id is remembered for 24 to 32
	// hours.
	onceBucket = 8 * time.Hour
)

// Options names the keys of other rooms that a send must consult, and the rate
// at which a member may send. All key functions are required.
type Options struct {
	// MembersKey is the hash of member key → member.
	MembersKey func(mesh string) string
	// BansKey is the hash whose fields are banned member keys.
	BansKey func(mesh string) string
	// SessionsKey is the hash of session key → "MEMBERKEY MS".
	SessionsKey func(mesh string) string
	// GrantsKey is the hash of member key → JSON object of sender key → list of
	// capabilities.
	GrantsKey func(mesh string) string

	// Rate is how many messages a member may send per minute, on average. Zero
	// means no limit.
	Rate int
	// Burst is how many messages a rested member may send at once. Zero means 1.
	Burst int

	// AckReplicas is how many replicas must have a message before Send and Post
	// return without error. Zero means none: then a fail-over of Redis can take
	// back the last moments before it.
	AckReplicas int
}

// Queue is safe for concurrent use.
type Queue struct {
	c *redis.Client
	o Options

	// Bounds and windows; tests shrink them before the first call.
	maxMessages, maxBytes, maxMesh  int
	bucket, retention, deadKeep     time.Duration
	maxDead, maxDeadBytes, maxReads int
}

// New returns a queue on c.
func New(c *redis.Client, o Options) *Queue {
	o.Burst = max(o.Burst, 1)
	return &Queue{
		c: c, o: o,
		maxMessages: MaxInboxMessages, maxBytes: MaxInboxBytes, maxMesh: MaxMeshBytes,
		bucket: onceBucket, retention: Retention, deadKeep: DeadRetention,
		maxDead: MaxDead, maxDeadBytes: MaxDeadBytes, maxReads: MaxReaders,
	}
}

// Lease is the key and the value by which a script sees that the connection it
// acts for still speaks for its peer.
type Lease struct{ Key, Value string }

// refusals maps the words with which a script declines to errors.
var refusals = map[string]error{
	"lost":         ErrLost,
	"not_member":   ErrNotMember,
	"rate":         ErrRate,
	"fingerprint":  ErrFingerprint,
	"no_recipient": ErrNoRecipient,
	"blocked":      ErrBlocked,
	"inbox_full":   ErrInboxFull,
	"mesh_full":    ErrMeshFull,
	"not_found":    ErrNotFound,
}

// run runs a script that answers a list whose first item is a word, and
// returns the word and what follows it. A word that declines becomes its error.
func (q *Queue) run(ctx context.Context, verb string, s *redis.Script, keys []string, args ...any) (string, []any, error) {
	return readAnswer(verb, q.c.Run(ctx, s, keys, args...))
}

// runKept is run for what an ack is given for: it answers when as many replicas
// as configured have what was written.
func (q *Queue) runKept(ctx context.Context, verb string, s *redis.Script, keys []string, args ...any) (string, []any, error) {
	return readAnswer(verb, q.c.RunDurable(ctx, q.o.AckReplicas, s, keys, args...))
}

func readAnswer(verb string, cmd *goredis.Cmd) (string, []any, error) {
	answer, err := cmd.Slice()
	if err != nil {
		return "", nil, wrap(verb, err)
	}
	if len(answer) == 0 {
		return "", nil, fmt.Errorf("queue: %s: empty answer", verb)
	}
	word, _ := answer[0].(string)
	return word, answer[1:], refusals[word]
}

// wrap names the verb that failed, and tells apart the failures that a caller
// can do something about.
func wrap(verb string, err error) error {
	if errors.Is(err, redis.ErrUnconfirmed) {
		return fmt.Errorf("%w: %s: %w", ErrUnconfirmed, verb, err)
	}
	if goredis.HasErrorPrefix(err, "OOM") || strings.Contains(err.Error(), "OOM command not allowed") {
		return fmt.Errorf("%w: %s: %w", ErrMemory, verb, err)
	}
	return fmt.Errorf("queue: %s: %w", verb, err)
}
