package presence

import (
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/infra/redis"
)

// Defaults of [Options].
const (
	DefaultTTL        = 90 * time.Second
	DefaultRenewEvery = 30 * time.Second
)

// MaxPerScript bounds what one script or one answer handles: 50,000 departures
// in one script would block Redis for a third of a second.
const MaxPerScript = 100

var (
	// ErrLost says that the attachment no longer holds the peer's lease. The
	// caller must not act for the peer; [Store.Renew] tells what became of it.
	ErrLost = errors.New("presence: lease lost")

	// ErrCapacity says that the mesh is full. A peer that comes back is never
	// refused so.
	ErrCapacity = errors.New("presence: mesh is full")

	// ErrBanned says that the member is banned: close, and do not retry.
	ErrBanned = errors.New("presence: member is banned")

	// ErrNotMember says that the key is not enrolled in the mesh.
	ErrNotMember = errors.New("presence: not a member")

	// ErrAway says that the peer is not in the roster.
	ErrAway = errors.New("presence: peer is away")
)

// Options says how long leases last, and how to reach what belongs to other
// rooms. TTL and RenewEvery may be left zero; the rest is required.
type Options struct {
	TTL        time.Duration // a peer may be away this long; 0 means [DefaultTTL]
	RenewEvery time.Duration // how often edges renew; 0 means [DefaultRenewEvery]

	// JournalLua defines journal_append(journal, head, channel, epoch, entry)
	// for the scripts that tell others; JournalKeys names its two keys.
	JournalLua  string
	JournalKeys func(mesh string) []string

	// MembersKey and BansKey name hashes with a field per member key.
	MembersKey func(mesh string) string
	BansKey    func(mesh string) string

	// GrantsKey names another one, and MeshKey a hash about the mesh with a
	// field "archived" if it is closed. They are needed by [Store.Resume] only,
	// which reads them on behalf of its caller.
	GrantsKey func(mesh string) string
	MeshKey   func(mesh string) string
}

// Store is the roster and the leases of all meshes. It is safe for concurrent
// use.
type Store struct {
	rdb     *redis.Client
	opt     Options
	scripts scripts

	// departed tells the process's own watcher who left by goodbye, so that
	// the clean-up need not wait for a sweep. Never closed; what does not fit
	// is found by the sweeper.
	departed chan Left
}

// New returns a store on c.
func New(c *redis.Client, o Options) *Store {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.RenewEvery == 0 {
		o.RenewEvery = DefaultRenewEvery
	}
	return &Store{rdb: c, opt: o, scripts: newScripts(luaSource, o.JournalLua), departed: make(chan Left, 1024)}
}

// lifetime is how long a lease lasts without renewal: an edge that dies
// silently just before a renewal still leaves its peers a full TTL.
func (s *Store) lifetime() time.Duration { return s.opt.TTL + s.opt.RenewEvery }

// repeatAfter is how long a clean-up may take before somebody else tries.
func (s *Store) repeatAfter() time.Duration { return min(5*time.Second, s.opt.TTL/2) }

// subject is what the scripts that act for one peer have in common: all keys,
// in the order of lua/record.lua, and the arguments who(ARGV) reads there.
func (s *Store) subject(p Peer, epoch string, more ...any) (keys []string, args []any) {
	return s.allKeys(p), append([]any{
		p.Mesh, p.ID, s.rdb.MeshBell(p.Mesh), epoch, s.repeatAfter().Milliseconds(),
	}, more...)
}

// failed wraps what Redis said about verb.
func failed(verb string, err error) error { return fmt.Errorf("presence: %s: %w", verb, err) }

// unexpected is an answer that no script of this package gives.
func unexpected(verb string, answer any) error {
	return fmt.Errorf("presence: %s: unexpected answer %q", verb, answer)
}

func millis(d time.Duration) int64 { return d.Milliseconds() }
