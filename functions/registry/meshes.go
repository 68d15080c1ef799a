package registry

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// noteMesh remembers that keys belong to a mesh, for MeshesOf. It is written
// after the mesh itself, in other slots; whoever fails in between repeats
// itself, and the repeat notes it.
func (s *Store) noteMesh(ctx context.Context, mesh string, keys ...string) error {
	now := float64(time.Now().UnixMilli())
	pipe := s.c.Raw().Pipeline()
	for _, key := range keys {
		at := s.keys.meshesOf(key)
		pipe.ZAddNX(ctx, at, goredis.Z{Score: now, Member: mesh})
		pipe.ZRemRangeByRank(ctx, at, 0, int64(-s.o.MeshesPerKey-1))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("registry: note mesh: %w", err)
	}
	return nil
}

// Membership is a mesh as one key belongs to it. Member is zero for an owner
// key that is no member.
type Membership struct {
	Mesh   Mesh
	Member Member
}

// MeshesOf lists the meshes whose owner or active member a key is, the first
// joined first.
func (s *Store) MeshesOf(ctx context.Context, key string) ([]Membership, error) {
	key = normal(key)
	ids, err := s.c.Raw().ZRange(ctx, s.keys.meshesOf(key), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("registry: meshes of a key: %w", err)
	}
	out := make([]Membership, 0, len(ids))
	for _, id := range ids {
		mesh, member, err := s.Admission(ctx, id, key)
		switch {
		case errors.Is(err, ErrNoMesh):
			continue
		case err == nil || mesh.OwnerKey == key && (errors.Is(err, ErrNotMember) || errors.Is(err, ErrRevoked)):
			out = append(out, Membership{mesh, member})
		case !errors.Is(err, ErrNotMember) && !errors.Is(err, ErrRevoked):
			return nil, err
		}
	}
	return out, nil
}

// CountMembers counts a mesh's members, banned ones included.
func (s *Store) CountMembers(ctx context.Context, mesh string) (int, error) {
	n, err := s.c.Raw().HLen(ctx, s.keys.members(mesh)).Result()
	if err != nil {
		return 0, fmt.Errorf("registry: count members: %w", err)
	}
	return int(n), nil
}

// MeshChange is what to change about a mesh; nil leaves a setting as it is.
type MeshChange struct {
	Name         *string
	SelfEditable *wire.SelfEditable
}

//go:embed lua/settings.lua
var settingsSource string
var settingsScript = redis.NewScript(settingsSource, auditSource)

// SetMesh changes settings of a mesh and rings `settings` on its bell. It
// returns [ErrNoMesh].
func (s *Store) SetMesh(ctx context.Context, mesh string, c MeshChange) error {
	var fields []any
	told := payload{}
	if c.Name != nil {
		fields, told["name"] = append(fields, "name", *c.Name), *c.Name
	}
	if c.SelfEditable != nil {
		text, err := json.Marshal(c.SelfEditable)
		if err != nil {
			return fmt.Errorf("registry: encode settings: %w", err)
		}
		fields, told["selfEditable"] = append(fields, "selfeditable", string(text)), c.SelfEditable
	}
	return s.setMesh(ctx, mesh, "settings", auditSettings, told, fields)
}

// Archive ends a mesh: nobody is admitted any more, and `archived` rings on its
// bell so that edges close its sockets. What waits is kept for its retention.
func (s *Store) Archive(ctx context.Context, mesh string) error {
	return s.setMesh(ctx, mesh, "archived", auditArchived, payload{}, []any{"archived", ""})
}

func (s *Store) setMesh(ctx context.Context, mesh, word, event string, told payload, fields []any) error {
	args := append([]any{word, s.c.MeshBell(mesh)}, entry(ctx, event, told)...)
	got, err := s.change(ctx, mesh, settingsScript, []string{s.keys.mesh(mesh), s.keys.audit(mesh)}, append(args, fields...)...).Text()
	return answer(got, err, "set mesh")
}

// MemberChange is what to change about a member; nil leaves it as it is.
type MemberChange struct {
	Name        *string
	Role        *string
	RoleTag     *string
	Groups      *[]wire.Group
	MessageMode *string
}

func (c *MemberChange) apply(m *Member) payload {
	told := payload{"targetPubkey": m.Key}
	set := func(name string, from, into *string) {
		if from != nil {
			*into, told[name] = *from, *from
		}
	}
	set("displayName", c.Name, &m.Name)
	set("role", c.Role, &m.Role)
	set("roleTag", c.RoleTag, &m.RoleTag)
	set("messageMode", c.MessageMode, &m.MessageMode)
	if c.Groups != nil {
		m.Groups, told["groups"] = *c.Groups, *c.Groups
	}
	return told
}

//go:embed lua/member.lua
var memberSource string
var memberScript = redis.NewScript(memberSource, auditSource)

// SetMember changes a member and rings `profile` KEY on the mesh's bell, so
// that its connections are told. It returns [ErrNotMember] or [ErrConflict].
func (s *Store) SetMember(ctx context.Context, mesh, memberKey string, c MemberChange) (Member, error) {
	memberKey = normal(memberKey)
	for range grantTries {
		was, err := s.c.Raw().HGet(ctx, s.keys.members(mesh), memberKey).Result()
		if errors.Is(err, goredis.Nil) {
			return Member{}, ErrNotMember
		}
		if err != nil {
			return Member{}, fmt.Errorf("registry: read member: %w", err)
		}
		m, err := decodeMember(memberKey, was, "")
		if err != nil {
			return Member{}, err
		}
		told := c.apply(&m)
		args := append([]any{memberKey, was, m.encode(), s.c.MeshBell(mesh)}, entry(ctx, auditMember, told)...)
		word, err := s.change(ctx, mesh, memberScript, []string{s.keys.members(mesh), s.keys.audit(mesh)}, args...).Text()
		if err := answer(word, err, "set member"); !errors.Is(err, ErrConflict) {
			return m, err
		}
	}
	return Member{}, ErrConflict
}

//go:embed lua/kick.lua
var kickSource string
var kickScript = redis.NewScript(kickSource, auditSource)

// Kick has edges close connections with 4001 `kicked` and end their leases, by
// ringing `kicked` TARGET on the mesh's bell. The target is a member key, a
// session key, PEERs with blanks between them, or * for all; connections opened by hello are left alone, since
// their programs come back whatever they are told.
func (s *Store) Kick(ctx context.Context, mesh, target string) error {
	return s.ringOut(ctx, mesh, "kicked", target, auditKicked)
}

// Disconnect is like Kick, with 1000 `disconnected`, by ringing `disconnected`
// TARGET; connections opened by hello are closed too.
func (s *Store) Disconnect(ctx context.Context, mesh, target string) error {
	return s.ringOut(ctx, mesh, "disconnected", target, auditDisconnected)
}

func (s *Store) ringOut(ctx context.Context, mesh, word, target, event string) error {
	args := append([]any{s.c.MeshBell(mesh), word, normal(target)}, entry(ctx, event, payload{"target": normal(target)})...)
	got, err := s.change(ctx, mesh, kickScript, []string{s.keys.audit(mesh)}, args...).Text()
	return answer(got, err, word)
}
