package registry

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/infra/redis"
)

// Kinds of records in a backup, in the order in which they are written. The
// mesh comes first: a restore needs to know whose it is. Bans come before the
// members that they keep out, who try to get in meanwhile.
const (
	backupMesh   = "mesh"
	backupBan    = "ban"
	backupMember = "member"
	backupInvite = "invite"
	backupGrant  = "grant" // field "MEMBER SENDER", value a list of capabilities
)

var backupKinds = []string{backupMesh, backupBan, backupMember, backupInvite, backupGrant}

// backupPart bounds the records of one part, so that with its JSON it fits
// into a request.
const backupPart = 32 << 10

// ErrBadBackup says that a record could not have been written by Backup.
var ErrBadBackup = errors.New("registry: not a backup")

// Backup returns a part of what the registry knows of a mesh, and where the
// next one begins, "" after the last. Sessions and the audit log are left out:
// the former come back by themselves, the latter would not be one.
func (s *Store) Backup(ctx context.Context, mesh, after string) (records []wire.BackupRecord, next string, err error) {
	all, err := s.records(ctx, mesh)
	if err != nil {
		return nil, "", err
	}
	size := 0
	for _, r := range all {
		if after != "" && compareRecords(r, recordAt(after)) <= 0 {
			continue
		}
		if size += len(r.Kind) + 2*len(r.Field) + 2*len(r.Value); size > backupPart && len(records) > 0 {
			last := records[len(records)-1]
			return records, last.Kind + "/" + last.Field, nil
		}
		records = append(records, r)
	}
	return records, "", nil
}

func recordAt(place string) wire.BackupRecord {
	kind, field, _ := strings.Cut(place, "/")
	return wire.BackupRecord{Kind: kind, Field: field}
}

// compareRecords orders records by kind and field. An invite's uses and its end
// come before the invite itself, which would take somebody in without them.
func compareRecords(a, b wire.BackupRecord) int {
	late := func(r wire.BackupRecord) int { return strings.Count(r.Field, ":") }
	return cmp.Or(
		cmp.Compare(slices.Index(backupKinds, a.Kind), slices.Index(backupKinds, b.Kind)),
		cmp.Compare(late(b), late(a)), cmp.Compare(a.Field, b.Field))
}

func (s *Store) records(ctx context.Context, mesh string) ([]wire.BackupRecord, error) {
	pipe := s.c.Raw().Pipeline()
	hashes := map[string]*goredis.MapStringStringCmd{}
	for kind, key := range map[string]string{
		backupMesh: s.keys.mesh(mesh), backupMember: s.keys.members(mesh), backupBan: s.keys.bans(mesh),
		backupInvite: s.keys.invites(mesh), backupGrant: s.keys.grants(mesh),
	} {
		hashes[kind] = pipe.HGetAll(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("registry: backup: %w", err)
	}
	var out []wire.BackupRecord
	for kind, hash := range hashes {
		for field, value := range hash.Val() {
			if kind == backupGrant {
				grants, err := grantRecords(field, value)
				if err != nil {
					return nil, err
				}
				out = append(out, grants...)
				continue
			}
			out = append(out, wire.BackupRecord{Kind: kind, Field: field, Value: value})
		}
	}
	slices.SortFunc(out, compareRecords)
	return out, nil
}

// grantRecords takes a member's grants apart, which whole may exceed a request.
func grantRecords(member, text string) ([]wire.BackupRecord, error) {
	var grants map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &grants); err != nil {
		return nil, fmt.Errorf("registry: grants of %s: %w", member, err)
	}
	out := make([]wire.BackupRecord, 0, len(grants))
	for sender, caps := range grants {
		out = append(out, wire.BackupRecord{Kind: backupGrant, Field: member + " " + sender, Value: string(caps)})
	}
	return out, nil
}

//go:embed lua/restore.lua
var restoreSource string
var restoreScript = redis.NewScript(restoreSource, auditSource)

// Restore puts back what the registry has lost of a mesh. What is there stays,
// so that a part may be restored again, and cannot undo a ban; one that was
// lifted since comes back. It returns [ErrBadBackup], or [ErrOwnerMismatch]
// when the mesh is not, or in the backup was not, that owner's.
func (s *Store) Restore(ctx context.Context, mesh, owner string, records []wire.BackupRecord) error {
	owner = normal(owner)
	p, err := s.readParts(ctx, mesh, owner, records)
	if err != nil {
		return err
	}
	args := append([]any{owner, s.c.MeshBell(mesh)}, entry(ctx, auditRestored, payload{"records": len(records)})...)
	word, err := s.change(ctx, mesh, restoreScript, []string{
		s.keys.mesh(mesh), s.keys.members(mesh), s.keys.memberIDs(mesh), s.keys.bans(mesh),
		s.keys.invites(mesh), s.keys.invitesDue(mesh), s.keys.audit(mesh),
	}, append(args, p.args...)...).Text()
	if err := answer(word, err, "restore"); err != nil {
		return err
	}
	return s.restoreBeside(ctx, mesh, owner, p)
}

// restoreBeside puts back what lies in other slots, and grants.
func (s *Store) restoreBeside(ctx context.Context, mesh, owner string, p *parts) error {
	errs := []error{s.noteMesh(ctx, mesh, append(p.keys, owner)...)}
	if p.slug != "" {
		errs = append(errs, s.c.Raw().SetNX(ctx, s.keys.slug(p.slug), mesh, 0).Err())
	}
	for _, i := range p.invites {
		if err := s.keepCode(ctx, mesh, i); err != nil && !errors.Is(err, ErrInviteExists) {
			errs = append(errs, err)
		}
	}
	for member, grants := range p.grants {
		there, err := s.Grants(ctx, mesh, member)
		maps.DeleteFunc(grants, func(sender string, _ []wire.Capability) bool { _, known := there[sender]; return known })
		if err == nil && len(grants) > 0 {
			_, err = s.SetGrants(ctx, mesh, member, grants)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
