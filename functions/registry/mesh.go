package registry

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// Mesh is what the registry knows of a mesh.
type Mesh struct {
	ID, Slug, Name string
	OwnerKey       string // signs invites and policies; not a member's key
	CreatedAt      time.Time
	Archived       bool
	SelfEditable   *wire.SelfEditable // nil when the mesh has no such policy
	GroupPolicy    *wire.GroupPolicy  // nil until the owner sets one
}

// DisplayName is what people call the mesh: its name, else its slug, else its
// id.
func (m Mesh) DisplayName() string {
	for _, name := range []string{m.Name, m.Slug} {
		if name != "" {
			return name
		}
	}
	return m.ID
}

// NewMesh describes a mesh to be made, and its first member.
type NewMesh struct {
	Name      string
	Slug      string // wish; made from Name when empty
	OwnerKey  string
	MemberKey string // the creator's own member key; becomes an admin
	Member    string // the creator's display name
}

const (
	// slugTries bounds the numbered variants tried for a taken slug.
	slugTries = 20

	// slugHeld is how long a slug stays reserved for a mesh that is being
	// made. A function that dies in between leaves nothing behind.
	slugHeld = time.Minute

	// slugLength bounds a slug, with room for its number.
	slugLength = wire.MaxSlug - len("-20")
)

//go:embed lua/create.lua
var createSource string
var createScript = redis.NewScript(createSource, auditSource)

// CreateMesh makes a mesh and its first member, an admin. A taken slug gets a
// number; [ErrSlugTaken] says that those are taken too.
//
// The slug is reserved first and kept for good last, since it lies in another
// cluster slot than the mesh. A failure in between leaves a mesh whose id
// nobody has learnt.
func (s *Store) CreateMesh(ctx context.Context, n NewMesh) (Mesh, Member, error) {
	mesh := Mesh{ID: newID(), Name: n.Name, OwnerKey: normal(n.OwnerKey), CreatedAt: nowMillis()}
	member := Member{
		ID: newID(), Key: normal(n.MemberKey), Name: n.Member,
		Role: wire.RoleAdmin, MessageMode: wire.ModePush, JoinedAt: mesh.CreatedAt,
	}
	var err error
	if mesh.Slug, err = s.reserveSlug(ctx, slugFor(cmp.Or(n.Slug, n.Name)), mesh.ID); err != nil {
		return Mesh{}, Member{}, err
	}
	args := append([]any{
		mesh.Slug, mesh.Name, mesh.OwnerKey, mesh.CreatedAt.UnixMilli(), member.Key, member.ID, member.encode(),
	}, entry(ctx, auditCreated, payload{"name": mesh.Name, "ownerPubkey": mesh.OwnerKey, "pubkey": member.Key})...)
	word, err := s.c.Run(ctx, createScript,
		[]string{s.keys.mesh(mesh.ID), s.keys.members(mesh.ID), s.keys.memberIDs(mesh.ID), s.keys.audit(mesh.ID)}, args...).Text()
	if err := answer(word, err, "create mesh"); err != nil {
		return Mesh{}, Member{}, err
	}
	if err := s.c.Raw().Persist(ctx, s.keys.slug(mesh.Slug)).Err(); err != nil {
		return Mesh{}, Member{}, fmt.Errorf("registry: keep slug: %w", err)
	}
	if err := s.noteMesh(ctx, mesh.ID, mesh.OwnerKey, member.Key); err != nil {
		return Mesh{}, Member{}, err
	}
	return mesh, member, nil
}

func nowMillis() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }

func (s *Store) reserveSlug(ctx context.Context, wish, mesh string) (string, error) {
	for n := 1; n <= slugTries; n++ {
		slug := wish
		if n > 1 {
			slug += "-" + strconv.Itoa(n)
		}
		ok, err := s.c.Raw().SetNX(ctx, s.keys.slug(slug), mesh, slugHeld).Result()
		if err != nil {
			return "", fmt.Errorf("registry: reserve slug: %w", err)
		}
		if ok {
			return slug, nil
		}
	}
	return "", ErrSlugTaken
}

// slugFor makes a slug of a wish; a wish without any letter gives "mesh".
func slugFor(wish string) string {
	slug := wire.Slug(wish)
	return cmp.Or(strings.Trim(slug[:min(len(slug), slugLength)], "-"), "mesh")
}

// Mesh returns a mesh, or [ErrNoMesh]. An archived mesh is still returned.
func (s *Store) Mesh(ctx context.Context, id string) (Mesh, error) {
	if !wire.IsMeshID(id) {
		return Mesh{}, ErrNoMesh
	}
	fields, err := s.c.Raw().HGetAll(ctx, s.keys.mesh(id)).Result()
	if err != nil {
		return Mesh{}, fmt.Errorf("registry: read mesh: %w", err)
	}
	return decodeMesh(id, fields)
}

func decodeMesh(id string, fields map[string]string) (Mesh, error) {
	if len(fields) == 0 {
		return Mesh{}, ErrNoMesh
	}
	m := Mesh{ID: id, Slug: fields["slug"], Name: fields["name"], OwnerKey: fields["owner"]}
	m.CreatedAt, _ = parseMillis(fields["created"])
	_, m.Archived = parseMillis(fields["archived"])
	for field, into := range map[string]any{"policy": &m.GroupPolicy, "selfeditable": &m.SelfEditable} {
		if text := fields[field]; text != "" {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return Mesh{}, fmt.Errorf("registry: %s of mesh %s: %w", field, id, err)
			}
		}
	}
	return m, nil
}

// parseMillis reads a stored time; it reports false for a missing one.
func parseMillis(text string) (time.Time, bool) {
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms), err == nil
}
