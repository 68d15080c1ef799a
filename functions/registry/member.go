package registry

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// Member is one enrolled key of a mesh.
type Member struct {
	ID          string
	Key         string // Ed25519, lower-case hex
	Name        string
	Role        string // [wire.RoleAdmin] or [wire.RoleMember]
	RoleTag     string
	Groups      []wire.Group
	MessageMode string
	JoinedAt    time.Time
	RevokedAt   *time.Time // shut out since then; nil for an active member
	Banned      bool       // shut out until the ban is lifted; otherwise until invited again
}

// storedMember is a member as it lies in the hash. The key is the field, and
// the ban is in a hash of its own.
type storedMember struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Role        string       `json:"role"`
	RoleTag     string       `json:"roleTag,omitempty"`
	Groups      []wire.Group `json:"groups,omitempty"`
	MessageMode string       `json:"messageMode"`
	JoinedAt    int64        `json:"joinedAt"` // ms
}

func (m Member) encode() string {
	text, err := json.Marshal(storedMember{
		ID: m.ID, Name: m.Name, Role: m.Role, RoleTag: m.RoleTag,
		Groups: m.Groups, MessageMode: m.MessageMode, JoinedAt: m.JoinedAt.UnixMilli(),
	})
	if err != nil {
		panic(err) // a struct of text and numbers always encodes
	}
	return string(text)
}

func decodeMember(key, text, banned string) (Member, error) {
	var s storedMember
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return Member{}, fmt.Errorf("registry: member %s: %w", key, err)
	}
	m := Member{
		ID: s.ID, Key: key, Name: s.Name, Role: s.Role, RoleTag: s.RoleTag,
		Groups: s.Groups, MessageMode: s.MessageMode, JoinedAt: time.UnixMilli(s.JoinedAt),
	}
	since, lifted, _ := strings.Cut(banned, " ")
	if at, ok := parseMillis(since); ok {
		m.RevokedAt, m.Banned = &at, lifted == ""
	}
	return m, nil
}

//go:embed lua/admission.lua
var admissionSource string
var admissionScript = redis.NewScript(admissionSource)

// Admission says whether a key may come into a mesh, and as whom. It returns
// [ErrNoMesh], [ErrNotMember] or [ErrRevoked]; with the last two the mesh is
// returned too, because the refusal names it.
func (s *Store) Admission(ctx context.Context, mesh, memberKey string) (Mesh, Member, error) {
	if !wire.IsMeshID(mesh) {
		return Mesh{}, Member{}, ErrNoMesh
	}
	memberKey = normal(memberKey)
	reply, err := s.c.Run(ctx, admissionScript,
		[]string{s.keys.mesh(mesh), s.keys.members(mesh), s.keys.bans(mesh)}, memberKey).StringSlice()
	if err != nil {
		return Mesh{}, Member{}, fmt.Errorf("registry: admission: %w", err)
	}
	if len(reply) < 2 {
		return Mesh{}, Member{}, ErrNoMesh
	}
	text, banned := reply[0], reply[1]
	m, err := decodeMesh(mesh, pairs(reply[2:]))
	switch {
	case err != nil:
		return Mesh{}, Member{}, err
	case m.Archived:
		return Mesh{}, Member{}, ErrNoMesh
	case text == "":
		return m, Member{}, ErrNotMember
	}
	member, err := decodeMember(memberKey, text, banned)
	if err == nil && member.RevokedAt != nil {
		err = ErrRevoked
	}
	return m, member, err
}

// pairs makes a map of an answer of HGETALL inside a script.
func pairs(flat []string) map[string]string {
	out := make(map[string]string, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		out[flat[i]] = flat[i+1]
	}
	return out
}

// Members returns every member of a mesh, banned ones included, in the order
// in which they joined. A mesh that does not exist has none.
func (s *Store) Members(ctx context.Context, mesh string) ([]Member, error) {
	pipe := s.c.Raw().Pipeline()
	rows := pipe.HGetAll(ctx, s.keys.members(mesh))
	bans := pipe.HGetAll(ctx, s.keys.bans(mesh))
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("registry: read members: %w", err)
	}
	out := make([]Member, 0, len(rows.Val()))
	for key, text := range rows.Val() {
		m, err := decodeMember(key, text, bans.Val()[key])
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Member) int {
		return cmp.Or(a.JoinedAt.Compare(b.JoinedAt), strings.Compare(a.Key, b.Key))
	})
	return out, nil
}

//go:embed lua/ban.lua
var banSource string
var banScript = redis.NewScript(banSource, auditSource)

// Ban shuts a member out, from this moment on and for every later enrolment,
// and rings the mesh's bell so that edges close its sockets. Banning a banned
// member rings again. It returns [ErrNotMember] for a key that never joined.
func (s *Store) Ban(ctx context.Context, mesh, memberKey string) error {
	return s.shutOut(ctx, mesh, memberKey, "", auditBanned)
}

// Revoke is like Ban, but an invite that is made later lets the key in again,
// as a new member.
func (s *Store) Revoke(ctx context.Context, mesh, memberKey string) error {
	return s.shutOut(ctx, mesh, memberKey, "invite", auditRevoked)
}

func (s *Store) shutOut(ctx context.Context, mesh, memberKey, until, event string) error {
	args := append([]any{normal(memberKey), s.c.MeshBell(mesh), until}, entry(ctx, event, payload{"targetPubkey": normal(memberKey)})...)
	word, err := s.change(ctx, mesh, banScript,
		[]string{s.keys.members(mesh), s.keys.bans(mesh), s.keys.audit(mesh)}, args...).Text()
	return answer(word, err, "ban")
}

//go:embed lua/unban.lua
var unbanSource string
var unbanScript = redis.NewScript(unbanSource, auditSource)

// Unban lets a banned member in again, as the member it was. It returns
// [ErrNotBanned] when there was no ban.
func (s *Store) Unban(ctx context.Context, mesh, memberKey string) error {
	args := append([]any{normal(memberKey)}, entry(ctx, auditUnbanned, payload{"targetPubkey": normal(memberKey)})...)
	word, err := s.change(ctx, mesh, unbanScript, []string{s.keys.bans(mesh), s.keys.audit(mesh)}, args...).Text()
	return answer(word, err, "unban")
}
