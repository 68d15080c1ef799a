package registry

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// NewInvite describes an invite to be made.
type NewInvite struct {
	TokenHash string // see [wire.TokenHash]; never the token
	Role      string // [wire.RoleAdmin] or [wire.RoleMember]
	MaxUses   int
	ExpiresAt time.Time // to the second; good in that second itself
	Preset    wire.Preset
	InvitedBy string // a name for people; may be empty

	// Of an invite with a short link; see [wire.ShortLink].
	ID        string // chosen by the owner; "" for a random one
	CodeHash  string // see [wire.CodeHash]; "" for none
	Sealed    string // the token, root key included, as only the link opens it
	Signature string // the owner's, of the [wire.InviteV2]; may be empty
}

// Invite is one invite as it stands.
type Invite struct {
	NewInvite
	CreatedAt time.Time
	Uses      int
	RevokedAt *time.Time
}

// storedInvite is the part of a definition that no script reads. In front of
// it stand, for scripts, the second of expiry and the number of uses.
type storedInvite struct {
	ID        string      `json:"id"`
	Role      string      `json:"role"`
	CreatedAt int64       `json:"createdAt"` // ms
	Preset    wire.Preset `json:"preset"`
	InvitedBy string      `json:"invitedBy,omitempty"`
	CodeHash  string      `json:"code,omitempty"`
	Signature string      `json:"signature,omitempty"`
}

func (i Invite) encode() string {
	text, err := json.Marshal(storedInvite{
		ID: i.ID, Role: i.Role, CreatedAt: i.CreatedAt.UnixMilli(), Preset: i.Preset,
		InvitedBy: i.InvitedBy, CodeHash: i.CodeHash, Signature: i.Signature,
	})
	if err != nil {
		panic(err) // a struct of text and numbers always encodes
	}
	return fmt.Sprintf("%d %d %s", i.ExpiresAt.Unix(), i.MaxUses, text)
}

func decodeInvite(hash, definition string) (Invite, error) {
	expires, rest, _ := strings.Cut(definition, " ")
	uses, text, _ := strings.Cut(rest, " ")
	seconds, err := strconv.ParseInt(expires, 10, 64)
	maxUses, err2 := strconv.Atoi(uses)
	var s storedInvite
	if err := errors.Join(err, err2, json.Unmarshal([]byte(text), &s)); err != nil {
		return Invite{}, fmt.Errorf("registry: invite %s: %w", s.ID, err)
	}
	return Invite{
		NewInvite: NewInvite{
			TokenHash: hash, Role: s.Role, MaxUses: maxUses,
			ExpiresAt: time.Unix(seconds, 0), Preset: s.Preset, InvitedBy: s.InvitedBy,
			ID: s.ID, CodeHash: s.CodeHash, Signature: s.Signature,
		},
		CreatedAt: time.UnixMilli(s.CreatedAt),
	}, nil
}

const (
	// endedInviteKept is how long an invite that ended is remembered, so that
	// its bearer is told why it does not work.
	endedInviteKept = 30 * 24 * time.Hour

	// endedPerLive bounds the remembered ones, as a multiple of the live ones.
	endedPerLive = 4
)

//go:embed lua/invite.lua
var inviteSource string
var inviteScript = redis.NewScript(inviteSource, auditSource)

// AddInvite stores an invite. It returns [ErrNoMesh], [ErrInviteExists] when
// token, id or code are in use, or [ErrFull] when the mesh has as many live
// invites as it may.
//
// A code is kept first, since it lies in another cluster slot than the mesh. A
// failure in between leaves a code that stands for nothing.
func (s *Store) AddInvite(ctx context.Context, mesh string, n NewInvite) (Invite, error) {
	now, err := s.c.Raw().Time(ctx).Result() // a revocation that the invite lifts has Redis's time too
	if err != nil {
		return Invite{}, fmt.Errorf("registry: ask the time: %w", err)
	}
	invite := Invite{NewInvite: n, CreatedAt: time.UnixMilli(now.UnixMilli())}
	invite.TokenHash, invite.CodeHash = normal(n.TokenHash), normal(n.CodeHash)
	invite.ID = cmp.Or(n.ID, newID())
	if err := s.keepCode(ctx, mesh, invite); err != nil {
		return Invite{}, err
	}
	args := append([]any{
		invite.TokenHash, invite.ID, invite.encode(), invite.ExpiresAt.Unix(),
		s.o.InvitesPerMesh, (1 + endedPerLive) * s.o.InvitesPerMesh, int64(endedInviteKept.Seconds()), invite.Sealed,
	}, entry(ctx, auditInvited, payload{"inviteId": invite.ID, "role": n.Role, "maxUses": n.MaxUses, "expiresAt": n.ExpiresAt.Unix()})...)
	word, err := s.change(ctx, mesh, inviteScript,
		[]string{s.keys.mesh(mesh), s.keys.invites(mesh), s.keys.invitesDue(mesh), s.keys.audit(mesh)}, args...).Text()
	if err := answer(word, err, "add invite"); err != nil {
		return Invite{}, errors.Join(err, s.dropCode(ctx, invite))
	}
	return invite, nil
}

//go:embed lua/revoke.lua
var revokeSource string
var revokeScript = redis.NewScript(revokeSource, auditSource)

