package registry

import "github.com/claudemesh/claudemesh/infra/redis"

// Names inside the hash of invites. The definition of an invite never changes;
// what changes lies beside it, so that no script has to rewrite JSON.
const (
	inviteUses    = "u:" // u:HASH → number of members it made
	inviteRevoked = "r:" // r:HASH → millisecond of its revocation
	inviteSealed  = "s:" // s:HASH → the token, as only the invite's link opens it
	inviteID      = "i:" // i:ID   → HASH
)

// keys builds every key of this package.
type keys struct{ c *redis.Client }

func (k keys) of(kind, mesh string) string { return kind + ":" + k.c.Tag(mesh) + ":" + mesh }

func (k keys) mesh(mesh string) string         { return k.of("mesh", mesh) }
func (k keys) members(mesh string) string      { return k.of("members", mesh) }
func (k keys) memberIDs(mesh string) string    { return k.of("memberid", mesh) }
func (k keys) bans(mesh string) string         { return k.of("bans", mesh) }
func (k keys) sessions(mesh string) string     { return k.of("sessions", mesh) }
func (k keys) sessionsUsed(mesh string) string { return k.of("sessionsused", mesh) }
func (k keys) grants(mesh string) string       { return k.of("grants", mesh) }
func (k keys) invites(mesh string) string      { return k.of("invites", mesh) }
func (k keys) audit(mesh string) string        { return k.of("audit", mesh) }
func (k keys) auditSeals(mesh string) string   { return k.of("auditseal", mesh) }
func (k keys) invitesDue(mesh string) string   { return k.of("invitesdue", mesh) }

// nonce lies in the partition of the key that signed, because a request to
// make a mesh has no mesh yet.
func (k keys) nonce(key, nonce string) string { return k.of("nonce", key) + ":" + nonce }

// meshesOf lies in the partition of the key that asks.
func (k keys) meshesOf(key string) string { return k.of("meshesof", key) }

// bucket lies in the partition of whom it limits.
func (k keys) bucket(name, who string) string {
	return "bucket:" + k.c.Tag(who) + ":" + name + ":" + who
}

func (keys) code(hash string) string { return "code:" + hash }
func (keys) slug(slug string) string { return "slug:" + slug }

// MeshKey is the hash about a mesh; one with a field "archived" is closed.
func (s *Store) MeshKey(mesh string) string { return s.keys.mesh(mesh) }

// MembersKey is the hash of a mesh's members by key, for scripts of other
// rooms that must refuse strangers.
func (s *Store) MembersKey(mesh string) string { return s.keys.members(mesh) }

// BansKey is the hash of a mesh's banned member keys.
func (s *Store) BansKey(mesh string) string { return s.keys.bans(mesh) }

// SessionsKey is the hash of a mesh's proven session keys.
func (s *Store) SessionsKey(mesh string) string { return s.keys.sessions(mesh) }

// GrantsKey is the hash of what each member grants to whom.
func (s *Store) GrantsKey(mesh string) string { return s.keys.grants(mesh) }
