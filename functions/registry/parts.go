package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/edge/wire"
)

// parts are the records of a backup, checked and sorted by where they go. The
// backup comes from its owner, who may have written anything into it.
type parts struct {
	args    []any // of the script: kind, field, value, …
	mesh    map[string]string
	slug    string
	keys    []string
	invites []Invite
	grants  map[string]wire.Grants
}

func (s *Store) readParts(ctx context.Context, mesh, owner string, records []wire.BackupRecord) (*parts, error) {
	p := &parts{mesh: map[string]string{}, grants: map[string]wire.Grants{}}
	for _, r := range records {
		if err := p.take(r); err != nil {
			return nil, fmt.Errorf("%w: %s %.80q", errors.Join(ErrBadBackup, err), r.Kind, r.Field)
		}
	}
	there, err := s.Mesh(ctx, mesh)
	if errors.Is(err, ErrNoMesh) {
		there, err = Mesh{OwnerKey: p.mesh["owner"]}, nil
	}
	switch {
	case err != nil:
		return nil, err
	case there.OwnerKey != owner, p.mesh["owner"] != "" && p.mesh["owner"] != owner:
		return nil, ErrOwnerMismatch
	}
	return p, p.checkMesh(mesh, owner)
}

// checkMesh sees to it that what an edge believes of a mesh is signed.
func (p *parts) checkMesh(mesh, owner string) error {
	if len(p.mesh) == 0 {
		return nil
	}
	m, err := decodeMesh(mesh, p.mesh)
	if err != nil {
		return errors.Join(ErrBadBackup, err)
	}
	if m.GroupPolicy != nil && !m.GroupPolicy.Verify(mesh, owner) {
		return ErrBadPolicy
	}
	p.slug = m.Slug
	if p.slug != wire.Slug(p.slug) {
		return ErrBadBackup
	}
	return nil
}

var errField = errors.New("unknown field")

var meshFields = []string{"slug", "name", "owner", "created", "archived", "policy", "policycounter", "selfeditable"}

func (p *parts) take(r wire.BackupRecord) error {
	switch r.Kind {
	case backupMesh:
		if !slices.Contains(meshFields, r.Field) {
			return errField
		}
		p.mesh[r.Field] = r.Value
	case backupMember:
		m, err := decodeMember(r.Field, r.Value, "")
		if err != nil || !wire.IsLowerKey(r.Field) || !wire.IsMeshID(m.ID) || !wire.ValidRole(m.Role) {
			return errors.Join(errField, err)
		}
		p.keys = append(p.keys, r.Field)
	case backupBan:
		since, _, _ := strings.Cut(r.Value, " ")
		if _, ok := parseMillis(since); !ok || !wire.IsLowerKey(r.Field) {
			return errField
		}
	case backupInvite:
		return p.takeInvite(r)
	case backupGrant:
		return p.takeGrant(r)
	default:
		return errField
	}
	p.args = append(p.args, r.Kind, r.Field, r.Value)
	return nil
}

// takeInvite takes a definition or what lies beside it.
func (p *parts) takeInvite(r wire.BackupRecord) error {
	switch prefix, rest, beside := strings.Cut(r.Field, ":"); {
	case !beside:
		i, err := decodeInvite(r.Field, r.Value)
		if err != nil || !wire.IsTokenHash(r.Field) || !wire.ValidRole(i.Role) || !wire.IsMeshID(i.ID) {
			return errors.Join(errField, err)
		}
		if i.CodeHash != "" && time.Until(i.ExpiresAt)+endedInviteKept > 0 {
			p.invites = append(p.invites, i)
		}
	case prefix == "i":
		if !wire.IsMeshID(rest) || !wire.IsTokenHash(r.Value) {
			return errField
		}
	case prefix != "u" && prefix != "r" && prefix != "s" || !wire.IsTokenHash(rest):
		return errField
	}
	p.args = append(p.args, r.Kind, r.Field, r.Value)
	return nil
}

func (p *parts) takeGrant(r wire.BackupRecord) error {
	member, sender, _ := strings.Cut(r.Field, " ")
	var caps []wire.Capability
	if err := json.Unmarshal([]byte(r.Value), &caps); err != nil || caps == nil || !wire.IsLowerKey(member) || !wire.IsLowerKey(sender) {
		return errors.Join(errField, err)
	}
	if p.grants[member] == nil {
		p.grants[member] = wire.Grants{}
	}
	p.grants[member][sender] = caps
	return nil
}