// RevokeInvite withdraws an invite by its id. Members it made stay. Revoking
// a revoked invite changes nothing; an unknown one is [ErrNoInvite].
func (s *Store) RevokeInvite(ctx context.Context, mesh, id string) error {
	word, err := s.change(ctx, mesh, revokeScript,
		[]string{s.keys.invites(mesh), s.keys.invitesDue(mesh), s.keys.audit(mesh)},
		append([]any{id}, entry(ctx, auditInviteRevoked, payload{"inviteId": id})...)...).Text()
	return answer(word, err, "revoke invite")
}

// Invites returns the invites of a mesh that are remembered, ended ones
// included, oldest first.
func (s *Store) Invites(ctx context.Context, mesh string) ([]Invite, error) {
	fields, err := s.c.Raw().HGetAll(ctx, s.keys.invites(mesh)).Result()
	if err != nil {
		return nil, fmt.Errorf("registry: read invites: %w", err)
	}
	out := make([]Invite, 0, len(fields)/2)
	for hash, definition := range fields {
		if strings.Contains(hash, ":") {
			continue // what lies beside a definition; see keys.go
		}
		invite, err := decodeInvite(hash, definition)
		if err != nil {
			return nil, err
		}
		invite.Uses, _ = strconv.Atoi(fields[inviteUses+hash])
		if at, ok := parseMillis(fields[inviteRevoked+hash]); ok {
			invite.RevokedAt = &at
		}
		out = append(out, invite)
	}
	slices.SortFunc(out, func(a, b Invite) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Enrolment is somebody who holds an invite and wants to come in.
type Enrolment struct {
	Mesh      string
	TokenHash string // see [wire.TokenHash]
	Owner     string // who signed the invite; "" when the bearer did not say
	Key       string // the member key to enrol
	Name      string // display name, unless the invite presets one
}

// Enrolled is the member an enrolment led to.
type Enrolled struct {
	MemberID string
	Already  bool // the key was a member before; no use was consumed
}

//go:embed lua/enrol.lua
var enrolSource string
var enrolScript = redis.NewScript(enrolSource, auditSource)

// Enrol makes a member. What the member may do comes from the stored invite,
// never from its bearer. Refusals are tested in this order: [ErrNoMesh],
// [ErrNoOwnerKey], [ErrOwnerMismatch], [ErrNoInvite], [ErrInviteRevoked],
// [ErrInviteExpired], [ErrRevoked], then a repeat is answered, then
// [ErrInviteExhausted] and [ErrFull].
func (s *Store) Enrol(ctx context.Context, e Enrolment) (Enrolled, error) {
	if !wire.IsMeshID(e.Mesh) {
		return Enrolled{}, ErrNoMesh
	}
	hash, key := normal(e.TokenHash), normal(e.Key)
	invites := s.keys.invites(e.Mesh)
	definition, err := s.definition(ctx, invites, hash)
	if err != nil {
		return Enrolled{}, err
	}
	member, err := newMember(key, e.Name, hash, definition)
	if err != nil {
		return Enrolled{}, err
	}
	args := append([]any{
		hash, definition, normal(e.Owner), key, member.ID, member.encode(), s.o.MembersPerMesh,
	}, entry(WithActor(ctx, member.ID), auditJoined, payload{"pubkey": key, "role": member.Role})...)
	reply, err := s.change(ctx, e.Mesh, enrolScript, []string{
		s.keys.mesh(e.Mesh), s.keys.members(e.Mesh), s.keys.memberIDs(e.Mesh), s.keys.bans(e.Mesh), invites, s.keys.audit(e.Mesh),
	}, args...).StringSlice()
	if err != nil || len(reply) != 2 {
		return Enrolled{}, answer("", err, "enrol")
	}
	enrolled := Enrolled{MemberID: member.ID}
	if reply[0] == "already" {
		enrolled = Enrolled{MemberID: reply[1], Already: true}
	} else if err := answer(reply[0], nil, "enrol"); err != nil {
		return Enrolled{}, err
	}
	return enrolled, s.noteMesh(ctx, e.Mesh, key)
}

// definition reads an invite's definition, "" when there is none. It never
// changes, so that it can be read ahead of the script, which refuses when it is
// gone by then. Only hashes are looked up: other fields lie beside them.
func (s *Store) definition(ctx context.Context, invites, hash string) (string, error) {
	if !wire.IsTokenHash(hash) {
		return "", nil
	}
	text, err := s.c.Raw().HGet(ctx, invites, hash).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return "", fmt.Errorf("registry: read invite: %w", err)
	}
	return text, nil
}

// newMember is the member that an invite makes of a key. Without a definition
// it is a nobody, whom the script refuses.
func newMember(key, name, hash, definition string) (Member, error) {
	member := Member{ID: newID(), Key: key, Name: name, Role: wire.RoleMember, MessageMode: wire.ModePush, JoinedAt: nowMillis()}
	if definition == "" {
		return member, nil
	}
	invite, err := decodeInvite(hash, definition)
	if err != nil {
		return Member{}, err
	}
	member.Role, member.RoleTag, member.Groups = invite.Role, invite.Preset.RoleTag, invite.Preset.Groups
	member.Name = cmp.Or(invite.Preset.DisplayName, name)
	member.MessageMode = cmp.Or(invite.Preset.MessageMode, wire.ModePush)
	return member, nil
}
