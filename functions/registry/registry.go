package registry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// What the registry refuses. Every other error means that Redis could not be
// asked: the caller should say so and try again later.
var (
	// ErrNoMesh says that there is no such mesh, or that it was archived.
	ErrNoMesh = errors.New("registry: no such mesh")

	// ErrNoOwnerKey says that the mesh has no owner key, so that nobody can
	// invite into it.
	ErrNoOwnerKey = errors.New("registry: mesh has no owner key")

	// ErrOwnerMismatch says that the invite was signed by somebody else than
	// the mesh's owner.
	ErrOwnerMismatch = errors.New("registry: not the mesh's owner")

	// ErrNotMember says that the key belongs to no member of the mesh.
	ErrNotMember = errors.New("registry: not a member")

	// ErrRevoked says that the key belongs to a banned member. It must be
	// refused everywhere, and cannot enrol again.
	ErrRevoked = errors.New("registry: member is banned")

	// ErrNotBanned says that there was no ban to lift.
	ErrNotBanned = errors.New("registry: member is not banned")

	// ErrNoInvite says that the mesh has no invite with that token or id.
	ErrNoInvite = errors.New("registry: no such invite")

	// ErrInviteExists says that the token of a new invite is in use.
	ErrInviteExists = errors.New("registry: invite exists")

	// ErrInviteRevoked says that the invite was withdrawn.
	ErrInviteRevoked = errors.New("registry: invite is revoked")

	// ErrInviteExpired says that the invite's time is over.
	ErrInviteExpired = errors.New("registry: invite is expired")

	// ErrInviteExhausted says that the invite made as many members as it may.
	ErrInviteExhausted = errors.New("registry: invite is used up")

	// ErrSlugTaken says that the slug and all its numbered variants belong to
	// other meshes. The caller should choose another name.
	ErrSlugTaken = errors.New("registry: too many meshes with this name")

	// ErrFull says that one of the bounds in [Options] is reached.
	ErrFull = errors.New("registry: full")

	// ErrStalePolicy says that the policy's counter is not above the stored
	// one: it is a repeat, or was overtaken.
	ErrStalePolicy = errors.New("registry: policy is not newer than the stored one")

	// ErrBadPolicy says that the policy is not signed by the mesh's owner.
	ErrBadPolicy = errors.New("registry: policy is not signed by the owner")

	// ErrConflict says that others changed the same record again and again.
	// The caller may try again.
	ErrConflict = errors.New("registry: changed by others meanwhile")

	// ErrReplayed says that a nonce was used before.
	ErrReplayed = errors.New("registry: nonce was used before")
)

// Options bounds what a mesh may hold. Zero values mean the defaults.
type Options struct {
	// MembersPerMesh bounds members, banned ones included. Default 10,000.
	MembersPerMesh int

	// InvitesPerMesh bounds invites that are neither expired nor revoked.
	// Default 1,000.
	InvitesPerMesh int

	// SessionsPerMesh bounds bound session keys; beyond it the one that was
	// unused for longest is forgotten. Default 10,000.
	SessionsPerMesh int

	// SessionUnused is how long an unused session key stays bound. Default
	// 30 days.
	SessionUnused time.Duration

	// AuditPerMesh bounds entries of the audit log; the oldest go first. Default
	// 10,000.
	AuditPerMesh int

	// MeshesPerKey bounds the meshes that a key is told to belong to; the oldest
	// are left out. Default 200.
	MeshesPerKey int

	// GrantsPerMember bounds the senders one member has an opinion about.
	// Default 1,000.
	GrantsPerMember int
}

func (o Options) withDefaults() Options {
	o.MembersPerMesh = orDefault(o.MembersPerMesh, 10_000)
	o.InvitesPerMesh = orDefault(o.InvitesPerMesh, 1_000)
	o.SessionsPerMesh = orDefault(o.SessionsPerMesh, 10_000)
	o.SessionUnused = orDefault(o.SessionUnused, 30*24*time.Hour)
	o.AuditPerMesh = orDefault(o.AuditPerMesh, 10_000)
	o.MeshesPerKey = orDefault(o.MeshesPerKey, 200)
	o.GrantsPerMember = orDefault(o.GrantsPerMember, 1_000)
	return o
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Store is the registry in one Redis. It is safe for concurrent use.
type Store struct {
	c    *redis.Client
	keys keys
	o    Options
}

// New returns the registry kept by c.
func New(c *redis.Client, o Options) *Store {
	return &Store{c: c, keys: keys{c}, o: o.withDefaults()}
}

// words are the refusals of all scripts.
var words = map[string]error{
	"no_mesh":        ErrNoMesh,
	"no_owner":       ErrNoOwnerKey,
	"owner_mismatch": ErrOwnerMismatch,
	"not_member":     ErrNotMember,
	"banned":         ErrRevoked,
	"not_banned":     ErrNotBanned,
	"no_invite":      ErrNoInvite,
	"invite_exists":  ErrInviteExists,
	"revoked":        ErrInviteRevoked,
	"expired":        ErrInviteExpired,
	"exhausted":      ErrInviteExhausted,
	"full":           ErrFull,
	"stale":          ErrStalePolicy,
	"conflict":       ErrConflict,
}

// answer turns a script's word into an error: nil for "ok".
func answer(word string, err error, doing string) error {
	switch refusal, known := words[word]; {
	case err != nil:
		return fmt.Errorf("registry: %s: %w", doing, err)
	case word == "ok":
		return nil
	case known:
		return refusal
	default:
		return fmt.Errorf("registry: %s: unknown answer %q", doing, word)
	}
}

// newID returns a fresh random id of a mesh, a member or an invite.
func newID() string { return wire.NewID(wire.LongID) }

// normal is the form in which keys are stored and looked up.
func normal(key string) string { return strings.ToLower(key) }
